"""Who waits is told once; who leaves leaves nothing behind."""

import asyncio

import pytest

from ledger.errors import InvalidMessage, Reason
from ledger.model.codes import ValidationCode
from ledger.rpc import commit_notifier
from ledger.rpc.commit_notifier import CommitNotifier, CommittedTransaction

pytestmark = pytest.mark.anyio


def fate(tx_id: str, block: int = 1) -> CommittedTransaction:
    return CommittedTransaction(tx_id, ValidationCode.VALID, block)


async def waiting(notifier: CommitNotifier, *tx_ids: str) -> list[asyncio.Task]:
    tasks = [asyncio.create_task(notifier.wait_for_transaction(tx_id)) for tx_id in tx_ids]
    await asyncio.sleep(0)
    return tasks


async def test_everyone_who_waits_for_a_transaction_hears_of_it():
    notifier = CommitNotifier(1)
    first, second, other = await waiting(notifier, "a", "a", "b")
    notifier.committed(2, [fate("a")])
    assert await first == await second == fate("a")
    assert not other.done()
    notifier.committed(3, [fate("b", 2)])
    assert (await other).block_number == 2
    assert (notifier._waiting, notifier._waiters) == ({}, 0)


async def test_a_waiter_that_leaves_is_forgotten():
    notifier = CommitNotifier(1)
    stays, leaves = await waiting(notifier, "a", "a")
    leaves.cancel()
    await asyncio.gather(leaves, return_exceptions=True)
    assert notifier._waiters == 1
    notifier.committed(2, [fate("a")])
    assert await stays == fate("a")
    assert notifier._waiting == {}


async def test_a_new_waiter_between_news_and_wake_up():
    notifier = CommitNotifier(1)
    (early,) = await waiting(notifier, "a")
    notifier.committed(2, [fate("a")])
    late = asyncio.create_task(notifier.wait_for_transaction("a"))
    assert await early == fate("a")
    notifier.committed(3, [fate("a", 2)])
    assert await late == fate("a", 2)


async def test_waiters_are_limited(monkeypatch):
    monkeypatch.setattr(commit_notifier, "WAITERS_MAX", 2)
    notifier = CommitNotifier(1)
    tasks = await waiting(notifier, "a", "b")
    with pytest.raises(InvalidMessage) as refused:
        await notifier.wait_for_transaction("c")
    assert refused.value.reason is Reason.OVERLOADED
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    (third,) = await waiting(notifier, "c")
    notifier.committed(2, [fate("b"), fate("c")])
    await asyncio.gather(tasks[1], third)


async def test_heights():
    notifier = CommitNotifier(3)
    await notifier.wait_for_height(3)
    task = asyncio.create_task(notifier.wait_for_height(5))
    for height in (4, 5):
        await asyncio.sleep(0)
        assert not task.done()
        notifier.committed(height, [])
    async with asyncio.timeout(60):
        await task
