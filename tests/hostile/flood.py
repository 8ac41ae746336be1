"""Floods of garbage on every port of one validator, from strangers, a member and a validator."""

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

from grpc import aio

from ledger.client.connection import client_channel
from ledger.rpc.transport import EXCHANGE_METHOD, TlsMaterial, identity_bytes, validator_channel
from ledger.wire.validator_pb2 import (
    BlockRequest,
    EndorseRequest,
    Frame,
    Item,
    Status,
    TransactionBatch,
)
from tests.fuzz.byte_mutation import change_bytes
from tests.fuzz.wire_mutation import change_message, read_message, write_message

UNARY = (
    "/gateway.Gateway/Endorse",
    "/gateway.Gateway/Evaluate",
    "/gateway.Gateway/Submit",
    "/gateway.Gateway/CommitStatus",
    "/protos.Endorser/ProcessProposal",
)
STREAMS = (
    "/protos.Deliver/Deliver",
    "/protos.Deliver/DeliverFiltered",
    "/orderer.AtomicBroadcast/Broadcast",
    "/orderer.AtomicBroadcast/Deliver",
    "/gateway.Gateway/ChaincodeEvents",
)
LARGE_BYTES = 1_500_000
CALL_TIMEOUT_S = 2.0
STREAMS_HELD = 40
TOGETHER = 16

Work = Callable[[], Awaitable[None]]


class Flood:
    """What is thrown at one validator, and how often it was answered with what."""

    def __init__(
        self, *, client_address: str, ca_pem: bytes, requests: list[bytes], seed: int
    ) -> None:
        self.answers: Counter[str] = Counter()
        self._rng = Random(seed)
        self._address = client_address
        self._ca_pem = ca_pem
        self._requests = [(raw, read_message(raw)) for raw in requests]

    async def run(self, seconds: float, *works: Work) -> None:
        """Every kind of work again and again, at once, until the time is over."""
        tasks = [asyncio.create_task(self._repeat(work)) for work in works]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _repeat(self, work: Work) -> None:
        while True:
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    await work()
            except aio.AioRpcError as error:
                self.answers[error.code().name] += 1
            except (TimeoutError, OSError) as error:
                self.answers[type(error).__name__] += 1
            await asyncio.sleep(0)

    def _garbage(self) -> bytes:
        raw, message = self._rng.choice(self._requests)
        for _ in range(self._rng.randint(0, 3)):
            if message is None or self._rng.random() < 0.2:
                return change_bytes(raw, self._rng)
            message = change_message(message, self._rng)
        return raw if message is None else write_message(message)

    # -- the port for clients ---------------------------------------------------------------------

    async def calls(self) -> None:
        """Many calls on one connection."""
        async with client_channel(self._address, self._ca_pem) as channel:
            for _ in range(50):
                methods = self._rng.choices(UNARY, k=TOGETHER)
                await asyncio.gather(*(self._call(channel, method) for method in methods))

    async def _call(self, channel: aio.Channel, method: str) -> None:
        large = self._rng.random() < 0.02
        raw = self._rng.randbytes(LARGE_BYTES) if large else self._garbage()
        call = channel.unary_unary(method, identity_bytes, identity_bytes)
        try:
            await call(raw, timeout=CALL_TIMEOUT_S)
            self.answers["OK"] += 1
        except aio.AioRpcError as error:
            self.answers[error.code().name] += 1

    async def streams(self) -> None:
        """Streams with garbage, streams without a word, streams that are reset at once."""
        async with client_channel(self._address, self._ca_pem) as channel:
            held = []
            for _ in range(STREAMS_HELD):
                method = self._rng.choice(STREAMS)
                call = channel.stream_stream(method, identity_bytes, identity_bytes)()
                if self._rng.random() < 0.7:
                    await call.write(self._garbage())
                if self._rng.random() < 0.3:
                    call.cancel()
                held.append(call)
            await asyncio.sleep(0.2)
            for call in held:
                call.cancel()
        self.answers["streams"] += STREAMS_HELD

    async def connections(self) -> None:
        """Connections that speak no TLS, or nothing at all."""
        host, _, port = self._address.partition(":")
        loop = asyncio.get_running_loop()
        sockets = [socket.socket() for _ in range(TOGETHER)]
        try:
            for one in sockets:
                one.setblocking(False)
                await loop.sock_connect(one, (host, int(port)))
                if self._rng.random() < 0.8:
                    await loop.sock_sendall(one, self._rng.randbytes(self._rng.randint(1, 4_096)))
            await asyncio.sleep(0.1)
        finally:
            for one in sockets:
                one.close()
        self.answers["connections"] += TOGETHER


class ValidatorFlood:
    """A validator that lies to another with its own key."""

    def __init__(self, flood: Flood, address: str, tls: TlsMaterial, seed: int) -> None:
        self._flood = flood
        self._address = address
        self._tls = tls
        self._rng = Random(seed)

    async def frames(self) -> None:
        """Readable frames full of nonsense; now and then one that cannot be read."""
        async with validator_channel(self._address, self._tls) as channel:
            call = channel.stream_stream(EXCHANGE_METHOD, identity_bytes, identity_bytes)()
            for _ in range(2_000):
                broken = self._rng.random() < 0.001
                await call.write(b"\xff" if broken else self._frame())
                self._flood.answers["frames"] += 1

    def _frame(self) -> bytes:
        number = self._rng.choice((0, 1, 2**32, 2**64 - 1))
        garbage = self._flood._garbage()
        items = (
            Item(consensus_message=garbage),
            Item(status=Status(height=number)),
            Item(block_request=BlockRequest(from_number=0, to_number=number)),
            Item(transactions=TransactionBatch(batch_id=number, envelopes=[garbage] * 20)),
            Item(
                endorse_request=EndorseRequest(
                    request_id=number, signed_proposal=garbage, height_min=number
                )
            ),
        )
        chosen = [self._rng.choice(items) for _ in range(self._rng.randint(1, 20))]
        return Frame(items=chosen).SerializeToString()
