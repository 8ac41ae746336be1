"""Blocks built from transactions, and what makes another's block unacceptable."""

from dataclasses import replace

import pytest

from ledger.errors import InvalidMessage, Reason
from ledger.ordering.block_building import build_block, check_contents
from ledger.ordering.envelopes import EnvelopeMemory
from ledger.ordering.pool import BlockLimits
from tests.support.validator_world import NOW_MS, ValidatorWorld


@pytest.fixture(scope="module")
def world() -> ValidatorWorld:
    return ValidatorWorld()


def refusal(
    world: ValidatorWorld, *entries: bytes, limits: BlockLimits | None = None, **changes: object
) -> Reason:
    block = replace(world.block(*entries), **changes)
    with pytest.raises(InvalidMessage) as refused:
        check_contents(block, limits or BlockLimits(), EnvelopeMemory())
    return refused.value.reason


def test_a_built_block_passes_its_own_check_and_follows_the_tip(world: ValidatorWorld) -> None:
    block = world.block(world.transaction(), world.transaction())
    check_contents(block, BlockLimits(), EnvelopeMemory())
    assert block.height == world.tip.height + 1
    assert block.header.previous_hash == world.tip.block_hash
    assert block.metadata.previous_commit_hash == world.tip.commit_hash


def test_a_block_is_always_later_than_its_parent(world: ValidatorWorld) -> None:
    tip = replace(world.tip, block_time_ms=NOW_MS)
    block = build_block(
        tip=tip, proposer=1, entries=(b"e",), last_config=0, now_ms=NOW_MS - 60_000
    )
    assert block.metadata.block_time_ms == NOW_MS + 1


def test_the_digest_covers_header_metadata_and_last_config(world: ValidatorWorld) -> None:
    entries = (world.transaction(),)
    built = [
        build_block(tip=tip, proposer=p, entries=e, last_config=c, now_ms=n)
        for tip, p, e, c, n in (
            (world.tip, 1, entries, 0, NOW_MS),
            (world.tip, 2, entries, 0, NOW_MS),
            (world.tip, 1, entries, 1, NOW_MS),
            (world.tip, 1, entries, 0, NOW_MS + 1),
            (replace(world.tip, commit_hash=b"c" * 32), 1, entries, 0, NOW_MS),
            (world.tip, 1, (world.transaction(),), 0, NOW_MS),
        )
    ]
    assert len({block.digest for block in built}) == len(built)


def test_empty_blocks_are_refused(world: ValidatorWorld) -> None:
    assert refusal(world, entries=()) is Reason.MALFORMED


def test_too_many_or_too_large(world: ValidatorWorld) -> None:
    entries = (world.transaction(), world.transaction())
    assert refusal(world, *entries, limits=BlockLimits(transactions_max=1)) is Reason.OVERSIZED
    assert refusal(world, *entries, limits=BlockLimits(bytes_max=100)) is Reason.OVERSIZED
    check_contents(world.block(entries[0]), BlockLimits(bytes_max=100), EnvelopeMemory())


def test_other_entries_than_the_header_names(world: ValidatorWorld) -> None:
    assert refusal(world, entries=(world.transaction(),)) is Reason.MALFORMED


def test_the_same_bytes_cut_differently(world: ValidatorWorld) -> None:
    """The data hash is of the concatenation; the Merkle root knows where entries begin."""
    first, second = world.transaction(), world.transaction()
    cut = len(first) // 2
    assert (
        refusal(world, first, second, entries=(first[:cut], first[cut:] + second))
        is Reason.MALFORMED
    )


def test_an_entry_twice(world: ValidatorWorld) -> None:
    entry = world.transaction()
    assert refusal(world, entry, entry) is Reason.REPLAYED


@pytest.mark.parametrize("damage", [b"", b"\x0a", b"\x12\x00"])
def test_entries_that_are_no_envelopes(world: ValidatorWorld, damage: bytes) -> None:
    assert refusal(world, damage) is Reason.MALFORMED


def test_an_entry_in_another_encoding(world: ValidatorWorld) -> None:
    """An unknown field behind the signature: the same transaction in other bytes."""
    assert refusal(world, world.transaction() + b"\x1a\x01x") is Reason.MALFORMED


def test_a_transaction_larger_than_any_pool_takes_has_no_place_in_a_block(world):
    raw = world.transaction()
    assert (
        refusal(world, raw, limits=BlockLimits(transaction_bytes_max=len(raw) - 1))
        is Reason.OVERSIZED
    )
    check_contents(world.block(raw), BlockLimits(transaction_bytes_max=len(raw)), EnvelopeMemory())
