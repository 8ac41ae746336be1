"""The transaction pool: order, limits, duplicates, and the race with a commit."""

import threading

import pytest

from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import decode_envelope
from ledger.model.transaction import Envelope
from ledger.ordering.pool import BlockLimits, PoolLimits, TransactionPool
from tests.support.ledger_world import LedgerWorld


@pytest.fixture(scope="module")
def envelopes() -> list[Envelope]:
    world = LedgerWorld()
    return [decode_envelope(world.transaction()) for _ in range(6)]


def not_committed(_tx_id: str) -> bool:
    return False


def filled(envelopes: list[Envelope], **limits: int) -> TransactionPool:
    pool = TransactionPool(PoolLimits(**limits))
    for envelope in envelopes:
        pool.add(envelope, is_committed=not_committed)
    return pool


def refusal(pool: TransactionPool, envelope: Envelope) -> Reason:
    with pytest.raises(InvalidMessage) as refused:
        pool.add(envelope, is_committed=not_committed)
    return refused.value.reason


def test_keeps_the_order_of_arrival(envelopes: list[Envelope]) -> None:
    pool = filled(envelopes)
    assert pool.all() == tuple(envelopes)
    assert pool.oldest(BlockLimits(transactions_max=2)) == tuple(envelopes[:2])
    assert len(pool) == len(envelopes), "taking a batch removes nothing"


def test_the_same_transaction_again_is_no_error_and_waits_once(envelopes: list[Envelope]) -> None:
    pool = filled(envelopes[:1])
    assert pool.add(envelopes[0], is_committed=not_committed) is False
    assert len(pool) == 1


def test_a_full_pool_refuses_and_evicts_nobody(envelopes: list[Envelope]) -> None:
    pool = filled(envelopes[:2], transactions_max=2)
    assert refusal(pool, envelopes[2]) is Reason.OVERLOADED
    assert pool.all() == tuple(envelopes[:2])


def test_no_creator_has_more_than_its_share(envelopes: list[Envelope]) -> None:
    world = LedgerWorld()
    world.client = world.consortium.members[1].client
    other = decode_envelope(world.transaction())
    pool = filled(envelopes[:2], transactions_per_creator_max=2)
    assert refusal(pool, envelopes[2]) is Reason.OVERLOADED
    assert pool.add(other, is_committed=not_committed)
    pool.remove([envelopes[0].tx_id])
    assert pool.add(envelopes[2], is_committed=not_committed)
    pool.remove_entries([envelopes[2].raw, envelopes[1].raw])
    for envelope in envelopes[3:5]:
        assert pool.add(envelope, is_committed=not_committed)


def test_bytes_are_limited_and_given_back(envelopes: list[Envelope]) -> None:
    size = len(envelopes[0].raw)
    pool = filled(envelopes[:2], bytes_max=2 * size + size // 2)
    assert refusal(pool, envelopes[2]) is Reason.OVERLOADED
    pool.remove([envelopes[0].tx_id, "unknown", envelopes[0].tx_id])
    assert pool.add(envelopes[2], is_committed=not_committed) is True


def test_a_single_transaction_above_the_limit_is_refused(envelopes: list[Envelope]) -> None:
    pool = filled([], transaction_bytes_max=len(envelopes[0].raw) - 1)
    assert refusal(pool, envelopes[0]) is Reason.OVERSIZED
    with pytest.raises(InvalidMessage):
        pool.check_size(envelopes[0].raw)


def test_a_batch_stays_within_the_bytes_of_a_block(envelopes: list[Envelope]) -> None:
    pool = filled(envelopes)
    sizes = [len(envelope.raw) for envelope in envelopes]
    batch = pool.oldest(BlockLimits(bytes_max=sum(sizes[:3])))
    assert batch == tuple(envelopes[:3])


def test_one_transaction_larger_than_a_block_fills_a_block_of_its_own(
    envelopes: list[Envelope],
) -> None:
    pool = filled(envelopes)
    assert pool.oldest(BlockLimits(bytes_max=1)) == tuple(envelopes[:1])


def test_a_committed_transaction_does_not_come_back(envelopes: list[Envelope]) -> None:
    pool = filled([])
    with pytest.raises(InvalidMessage) as refused:
        pool.add(envelopes[0], is_committed=lambda _: True)
    assert refused.value.reason is Reason.REPLAYED
    assert len(pool) == 0


def test_a_commit_during_add_leaves_nothing_behind(envelopes: list[Envelope]) -> None:
    """The block became durable after the look-up: its removal waits for the add, then removes."""
    pool = filled([])
    removing = threading.Thread(target=pool.remove, args=([envelopes[0].tx_id],))

    def committed_meanwhile(_tx_id: str) -> bool:
        removing.start()
        return False

    pool.add(envelopes[0], is_committed=committed_meanwhile)
    removing.join()
    assert len(pool) == 0
