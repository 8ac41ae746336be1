"""Real servers and channels of one process, over the loopback interface."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc
from grpc import aio

from ledger.rpc.transport import identity_bytes, server_options


@asynccontextmanager
async def serving(*handlers: grpc.GenericRpcHandler) -> AsyncIterator[aio.Channel]:
    """A server with these handlers and a channel to it, without TLS."""
    server = aio.server(options=server_options())
    server.add_generic_rpc_handlers(handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(0)


def unary(channel: aio.Channel, method: str) -> aio.UnaryUnaryMultiCallable:
    return channel.unary_unary(method, identity_bytes, identity_bytes)


async def streamed(channel: aio.Channel, method: str, requests: Sequence[bytes]) -> list[bytes]:
    """Everything a stream method answers until it ends."""
    call = channel.stream_stream(method, identity_bytes, identity_bytes)()
    for request in requests:
        await call.write(request)
    await call.done_writing()
    return [answer async for answer in call]
