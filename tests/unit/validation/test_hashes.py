"""The commit hash tells any two outcomes apart; range summaries follow Fabric's tree."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from ledger.model.codes import ValidationCode
from ledger.model.rwset import KeyRead, Version
from ledger.validation.commit_hash import commit_hash
from ledger.validation.range_summary import encode_query_reads, summarize_range
from ledger.wire import kvrwset_pb2

VALID = ValidationCode.VALID
PINNED = "5aef4e05344e6b03528410f567deb68d3d80489b641b8a75830d7e7c3c470f17"


def test_the_commit_hash_is_pinned():
    """A change of this value forks a running network: peers of two versions would disagree."""
    codes = bytes([VALID, ValidationCode.MVCC_READ_CONFLICT])
    assert hash_of(bytes(32), bytes(32), codes, bytes(32), bytes(32)).hex() == PINNED


def hash_of(genesis_hash, previous, codes, outcome, state):
    return commit_hash(
        genesis_hash=genesis_hash, previous=previous, codes=codes, outcome=outcome, state=state
    )


PARTS = st.tuples(*(st.binary(max_size=5) for _ in range(5)))


@given(first=PARTS, second=PARTS)
def test_equal_hashes_mean_equal_outcomes(first, second):
    assert (hash_of(*first) == hash_of(*second)) == (first == second)


# -- range summaries ------------------------------------------------------------------------------

READS = st.lists(
    st.builds(
        KeyRead,
        key=st.text(max_size=3),
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
