"""Scenes of transactions that read what others write: MVCC and phantoms."""

from dataclasses import replace

import pytest

from ledger.crypto.policy_text import parse_policy
from ledger.model.codes import ValidationCode
from ledger.model.private_collections import Collection
from ledger.model.rwset import (
    CollectionReadWriteSet,
    HashedRead,
    HashedWrite,
    KeyRead,
    NamespaceReadWriteSet,
    RangeQuery,
    ReadWriteSet,
    Version,
)
from ledger.validation.range_summary import summarize_range
from tests.support.ledger_world import CHAINCODE, LedgerWorld, delete, market, put

VALID = ValidationCode.VALID
MVCC = ValidationCode.MVCC_READ_CONFLICT
PHANTOM = ValidationCode.PHANTOM_READ_CONFLICT


@pytest.fixture
def world():
    """Keys a, c and e exist."""
    world = LedgerWorld()
    world.commit(world.transaction(market(writes=[put("a"), put("c"), put("e")])))
    return world


def test_the_first_of_two_that_read_and_write_a_key_wins(world):
    results = market(reads=[world.read("a")], writes=[put("a", b"new")])
    assert world.codes(world.transaction(results), world.transaction(results)) == (VALID, MVCC)


def test_blind_writes_do_not_conflict_and_the_last_one_stays(world):
    first, second = (world.transaction(market(writes=[put("a", value)])) for value in (b"1", b"2"))
    assert world.commit(first, second) == (VALID, VALID)
    found = world.store.get_state(CHAINCODE, "a")
    assert (found.value, found.version) == (b"2", Version(2, 1))


def test_a_key_written_in_an_earlier_block_conflicts(world):
    entry = world.transaction(market(reads=[world.read("a")]))
    world.commit(world.transaction(market(writes=[put("a", b"new")])))
    assert world.codes(entry) == (MVCC,)


def test_writing_the_same_value_again_still_conflicts(world):
    entry = world.transaction(market(reads=[world.read("a")]))
    world.commit(world.transaction(market(writes=[put("a")])))
    assert world.codes(entry) == (MVCC,)


def test_absent_is_not_version_zero(world):
    assert world.codes(world.transaction(market(reads=[KeyRead("b", Version(0, 0))]))) == (MVCC,)
    assert world.codes(world.transaction(market(reads=[KeyRead("a", None)]))) == (MVCC,)
    assert world.codes(world.transaction(market(reads=[KeyRead("b", None)]))) == (VALID,)


def test_a_key_that_came_or_went_conflicts(world):
    expects_absent = world.transaction(market(reads=[world.read("b")]))
    expects_present = world.transaction(market(reads=[world.read("a")]))
    world.commit(world.transaction(market(writes=[put("b"), delete("a")])))
    assert world.codes(expects_absent, expects_present) == (MVCC, MVCC)


def test_a_write_by_an_invalid_transaction_does_not_count(world):
    bad = world.transaction(market(writes=[put("a", b"new")]), endorsers=world.nodes(1))
    stale = world.transaction(market(reads=[KeyRead("c", None)], writes=[put("a", b"new")]))
    reader = world.transaction(market(reads=[world.read("a")]))
    codes = world.codes(bad, stale, reader)
    assert codes == (ValidationCode.ENDORSEMENT_POLICY_FAILURE, MVCC, VALID)


def test_deleting_an_absent_key_in_the_block_still_conflicts_with_its_reader(world):
    remover = world.transaction(market(writes=[delete("b")]))
    reader = world.transaction(market(reads=[world.read("b")]))
    assert world.codes(remover, reader) == (VALID, MVCC)


def test_order_in_the_block_decides(world):
    reader = world.transaction(market(reads=[world.read("a")], writes=[put("x")]))
    writer = world.transaction(market(writes=[put("a", b"new")]))
    assert world.codes(reader, writer) == (VALID, VALID)
    assert world.codes(writer, reader) == (VALID, MVCC)


def test_many_orders_with_keys_of_their_own_do_not_conflict(world):
    entries = [
        world.transaction(market(reads=[world.read("a")], writes=[put(f"order{n}")]))
        for n in range(30)
    ]
    assert world.codes(*entries) == (VALID,) * 30


def test_the_same_key_of_another_namespace_is_another_key(world):
    world.definitions["other"] = world.definitions[CHAINCODE]
    writer = world.transaction(
        ReadWriteSet((NamespaceReadWriteSet("other", writes=(put("a"),)),)),
        chaincode="other",
        endorsed_chaincode="other",
    )
    reader = world.transaction(market(reads=[world.read("a")]))
    assert world.codes(writer, reader) == (VALID, VALID)


# -- private data hashes --------------------------------------------------------------------------


def private(world: LedgerWorld, *, version: Version | None, write: bool) -> bytes:
    collection = CollectionReadWriteSet(
        collection="meters",
        hashed_reads=(HashedRead(b"k" * 32, version),),
        hashed_writes=(HashedWrite(b"k" * 32, b"v" * 32),) if write else (),
        private_rwset_hash=b"h" * 32,
    )
    return world.transaction(
        ReadWriteSet((NamespaceReadWriteSet(CHAINCODE, collections=(collection,)),))
    )


