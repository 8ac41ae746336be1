"""The commit hash tells any two outcomes apart; range summaries follow Fabric's tree."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.model.codes import ValidationCode
from ledger.model.rwset import KeyRead, Version
from ledger.model.state import KeyUpdate, StateUpdates
from ledger.validation.commit_hash import commit_hash, updates_hash
from ledger.validation.range_summary import encode_query_reads, summarize_range
from ledger.wire import kvrwset_pb2

VALID = ValidationCode.VALID
AT = Version(5, 2)
PINNED = "114007825a59eff07010980c46d3cdfa932edd2876539ae29eaa238ce05586ff"


def updates(**keys: KeyUpdate) -> StateUpdates:
    return StateUpdates(keys={("ns", key): update for key, update in keys.items()})


def hash_of(previous, codes, changed: StateUpdates, *, state: bytes = bytes(32)) -> bytes:
    return commit_hash(previous, codes, updates_hash(changed), state)


BASE = updates(a=KeyUpdate(b"1", AT), b=KeyUpdate(b"2", AT))


def test_the_commit_hash_is_pinned():
    """A change of this value forks a running network: peers of two versions would disagree."""
    found = hash_of(bytes(32), [VALID, ValidationCode.MVCC_READ_CONFLICT], BASE)
    assert found.hex() == PINNED


def test_the_order_of_updates_does_not_matter():
    reordered = StateUpdates(keys=dict(reversed(BASE.keys.items())))
    assert hash_of(b"", [VALID], BASE) == hash_of(b"", [VALID], reordered)


@pytest.mark.parametrize(
    ("previous", "codes", "changed"),
    [
        (b"\x01" * 32, [VALID], BASE),
        (bytes(32), [VALID, VALID], BASE),
        (bytes(32), [ValidationCode.BAD_RWSET], BASE),
        (bytes(32), [VALID], updates(a=KeyUpdate(b"1", AT))),
        (bytes(32), [VALID], updates(a=KeyUpdate(b"1", AT), b=KeyUpdate(b"3", AT))),
        (bytes(32), [VALID], updates(a=KeyUpdate(b"1", AT), b=KeyUpdate(None, AT))),
        (bytes(32), [VALID], updates(a=KeyUpdate(b"1", AT), b=KeyUpdate(b"2", Version(5, 3)))),
        (bytes(32), [VALID], updates(a=KeyUpdate(b"1", AT), c=KeyUpdate(b"2", AT))),
        (
            bytes(32),
            [VALID],
            updates(a=KeyUpdate(b"1", AT, (("n", b""),)), b=KeyUpdate(b"2", AT)),
        ),
    ],
)
def test_any_other_outcome_has_another_hash(previous, codes, changed):
    assert hash_of(previous, codes, changed) != hash_of(bytes(32), [VALID], BASE)


def test_another_state_has_another_hash():
    assert hash_of(b"", [VALID], BASE, state=b"x" * 32) != hash_of(b"", [VALID], BASE)


NAMES = st.text(max_size=3)
UPDATES = st.builds(
    KeyUpdate,
    value=st.none() | st.binary(max_size=3),
    version=st.builds(Version, st.integers(0, 2), st.integers(0, 2)),
    metadata=st.lists(st.tuples(NAMES, st.binary(max_size=2)), max_size=2).map(tuple),
)
OUTCOMES = st.builds(
    StateUpdates, keys=st.dictionaries(st.tuples(NAMES, NAMES), UPDATES, max_size=3)
)


@given(first=OUTCOMES, second=OUTCOMES)
def test_equal_hashes_mean_equal_changes(first, second):
    same = hash_of(b"", [VALID], first) == hash_of(b"", [VALID], second)
    assert same == (first.keys == second.keys)


# -- range summaries ------------------------------------------------------------------------------

READS = st.lists(
    st.builds(
        KeyRead,
        key=NAMES,
        version=st.none() | st.builds(Version, st.integers(0, 2**40), st.integers(0, 300)),
    ),
    max_size=5,
)


@given(reads=READS)
def test_results_are_encoded_as_protobuf_does(reads):
    wire = kvrwset_pb2.QueryReads()
    for read in reads:
        entry = wire.kv_reads.add(key=read.key)
        if read.version is not None:
            entry.version.SetInParent()
            entry.version.block_num = read.version.block_number
            entry.version.tx_num = read.version.tx_number
    assert encode_query_reads(reads) == wire.SerializeToString(deterministic=True)


def reads_of(count: int) -> list[KeyRead]:
    return [KeyRead(f"key{number:05}", Version(number, 0)) for number in range(count)]


def leaf(reads: list[KeyRead]) -> bytes:
    return sha256(encode_query_reads(reads)).digest()


def join(*hashes: bytes) -> bytes:
    return sha256(b"".join(hashes)).digest()


def test_few_results_are_listed():
    assert summarize_range(reads_of(0)) is None
    assert summarize_range(reads_of(50)) is None
    assert summarize_range(reads_of(51)).max_level_hashes == (leaf(reads_of(51)),)


def test_a_level_that_overflows_is_folded_into_the_next():
    """Degree 2: leaves of three results; three nodes of a level become one of the next."""
    reads = reads_of(3 * 4 + 1)
    leaves = [leaf(reads[start : start + 3]) for start in range(0, len(reads), 3)]
    summary = summarize_range(reads, max_degree=2)
    assert (summary.max_degree, summary.max_level) == (2, 2)
    assert summary.max_level_hashes == (join(*leaves[:3]), join(*leaves[3:]))


def test_a_top_level_that_overflows_when_closing_grows_the_tree():
    reads = reads_of(3 * 3 * 2 + 3)
    leaves = [leaf(reads[start : start + 3]) for start in range(0, len(reads), 3)]
    summary = summarize_range(reads, max_degree=2)
    second = (join(*leaves[0:3]), join(*leaves[3:6]), leaves[6])
    assert (summary.max_level, summary.max_level_hashes) == (3, (join(*second),))


def test_any_change_of_a_result_changes_the_summary():
    reads = reads_of(200)
    summary = summarize_range(reads)
    for position in (0, 50, 51, 199):
        changed = list(reads)
        changed[position] = KeyRead(reads[position].key, Version(9_999, 0))
        assert summarize_range(changed) != summary
    assert summarize_range(reads[:-1]) != summary
