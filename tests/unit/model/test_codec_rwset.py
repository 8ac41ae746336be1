"""Read-write sets survive a round trip, and absent is not zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.model.codec_rwset import decode_read_write_set, encode_read_write_set
from ledger.model.codes import ValidationCode
from ledger.model.rwset import (
    CollectionReadWriteSet,
    HashedMetadataWrite,
    HashedRead,
    HashedWrite,
    KeyRead,
    KeyWrite,
    MetadataWrite,
    NamespaceReadWriteSet,
    RangeQuery,
    RangeSummary,
    ReadWriteSet,
    Version,
)
from ledger.wire import kvrwset_pb2
from tests.unit.model.refusals import refusal

uint64 = st.integers(0, 2**64 - 1)
uint32 = st.integers(0, 2**32 - 1)
keys = st.text(max_size=12)
values = st.binary(max_size=12)
versions = st.none() | st.builds(Version, uint64, uint64)
reads = st.builds(KeyRead, keys, versions)
entries = st.lists(st.tuples(keys, values), max_size=2).map(tuple)
raw_queries = st.builds(
    RangeQuery, keys, keys, st.booleans(), st.lists(reads, max_size=3).map(tuple)
)
summaries = st.builds(RangeSummary, uint32, uint32, st.lists(values, max_size=3).map(tuple))
summary_queries = st.builds(RangeQuery, keys, keys, st.booleans(), st.just(()), summaries)
collections = st.builds(
    CollectionReadWriteSet,
    keys,
    st.lists(st.builds(HashedRead, values, versions), max_size=2).map(tuple),
    st.lists(st.builds(HashedWrite, values, values, st.booleans(), st.booleans()), max_size=2).map(
        tuple
    ),
    values,
    st.lists(st.builds(HashedMetadataWrite, values, entries), max_size=2).map(tuple),
)
namespaces = st.builds(
    NamespaceReadWriteSet,
    keys,
    st.lists(reads, max_size=3).map(tuple),
    st.lists(raw_queries | summary_queries, max_size=2).map(tuple),
    st.lists(st.builds(KeyWrite, keys, values, st.booleans()), max_size=3).map(tuple),
    st.lists(st.builds(MetadataWrite, keys, entries), max_size=2).map(tuple),
    st.lists(collections, max_size=2).map(tuple),
)
read_write_sets = st.builds(ReadWriteSet, st.lists(namespaces, max_size=3).map(tuple))


@given(read_write_sets)
def test_round_trip(read_write_set):
    raw = encode_read_write_set(read_write_set)
    assert decode_read_write_set(raw) == read_write_set
    assert encode_read_write_set(decode_read_write_set(raw)) == raw


@given(st.binary(max_size=100))
def test_random_bytes_are_a_set_or_bad_rwset(raw):
    assert refusal(decode_read_write_set, raw) in (None, ValidationCode.BAD_RWSET)


def one_read(version: Version | None) -> ReadWriteSet:
    namespace = NamespaceReadWriteSet("market", reads=(KeyRead("key", version),))
    return ReadWriteSet((namespace,))


def test_absent_is_not_version_zero():
    absent, zero = one_read(None), one_read(Version(0, 0))
    assert encode_read_write_set(absent) != encode_read_write_set(zero)
    assert decode_read_write_set(encode_read_write_set(absent)) == absent
    assert decode_read_write_set(encode_read_write_set(zero)) == zero


def test_fabrics_field_numbers_byte_by_byte():
    """TxReadWriteSet 2 > NsReadWriteSet 1, 2 > KVRWSet 1 reads, 3 writes."""
    namespace = NamespaceReadWriteSet(
        "ns", reads=(KeyRead("r", Version(3, 1)),), writes=(KeyWrite("w", b"v"),)
    )
    assert encode_read_write_set(ReadWriteSet((namespace,))).hex(" ") == (
        "12 19 0a 02 6e 73 12 13 0a 09 0a 01 72 12 04 08 03 10 01 1a 06 0a 01 77 1a 01 76"
    )


def test_an_empty_range_carries_neither_reads_nor_summary():
    query = RangeQuery("a", "b", exhausted=True)
    raw = encode_read_write_set(
        ReadWriteSet((NamespaceReadWriteSet("ns", range_queries=(query,)),))
    )
    expected = kvrwset_pb2.RangeQueryInfo(start_key="a", end_key="b", itr_exhausted=True)
    assert raw.endswith(expected.SerializeToString())
    assert expected.WhichOneof("reads_info") is None


@pytest.mark.parametrize(
    ("collection", "has_writes"),
    [
        (CollectionReadWriteSet("c", (HashedRead(b"k", None),), (), b""), False),
        (CollectionReadWriteSet("c", (), (HashedWrite(b"k", b"v"),), b""), True),
        (CollectionReadWriteSet("c", (), (), b"", (HashedMetadataWrite(b"k", ()),)), True),
    ],
    ids=["reads", "writes", "metadata"],
)
def test_a_namespace_writes_if_a_collection_does(collection, has_writes):
    assert NamespaceReadWriteSet("ns", collections=(collection,)).has_writes is has_writes
