"""A bounded memory of current state values, shared by all views of the ledger.

An entry says: this is the value from height `since` on. A view pinned at an older height does not
use it. Values are entered by commits and by views of the current height only, so an old view can
never bring an old value back.
"""

import threading

from ledger.model.state import StateKey, StateUpdates, VersionedValue

CACHED_KEYS_MAX = 20_000
CACHED_VALUE_BYTES_MAX = 4_096
# Fraction of the cache that makes room at once: forgetting keys one by one costs more.
_EVICTED_SHARE = 10

Cached = tuple[int, VersionedValue | None]
"""(since, value); a value of None means the key does not exist."""


class StateCache:
    """Current values of recently read and written keys; safe to use from several threads."""

    def __init__(self, height: int, keys_max: int = CACHED_KEYS_MAX) -> None:
        self._height = height
        self._keys_max = keys_max
        self._lock = threading.Lock()
        # Insertion-ordered: the oldest entries are forgotten first.
        self._entries: dict[StateKey, Cached] = {}

    def find(self, key: StateKey) -> Cached | None:
        """What is known of a key; the caller compares `since` with its own height."""
        return self._entries.get(key)

    def offer(self, key: StateKey, value: VersionedValue | None, height: int) -> None:
        """Remember what a view at `height` read, if no block has committed since."""
        if value is not None and len(value.value) > CACHED_VALUE_BYTES_MAX:
            return
        with self._lock:
            if height == self._height:
                self._entries[key] = (height, value)
                self._make_room()

    def advance(self, updates: StateUpdates, height: int) -> None:
        """A block committed: `height` blocks are durable and `updates` are in force."""
        with self._lock:
            self._height = height
            for key, update in updates.keys.items():
                # Removed first so that it counts as the newest.
                self._entries.pop(key, None)
                if update.value is None:
                    self._entries[key] = (height, None)
                elif len(update.value) <= CACHED_VALUE_BYTES_MAX:
                    value = VersionedValue(update.value, update.version, update.metadata)
                    self._entries[key] = (height, value)
            self._make_room()

    def _make_room(self) -> None:
        if len(self._entries) <= self._keys_max:
            return
        excess = len(self._entries) - self._keys_max + self._keys_max // _EVICTED_SHARE
        for key in list(self._entries)[:excess]:
            del self._entries[key]
