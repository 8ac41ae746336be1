"""Alone at once, together when there are many."""

import asyncio

import pytest

from ledger.rpc.coalescer import WINDOWS_MAX, Coalescer, failure_of

pytestmark = pytest.mark.anyio


class Batches:
    """What was handed over, and a wait for it."""

    def __init__(self) -> None:
        self.all: list[list[int]] = []
        self._more = asyncio.Event()

    def __call__(self, batch: list[int]) -> None:
        self.all.append(batch)
        self._more.set()

    async def count(self, wanted: int) -> list[list[int]]:
        async with asyncio.timeout(60):
            while len(self.all) < wanted:
                self._more.clear()
                await self._more.wait()
        return self.all


async def test_everything_of_one_turn_is_one_batch() -> None:
    batches = Batches()
    coalescer = Coalescer(batches, window_ms=60_000)
    for item in range(5):
        coalescer.add(item)
    assert await batches.count(1) == [[0, 1, 2, 3, 4]]


async def test_what_comes_within_the_window_waits_for_its_end() -> None:
    batches = Batches()
    coalescer = Coalescer(batches, window_ms=60_000)
    coalescer.add(1)
    await batches.count(1)
    coalescer.add(2)
    await asyncio.sleep(0)
    coalescer.add(3)
    assert batches.all == [[1]]
    assert window_s(coalescer) == pytest.approx(60)
    coalescer._start()
    assert batches.all == [[1], [2, 3]]


def window_s(coalescer: Coalescer[int]) -> float:
    """From the start of the last batch to that of the next one, as it is scheduled."""
    assert isinstance(coalescer._timer, asyncio.TimerHandle)
    return coalescer._timer.when() - coalescer._started_at


@pytest.mark.parametrize(("first", "windows"), [(1, 1), (3, 3), (1_000, WINDOWS_MAX)])
async def test_the_window_is_longer_after_a_batch_of_many(first: int, windows: int) -> None:
    batches = Batches()
    coalescer = Coalescer(batches, window_ms=60_000)
    for item in range(first):
        coalescer.add(item)
    await batches.count(1)
    coalescer.add(first)
    assert window_s(coalescer) == pytest.approx(60 * windows)


async def test_without_a_window_nothing_waits() -> None:
    batches = Batches()
    coalescer = Coalescer(batches, window_ms=0)
    for item in range(3):
        coalescer.add(item)
        await batches.count(item + 1)
    assert batches.all == [[0], [1], [2]]


async def test_a_failed_batch_has_a_reason_for_everyone() -> None:
    loop = asyncio.get_running_loop()
    failed, cancelled, good = loop.create_future(), loop.create_future(), loop.create_future()
    failed.set_exception(ValueError("x"))
    cancelled.cancel()
    good.set_result(1)
    assert isinstance(failure_of(failed), ValueError)
    assert isinstance(failure_of(cancelled), RuntimeError)
    assert failure_of(good) is None
