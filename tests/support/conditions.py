"""Waiting for what nobody tells: another process, a thread, the other side of a connection."""

import asyncio
from collections.abc import Callable
from inspect import isawaitable

WAIT_S = 60.0
"""Only a test that fails waits so long."""
POLL_S = 0.002


async def until(
    condition: Callable[[], object], *, timeout_s: float = WAIT_S, poll_s: float = POLL_S
) -> None:
    """Return once a condition holds; it may be a coroutine function. `TimeoutError` afterwards.

    With `poll_s` 0 it is asked at each turn of the loop: for what holds for a moment only.
    """
    async with asyncio.timeout(timeout_s):
        while True:
            found = condition()
            if isawaitable(found):
                found = await found
            if found:
                return
            await asyncio.sleep(poll_s)
