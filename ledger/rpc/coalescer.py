"""Doing small things together when there are many, and at once when there are few.

A hop to a worker thread or a frame on a stream costs more than what it carries. The first call
after a pause starts a batch at once; calls within the window after that wait for its end and
share the next batch. A lone request therefore never waits. The more a batch holds the longer is
the window after it: what enters together stays together on its way, and that is most of what is
saved (wake-ups, system calls, hops).
"""

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

WINDOW_MS = 8
"""After a batch of one."""
WINDOWS_MAX = 5
"""A window is as many times as long as its batch holds items, but at most so many times."""


class Coalescer(Generic[T]):
    """Hands what was added to `run` in batches; single-threaded, on the event loop."""

    def __init__(self, run: Callable[[list[T]], None], window_ms: float = WINDOW_MS) -> None:
        self._run = run
        self._shortest_s = self._window_s = window_ms / 1000
        self._waiting: list[T] = []
        self._started_at = 0.0
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None

    def add(self, item: T) -> None:
        """Add to the next batch."""
        self._waiting.append(item)
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        due_at = self._started_at + self._window_s
        if loop.time() >= due_at:
            # Everything of this turn of the loop still gets in.
            self._timer = loop.call_soon(self._start)
        else:
            self._timer = loop.call_at(due_at, self._start)

    def _start(self) -> None:
        self._timer = None
        self._started_at = asyncio.get_running_loop().time()
        batch, self._waiting = self._waiting, []
        self._window_s = self._shortest_s * min(len(batch), WINDOWS_MAX)
        self._run(batch)


def failure_of(batch: asyncio.Future[Any]) -> BaseException | None:
    """Why a finished batch has no result, to be told to everyone in it; None when it has one."""
    if batch.cancelled():
        return RuntimeError("cancelled because the node stops")
    return batch.exception()
