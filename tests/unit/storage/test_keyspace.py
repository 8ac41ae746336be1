"""Database keys: no two names meet, and byte order is the order of what they stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import NodeFault
from ledger.model.rwset import Version
from ledger.storage import keyspace

NAMES = st.text(alphabet="\x00a\x7fé\U0010ffff", max_size=4)
NUMBERS = st.integers(0, 2**40)


@given(first=st.tuples(NAMES, NAMES), second=st.tuples(NAMES, NAMES))
def test_different_names_have_different_keys(first, second):
    same = first == second
    assert (keyspace.state_key(*first) == keyspace.state_key(*second)) == same
    prefixes = keyspace.history_prefix(*first), keyspace.history_prefix(*second)
    assert (prefixes[0] == prefixes[1]) == same
    assert same or not prefixes[0].startswith(prefixes[1])
    assert keyspace.split_state_key(keyspace.state_key(*first)) == first


@given(namespace=NAMES, keys=st.lists(NAMES, unique=True), start=NAMES, end=NAMES)
def test_a_range_holds_exactly_the_keys_of_its_namespace_in_order(namespace, keys, start, end):
    low, high = keyspace.state_range(namespace, start, end)
    inside = [key for key in keys if low <= keyspace.state_key(namespace, key) < high]
    assert sorted(inside) == sorted(key for key in keys if start <= key and (not end or key < end))
    ordered = sorted(keys, key=lambda key: keyspace.state_key(namespace, key))
    assert ordered == sorted(keys)
    other = keyspace.state_key(namespace + "x", start)
    assert not low <= other < high


@given(first=NUMBERS, second=NUMBERS)
def test_numbers_sort_as_numbers(first, second):
    keys = keyspace.block_key(first), keyspace.block_key(second)
    assert (keys[0] < keys[1]) == (first < second)
    assert keyspace.decode_number(keyspace.encode_number(first)) == first


@given(
    value=st.binary(max_size=8),
    version=st.builds(Version, NUMBERS, st.integers(0, 2**32 - 1)),
    metadata=st.lists(st.tuples(NAMES, st.binary(max_size=4)), max_size=3).map(tuple),
)
def test_state_records_come_back(value, version, metadata):
    found = keyspace.decode_state(keyspace.encode_state(value, version, metadata))
    assert (found.value, found.version, found.metadata) == (value, version, metadata)


@pytest.mark.parametrize("record", [b"", b"\x00" * 13, bytes(12) + b"\x00\x01" + b"\x00\x01"])
def test_a_short_record_is_a_fault(record):
    with pytest.raises(NodeFault):
        keyspace.decode_state(record)
