"""The way into the consensus thread: quotas for others, none for ourselves, stop first."""

import pytest

from ledger.consensus.events import HeadClaimed, TransactionsWaiting
from ledger.node.consensus import consensus_queue
from ledger.node.consensus.consensus_queue import (
    QUEUED_MESSAGES_PER_SENDER_MAX,
    ConsensusQueue,
    RawMessage,
    Stop,
)


def test_what_comes_first_is_taken_first() -> None:
    queue = ConsensusQueue()
    queue.receive(2, b"a")
    queue.post(TransactionsWaiting())
    queue.receive(3, b"b")
    taken = [queue.take(0) for _ in range(4)]
    assert taken == [RawMessage(2, b"a"), TransactionsWaiting(), RawMessage(3, b"b"), None]
    assert queue.is_empty()


def test_a_flood_displaces_nobody() -> None:
    queue = ConsensusQueue()
    flood = [queue.receive(2, b"x") for _ in range(QUEUED_MESSAGES_PER_SENDER_MAX + 5)]
    assert flood.count(False) == 5
    assert queue.receive(3, b"y")
    queue.post(TransactionsWaiting())
    queue.take(0)
    assert queue.receive(2, b"x"), "room again"
    assert not queue.receive(2, b"x")


def test_large_messages_are_limited_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consensus_queue, "QUEUED_BYTES_PER_SENDER_MAX", 100)
    queue = ConsensusQueue()
    assert queue.receive(2, bytes(60))
    assert not queue.receive(2, bytes(60))
    assert queue.receive(2, bytes(40))
    queue.take(0)
    assert queue.receive(2, bytes(60))


def test_stop_overtakes_everything() -> None:
    queue = ConsensusQueue()
    for _ in range(10):
        queue.receive(2, b"x")
    queue.post(Stop())
    assert queue.take(0) == Stop()


def test_only_the_newest_word_of_each_about_its_height_waits() -> None:
    queue = ConsensusQueue()
    for newest in range(1_000):
        queue.claim(HeadClaimed(2, newest))
        queue.claim(HeadClaimed(3, newest))
    assert queue.take(0) == HeadClaimed(2, 999)
    queue.claim(HeadClaimed(2, 5))
    assert [queue.take(0) for _ in range(3)] == [HeadClaimed(3, 999), HeadClaimed(2, 5), None]
