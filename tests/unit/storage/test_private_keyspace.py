"""Places of private data in the database: no two meet, and each is read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import NodeFault
from ledger.model.rwset import Version
from ledger.storage import private_keyspace as keys
from ledger.storage.private_keyspace import SetPlace

names = st.text(st.characters(exclude_characters="$", exclude_categories=["Cs"]), max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
versions = st.builds(Version, st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
places = st.builds(SetPlace, versions, names, texts)


@given(places)
def test_a_place_comes_back(place):
    assert keys.split_set_key(keys.set_key(place)) == place
    assert keys.split_missing_key(keys.missing_key(place)) == place
    assert keys.split_set_expiry_key(keys.set_expiry_key(7, place)) == place
    assert keys.split_written_version(keys.written_key(place, b"h" * 32)) == place.version


@given(places, places)
def test_two_places_never_meet_and_stand_in_the_order_of_their_blocks(one, other):
    first, second = keys.set_key(one), keys.set_key(other)
    assert (first == second) == (one == other)
    if one.version != other.version:
        assert (first < second) == (one.version < other.version)


@given(places)
def test_a_place_is_in_its_ranges_and_no_other(place):
    number = place.version.block_number

    def within(key, found):
        return found[0] <= key < found[1]

    if number < 2**64 - 2:
        assert within(keys.set_key(place), keys.sets_range(number))
        assert not within(keys.set_key(place), keys.sets_range(number + 1))
        expiring = keys.set_expiry_key(number + 1, place)
        assert within(expiring, keys.set_expiry_range(number + 1))
        assert not within(expiring, keys.set_expiry_range(number))
    assert within(keys.missing_key(place), keys.missing_range())
    assert not within(keys.missing_key(place), keys.missing_range(place))
    written = keys.written_key(place, b"h" * 32)
    if place.version != Version(2**64 - 1, 2**32 - 1):
        assert within(written, keys.written_range(place.namespace, place.collection, b"h" * 32))


def test_damaged_places_are_named():
    for raw in (b"Q", b"Q" + bytes(12) + b"no collection", b"Q" + bytes(12) + b"\xff"):
        with pytest.raises(NodeFault):
            keys.split_set_key(raw)
    with pytest.raises(NodeFault):
        keys.decode_version(b"short")
