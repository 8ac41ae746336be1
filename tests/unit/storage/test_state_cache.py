"""The cache never answers for another height, and stays small."""

from ledger.model.rwset import Version
from ledger.model.state import KeyUpdate, StateUpdates, VersionedValue
from ledger.storage.state_cache import CACHED_VALUE_BYTES_MAX, StateCache

KEY = ("market", "a")
OLD = VersionedValue(b"old", Version(1, 0))


def test_a_commit_replaces_what_is_known():
    cache = StateCache(height=2)
    cache.offer(KEY, OLD, 2)
    assert cache.find(KEY) == (2, OLD)
    cache.advance(StateUpdates({KEY: KeyUpdate(b"new", Version(2, 0))}), 3)
    assert cache.find(KEY) == (3, VersionedValue(b"new", Version(2, 0)))
    cache.advance(StateUpdates({KEY: KeyUpdate(None, Version(3, 0))}), 4)
    assert cache.find(KEY) == (4, None)


def test_an_old_view_cannot_bring_an_old_value_back():
    cache = StateCache(height=2)
    cache.advance(StateUpdates(), 3)
    cache.offer(KEY, OLD, 2)
    assert cache.find(KEY) is None


def test_large_values_are_not_kept_and_replace_what_was():
    cache = StateCache(height=2)
    large = bytes(CACHED_VALUE_BYTES_MAX + 1)
    cache.offer(KEY, VersionedValue(large, Version(1, 0)), 2)
    assert cache.find(KEY) is None
    cache.offer(KEY, OLD, 2)
    cache.advance(StateUpdates({KEY: KeyUpdate(large, Version(2, 0))}), 3)
    assert cache.find(KEY) is None


def test_the_oldest_keys_make_room():
    cache = StateCache(height=1, keys_max=100)
    for number in range(1_000):
        cache.offer(("market", str(number)), OLD, 1)
    kept = [number for number in range(1_000) if cache.find(("market", str(number)))]
    assert len(kept) <= 100
    assert kept[-1] == 999