def test_private_reads_conflict_by_their_hashes(world):
    world.define_collections(Collection("meters", parse_policy("OR('CoopMSP.member')")))
    write = private(world, version=None, write=True)
    read_old = private(world, version=None, write=False)
    assert world.codes(write, read_old) == (VALID, MVCC)
    world.commit(write)
    assert world.codes(read_old) == (MVCC,)
    assert world.codes(private(world, version=Version(3, 0), write=False)) == (VALID,)


# -- ranges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (put("b"), PHANTOM),
        (put("c", b"new"), PHANTOM),
        (delete("c"), PHANTOM),
        (put("a\x00"), PHANTOM),
        (put("e", b"new"), VALID),  # the end is not part of the range
        (put("A"), VALID),
        (delete("d"), VALID),  # was not there, is not there
    ],
)
def test_a_change_in_the_range_in_an_earlier_block_or_earlier_in_the_block(world, change, code):
    scan = world.transaction(market(ranges=[world.scan("a", "e")]))
    writer = world.transaction(market(writes=[change]))
    assert world.codes(writer, scan) == (VALID, code)
    assert world.codes(scan, writer) == (VALID, VALID)
    world.commit(writer)
    assert world.codes(scan) == (code,)


def test_a_key_put_and_deleted_within_the_block_is_no_phantom(world):
    scan = world.transaction(market(ranges=[world.scan("a", "e")]))
    come, go = (world.transaction(market(writes=[w])) for w in (put("b"), delete("b")))
    assert world.codes(come, go, scan) == (VALID, VALID, VALID)
    assert world.codes(come, scan) == (VALID, PHANTOM)


def test_a_scan_without_end_sees_everything_that_comes(world):
    scan = world.transaction(market(ranges=[world.scan("", "")]))
    assert world.codes(world.transaction(market(writes=[put("zzz")])), scan) == (VALID, PHANTOM)


def test_a_key_that_came_after_the_scan_and_goes_within_the_block_is_no_phantom(world):
    """As in Fabric: a range is compared with the state at the transaction's turn."""
    scan = world.transaction(market(ranges=[RangeQuery("x", "z", True, ())]))
    world.commit(world.transaction(market(writes=[put("y")])))
    assert world.codes(world.transaction(market(writes=[delete("y")])), scan) == (VALID, VALID)
    assert world.codes(scan) == (PHANTOM,)


def test_an_empty_range_must_stay_empty(world):
    scan = world.transaction(market(ranges=[world.scan("x", "z")]))
    assert world.codes(scan) == (VALID,)
    assert world.codes(world.transaction(market(writes=[put("y")])), scan) == (VALID, PHANTOM)


def test_a_scan_that_stopped_early_only_depends_on_what_it_saw(world):
    stopped = RangeQuery("a", "z", exhausted=False, reads=(world.read("a"), world.read("c")))
    scan = world.transaction(market(ranges=[stopped]))
    assert world.codes(scan) == (VALID,)
    after = world.transaction(market(writes=[put("d"), put("e", b"new"), put("c\x00")]))
    assert world.codes(after, scan) == (VALID, VALID)
    last = world.transaction(market(writes=[put("c", b"new")]))
    assert world.codes(last, scan) == (VALID, PHANTOM)
    between = world.transaction(market(writes=[put("b")]))
    assert world.codes(between, scan) == (VALID, PHANTOM)


def test_a_scan_that_saw_nothing_before_it_stopped_depends_on_nothing(world):
    scan = world.transaction(market(ranges=[RangeQuery("a", "z", exhausted=False)]))
    assert world.codes(scan) == (VALID,)


def test_invented_range_results_are_refused(world):
    honest = world.scan("a", "e")
    for reads in (honest.reads[:1], (*honest.reads, KeyRead("d", None)), honest.reads[::-1]):
        lie = replace(honest, reads=tuple(reads))
        assert world.codes(world.transaction(market(ranges=[lie]))) == (PHANTOM,)


def test_long_ranges_are_compared_by_their_summary(world):
    world.commit(world.transaction(market(writes=[put(f"n{n:03}") for n in range(130)])))
    reads = world.scan("n", "o").reads
    query = RangeQuery("n", "o", exhausted=True, summary=summarize_range(reads))
    stopped = RangeQuery("n", "n099", exhausted=False, summary=summarize_range(reads[:100]))
    whole = world.transaction(market(ranges=[query]))
    part = world.transaction(market(ranges=[stopped]))
    assert world.codes(whole, part) == (VALID, VALID)
    late = world.transaction(market(writes=[put("n110", b"new")]))
    assert world.codes(late, whole, part) == (VALID, PHANTOM, VALID)
    world.commit(late)
    assert world.codes(whole, part) == (PHANTOM, VALID)
    world.commit(world.transaction(market(writes=[put("n099", b"new")])))
    assert world.codes(part) == (PHANTOM,)
