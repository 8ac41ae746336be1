"""A contract on the official Python shim; it runs in an environment of that package's own."""

import asyncio
import json
import os
import sys

from fabric_chaincode_python.fabric_contract_api import (
    Contract,
    ContractChaincode,
    TransactionContext,
)


class Shelf(Contract):
    Name = "shelf"

    async def put(self, ctx: TransactionContext, key: str, value: str) -> None:
        await ctx.get_stub().put_state(key, value)

    async def get(self, ctx: TransactionContext, key: str) -> str:
        return bytes(await ctx.get_stub().get_state(key)).decode()

    async def remove(self, ctx: TransactionContext, key: str) -> None:
        await ctx.get_stub().delete_state(key)

    async def fill(self, ctx: TransactionContext, kind: str, count: int) -> None:
        stub = ctx.get_stub()
        for number in range(count):
            name = f"{number:05}"
            await stub.put_state(stub.create_composite_key(kind, [name]), name)

    async def count(self, ctx: TransactionContext, kind: str) -> int:
        rows = await ctx.get_stub().get_state_by_partial_composite_key(kind, [])
        return len([row.key async for row in rows])

    async def range(self, ctx: TransactionContext, start: str, end: str) -> str:
        rows = await ctx.get_stub().get_state_by_range(start, end)
        return json.dumps([row.key async for row in rows])

    async def search(self, ctx: TransactionContext, query: str) -> str:
        rows = await ctx.get_stub().get_query_result(query)
        return json.dumps([row.key async for row in rows])

    async def history(self, ctx: TransactionContext, key: str) -> str:
        rows = await ctx.get_stub().get_history_for_key(key)
        return json.dumps([None if row.is_delete else row.value.decode() async for row in rows])

    async def refuse(self, ctx: TransactionContext) -> None:
        raise ValueError("come back tomorrow")

    async def shout(self, ctx: TransactionContext, size: int) -> str:
        return "x" * size

    async def hang(self, ctx: TransactionContext) -> None:
        await asyncio.Event().wait()

    async def crash(self, ctx: TransactionContext) -> None:
        os._exit(1)


asyncio.set_event_loop(asyncio.new_event_loop())
sys.exit(
    ContractChaincode.new_chaincode(Shelf()).start(
        key=os.environ["TLS_KEY"],
        cert=os.environ["TLS_CERTIFICATE"],
        client_ca_certs=os.environ["TLS_CA"],
    )
)
