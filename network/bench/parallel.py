"""Much work, some of it under way at a time."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def in_parallel(work: Iterable[Awaitable[T]], *, in_flight: int) -> list[T]:
    """Await all of it; what it gave, in the order in which it ended."""
    waiting = iter(work)
    done: list[T] = []

    async def worker() -> None:
        for one in waiting:
            done.append(await one)  # noqa: PERF401 - each is begun when there is room for it

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return done
