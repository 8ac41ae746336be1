"""The test ledger's state: values, metadata, history and private data, as one peer sees them."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ledger.crypto.hashing import sha256
from ledger.model.private_collections import Collection
from ledger.model.private_rwset import PrivateReadWriteSet, decode_private_writes
from ledger.model.rwset import Version
from ledger.model.state import (
    HistoryEntry,
    KeyUpdate,
    StateKey,
    StateUpdates,
    VersionedValue,
    hashed_key,
    hashed_namespace,
    private_namespace,
)

BEFORE_ALL = Version(0, 0)

FindCollection = Callable[[str, str], Collection | None]


@dataclass(slots=True)
class WorldState:
    """Everything committed. States compare by what they hold, not by how many blocks led there."""

    values: dict[StateKey, VersionedValue] = field(default_factory=dict)
    """Private values are here too, under the name of `private_namespace`."""
    past: dict[StateKey, tuple[HistoryEntry, ...]] = field(default_factory=dict)
    """Newest first."""
    transactions: dict[str, int] = field(default_factory=dict, compare=False)
    """Transaction ids in use and their validation codes."""
    height: int = field(default=1, compare=False)
    ordered: dict[str, list[str]] = field(default_factory=dict, compare=False)
    """Keys of each namespace, ascending."""

    def copy(self) -> "WorldState":
        """The same state, on its own."""
        ordered = {namespace: list(keys) for namespace, keys in self.ordered.items()}
        return WorldState(
            dict(self.values), dict(self.past), dict(self.transactions), self.height, ordered
        )

    # -- reading, as `ledger.model.state.StateReader` ---------------------------------------------

    def get_state(self, namespace: str, key: str) -> VersionedValue | None:
        """The committed value."""
        return self.values.get((namespace, key))

    def range_state(
        self, namespace: str, start_key: str, end_key: str
    ) -> Iterator[tuple[str, VersionedValue]]:
        """Keys in [start_key, end_key), ascending."""
        ordered = self.ordered.get(namespace, [])
        low = bisect_left(ordered, start_key)
        high = bisect_left(ordered, end_key) if end_key else len(ordered)
        for key in ordered[low:high]:
            yield key, self.values[namespace, key]

    def has_metadata(self, namespace: str) -> bool:
        """Every namespace may."""
        return True

    # -- committing -------------------------------------------------------------------------------

    def apply(self, updates: StateUpdates) -> None:
        """The changes of a block."""
        for state_key, update in updates.keys.items():
            self._put(state_key, update)
        removed = {namespace for (namespace, _), u in updates.keys.items() if u.value is None}
        for namespace in sorted(removed):
            if hashed_namespace("", "") in namespace:
                self._forget_private(namespace)

    def define(self, state_key: StateKey, value: bytes) -> None:
        """What is there before the first block."""
        self._put(state_key, KeyUpdate(value, BEFORE_ALL))

    def remember(self, state_key: StateKey, entry: HistoryEntry) -> None:
        """One more value a key had."""
        self.past[state_key] = (entry, *self.past.get(state_key, ()))

    def apply_private(self, private: PrivateReadWriteSet, version: Version) -> None:
        """Private writes of a valid transaction."""
        for one in private.collections:
            namespace = private_namespace(one.namespace, one.collection)
            decoded = decode_private_writes(one.raw)
            for write in decoded.writes:
                value = None if write.is_delete else write.value
                self._put((namespace, write.key), KeyUpdate(value, version))
            for key in decoded.metadata_keys:  # the hash has this version, so the value must too
                found = self.values.get((namespace, key))
                if found is not None:
                    self._put((namespace, key), KeyUpdate(found.value, version))

    def _forget_private(self, hashes: str) -> None:
        """Drop private values whose hash was deleted, purged or has expired."""
        namespace = hashes.replace(hashed_namespace("", ""), private_namespace("", ""))
        for key in list(self.ordered.get(namespace, ())):
            if (hashes, hashed_key(sha256(key.encode()))) not in self.values:
                self._put((namespace, key), KeyUpdate(None, BEFORE_ALL))

    def _put(self, state_key: StateKey, update: KeyUpdate) -> None:
        namespace, key = state_key
        ordered = self.ordered.setdefault(namespace, [])
        if update.value is None:
            if self.values.pop(state_key, None) is not None:
                del ordered[bisect_left(ordered, key)]
            return
        if state_key not in self.values:
            insort(ordered, key)
        self.values[state_key] = VersionedValue(update.value, update.version, update.metadata)


class PeerView:
    """What the peer of one member has of it: private values of the member's collections only."""

    def __init__(self, world: WorldState, mspid: str, find_collection: FindCollection) -> None:
        self._world = world
        self._mspid = mspid
        self._find_collection = find_collection
        self.get_state = world.get_state
        self.range_state = world.range_state
        self.has_metadata = world.has_metadata

    @property
    def height(self) -> int:
        """Number of blocks whose changes are visible."""
        return self._world.height

    def history(self, namespace: str, key: str) -> Iterator[HistoryEntry]:
        """Every value the key had, newest first."""
        return iter(self._world.past.get((namespace, key), ()))

    def get_private(self, namespace: str, collection: str, key: str) -> VersionedValue | None:
        """The private value, None where this peer is no member."""
        if not self._has(namespace, collection):
            return None
        return self._world.get_state(private_namespace(namespace, collection), key)

    def range_private(
        self, namespace: str, collection: str, start_key: str, end_key: str
    ) -> Iterator[tuple[str, VersionedValue]]:
        """Private keys held in [start_key, end_key)."""
        if not self._has(namespace, collection):
            return iter(())
        name = private_namespace(namespace, collection)
        return self._world.range_state(name, start_key, end_key)

    def _has(self, namespace: str, collection: str) -> bool:
        found = self._find_collection(namespace, collection)
        return found is not None and self._mspid in found.members
