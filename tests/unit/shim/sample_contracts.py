"""Contracts that use every part of the shim, well and badly."""

import ctypes
import os
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from chaincode.shim import Context, Contract, ContractError, query, transaction


@dataclass(frozen=True, slots=True)
class Offer:
    price_utoken_per_kwh: int
    energy_wh: int
    note: str = ""


class Shelf(Contract):
    name = "shelf"

    @transaction
    async def put(self, ctx: Context, key: str, value: str) -> None:
        await ctx.stub.put_state(key, value)
        ctx.stub.set_event("put", key)

    @query
    async def get(self, ctx: Context, key: str) -> bytes:
        return await ctx.stub.get_state(key)

    @transaction
    async def move(self, ctx: Context, keys: list[str], target: str) -> int:
        values = await ctx.stub.get_states(keys)
        await ctx.stub.put_state(target, b"+".join(values))
        ctx.stub.set_event("moved", target)
        return len(values)

    @transaction
    async def put_then_get(self, ctx: Context, key: str, value: str) -> bytes:
        await ctx.stub.put_state(key, value)
        return await ctx.stub.get_state(key)

    @transaction
    async def fill(self, ctx: Context, object_type: str, count: int) -> None:
        for number in range(count):
            key = ctx.stub.create_composite_key(object_type, [f"{number:05}"])
            await ctx.stub.put_state(key, str(number))

    @query
    async def count(self, ctx: Context, object_type: str) -> list[str]:
        rows = ctx.stub.get_state_by_partial_composite_key(object_type, [])
        return [ctx.stub.split_composite_key(row.key)[1][0] async for row in rows]

    @query
    async def search(self, ctx: Context, selector: str) -> list[str]:
        rows = ctx.stub.get_query_result('{"selector":' + selector + "}")
        return [row.key async for row in rows]

    @query
    async def first(self, ctx: Context, object_type: str) -> str:
        rows = await ctx.stub.get_state_by_partial_composite_key(object_type, [])
        async for row in rows:
            await rows.close()
            return row.key
        return ""

    @transaction
    async def remove(self, ctx: Context, key: str) -> None:
        await ctx.stub.del_state(key)

    @query
    async def history(self, ctx: Context, key: str) -> list[list[object]]:
        return [
            [row.tx_id, row.value.decode(), row.timestamp_ns, row.is_delete]
            async for row in ctx.stub.get_history_for_key(key)
        ]

    @query
    async def types(
        self, ctx: Context, number: int, flag: bool, data: bytes, offer: Offer, extra: int | None
    ) -> dict[str, object]:
        return {
            "number": number,
            "flag": flag,
            "size": len(data),
            "energy_wh": offer.energy_wh,
            "extra": extra,
        }

    @query
    async def who(self, ctx: Context) -> list[str]:
        client = ctx.get_client_identity()
        return [client.get_mspid(), client.role, client.require_attribute("idgrid")]

    @query
    async def when(self, ctx: Context) -> str:
        return ctx.stub.get_tx_datetime().isoformat()

    @query
    async def secret_size(self, ctx: Context) -> int:
        return len(ctx.stub.get_transient()["secret"])

    @query
    async def peer_member(self, ctx: Context) -> str:
        return ctx.stub.get_mspid()

    @query
    async def sneaky(self, ctx: Context) -> None:
        await ctx.stub.put_state("k", b"v")

    @query
    async def call_other(self, ctx: Context, name: str, function: str) -> str:
        response = await ctx.stub.invoke_chaincode(name, [function])
        return f"{response.status} {response.message} {response.payload.decode()}"

    @transaction
    async def call_other_with(
        self, ctx: Context, name: str, function: str, key: str, value: str
    ) -> str:
        response = await ctx.stub.invoke_chaincode(name, [function, key, value])
        await ctx.stub.put_state("called", name)
        return f"{response.status} {response.message} {response.payload.decode()}"

    @transaction
    async def scattered(self, ctx: Context) -> list[str]:
        words = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta"}
        for word in words:
            await ctx.stub.get_state(word)
            await ctx.stub.put_state(word, word)
        return sorted(words)

    @transaction
    async def protect(self, ctx: Context, key: str, policy: bytes) -> bytes:
        before = await ctx.stub.get_state_validation_parameter(key)
        await ctx.stub.set_state_validation_parameter(key, policy)
        return before


class Trouble(Contract):
    name = "trouble"

    @transaction
    async def refuse(self, ctx: Context) -> None:
        raise ContractError("NOT_TODAY", "come back\ntomorrow", 409)

    @transaction
    async def bug(self, ctx: Context, secret: str) -> None:
        raise ValueError(secret)

    @transaction
    async def loop(self, ctx: Context) -> None:
        while True:
            pass

    @transaction
    async def loop_over_keys(self, ctx: Context) -> None:
        number = 0
        while True:
            number += 1
            await ctx.stub.get_state(f"k{number}")

    @transaction
    async def die(self, ctx: Context) -> None:
        os._exit(7)

    @transaction
    async def leave(self, ctx: Context) -> None:
        sys.exit(3)

    @transaction
    async def eat_memory(self, ctx: Context) -> int:
        hoard = []
        while True:
            hoard.append(bytearray(16 * 1024 * 1024))

    @query
    async def shout(self, ctx: Context, size: int) -> str:
        return "x" * size

    @transaction
    async def print_loudly(self, ctx: Context, lines: int, length: int) -> None:
        sys.stderr.write(("y" * length + "\n") * lines)

    @transaction
    async def recurse(self, ctx: Context) -> None:
        await self.recurse(ctx)

    @transaction
    async def crash(self, ctx: Context) -> None:
        ctypes.string_at(0)

    @transaction
    async def fork(self, ctx: Context) -> None:
        if os.fork() == 0:
            os._exit(0)

    @transaction
    async def open_socket(self, ctx: Context) -> None:
        socket.create_connection(("127.0.0.1", 9))

    @transaction
    async def run_program(self, ctx: Context) -> None:
        os.execv("/bin/true", ["true"])

    @transaction
    async def fill_disk(self, ctx: Context) -> None:
        with tempfile.TemporaryFile() as file:
            for _ in range(64):
                file.write(bytes(1024 * 1024))

    @transaction
    async def read_file(self, ctx: Context, path: str) -> bytes:
        return _read(path)

    @transaction
    async def write_file(self, ctx: Context, path: str) -> int:
        return _write(path)

    @transaction
    async def list_folder(self, ctx: Context, path: str) -> int:
        return _count(path)


def _read(path: str) -> bytes:
    return Path(path).read_bytes()


def _write(path: str) -> int:
    return Path(path).write_bytes(b"x")


def _count(path: str) -> int:
    return len(list(Path(path).iterdir()))


CONTRACTS = (Shelf, Trouble)
