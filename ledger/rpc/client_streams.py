"""Reading and writing streams of clients that may be slow, silent or never read."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeAlias

import grpc
from grpc import aio

from ledger.rpc.client_limits import STREAM_SILENCE_MS, STREAM_WRITE_TIMEOUT_MS

Context: TypeAlias = aio.ServicerContext[bytes, bytes]


class ClientTooSlow(Exception):  # noqa: N818 - what happened, not a mistake
    """The client neither spoke nor read in time."""


async def first_in_time(requests: AsyncIterator[bytes]) -> bytes | None:
    """The first request of a stream, None when the client closed it; raises ClientTooSlow."""
    try:
        async with asyncio.timeout(STREAM_SILENCE_MS / 1000):
            return await anext(requests, None)
    except TimeoutError:
        raise ClientTooSlow("nothing was asked for on this stream") from None


async def write_in_time(context: Context, raw: bytes) -> None:
    """Send one message; raises ClientTooSlow when there is no room for it for too long."""
    try:
        async with asyncio.timeout(STREAM_WRITE_TIMEOUT_MS / 1000):
            await context.write(raw)
    except TimeoutError:
        raise ClientTooSlow("the client does not read what it asked for") from None


def give_up(context: Context, error: ClientTooSlow) -> None:
    """Say why the stream ends, without waiting until the client reads that."""
    context.set_code(grpc.StatusCode.DEADLINE_EXCEEDED)
    context.set_details(str(error))
