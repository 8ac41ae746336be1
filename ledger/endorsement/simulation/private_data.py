"""Private data in a simulation: values for the members, hashes for the ledger.

Fabric's rules: a read is recorded by the key's hash and only where the peer has the value that
the ledger has the hash of; a scan is not recorded at all (`SimulationUse.querying_private`); sets
are in the order of the keys themselves.
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from ledger.crypto.hashing import sha256
from ledger.endorsement.simulation.collection_access import CollectionAccess
from ledger.endorsement.simulation.use import (
    SimulationRefused,
    SimulationUse,
    require_key,
    require_metadata_name,
)
from ledger.model.private_rwset import (
    PrivateCollectionSet,
    PrivateReadWriteSet,
    encode_private_writes,
)
from ledger.model.rwset import (
    CollectionReadWriteSet,
    HashedMetadataWrite,
    HashedRead,
    HashedWrite,
    KeyWrite,
    Version,
)
from ledger.model.state import (
    Metadata,
    StateSnapshot,
    VersionedValue,
    hashed_key,
    hashed_namespace,
)

Place = tuple[str, str]
"""(namespace, collection)"""

K = TypeVar("K", str, Place)
V = TypeVar("V")


class PrivateScan:
    """Rows of a scan of private data."""

    __slots__ = ("_iterator",)

    def __init__(self, iterator: Iterator[tuple[str, VersionedValue]]) -> None:
        self._iterator = iterator

    def next_row(self) -> tuple[str, VersionedValue] | None:
        """The next row, None at the end."""
        return next(self._iterator, None)


class _Collection:
    """What one transaction read and wrote in one collection, by key."""

    __slots__ = ("metadata", "purged", "reads", "writes")

    def __init__(self) -> None:
        self.reads: dict[str, Version | None] = {}
        self.writes: dict[str, bytes] = {}
        self.purged: set[str] = set()
        self.metadata: dict[str, dict[str, bytes]] = {}

    def private(self) -> bytes:
        """kvrwset.KVRWSet bytes; empty when nothing is written."""
        if not self.writes and not self.metadata:
            return b""
        writes = [KeyWrite(key, value, is_delete=not value) for key, value in _sorted(self.writes)]
        return encode_private_writes(writes, sorted(self.metadata))

    def hashed(self, name: str) -> CollectionReadWriteSet:
        private = self.private()
        return CollectionReadWriteSet(
            collection=name,
            hashed_reads=tuple(
                [HashedRead(_key_hash(key), version) for key, version in _sorted(self.reads)]
            ),
            hashed_writes=tuple(
                [self._hashed_write(key, value) for key, value in _sorted(self.writes)]
            ),
            private_rwset_hash=sha256(private) if private else b"",
            hashed_metadata_writes=tuple(
                [
                    HashedMetadataWrite(_key_hash(key), tuple(_sorted(entries)))
                    for key, entries in _sorted(self.metadata)
                ]
            ),
        )

    def _hashed_write(self, key: str, value: bytes) -> HashedWrite:
        return HashedWrite(
            key_hash=_key_hash(key),
            value_hash=sha256(value) if value else b"",
            is_delete=not value,
            is_purge=key in self.purged,
        )


class PrivateSimulation:
    """The private half of a `TransactionSimulator`; keys and limits are shared with it."""

    def __init__(
        self, snapshot: StateSnapshot, use: SimulationUse, access: CollectionAccess
    ) -> None:
        self._snapshot = snapshot
        self._use = use
        self._access = access
        self._collections: dict[Place, _Collection] = {}
        self._reads: set[Place] = set()

    @property
    def reads(self) -> frozenset[Place]:
        """Collections whose values were read: only their members' peers can do the same."""
        return frozenset(self._reads)

    def get(self, namespace: str, collection: str, key: str) -> bytes:
        """The committed value, empty if absent; refused where this peer does not have it."""
        hashed = self._hashed(namespace, collection, key)
        private = self._snapshot.get_private(namespace, collection, key)
        public_version = None if hashed is None else hashed.version
        version = None if private is None else private.version
        if version != public_version:
            raise SimulationRefused(
                "private data matching public hash version is not available. Public hash version"
                f" = {_words(public_version)}, Private data version = {_words(version)}"
            )
        self._note_read(namespace, collection, key, hashed)
        self._reads.add((namespace, collection))
        return b"" if private is None else private.value

    def get_hash(self, namespace: str, collection: str, key: str) -> bytes:
        """SHA-256 of the committed value, from the ledger; empty if absent. Any peer has it."""
        hashed = self._hashed(namespace, collection, key)
        self._note_read(namespace, collection, key, hashed)
        return b"" if hashed is None else hashed.value

    def get_metadata(self, namespace: str, collection: str, key: str) -> Metadata:
        """The committed metadata of a key, which is public."""
        hashed = self._hashed(namespace, collection, key)
        self._note_read(namespace, collection, key, hashed)
        return () if hashed is None else hashed.metadata

    def scan(self, namespace: str, collection: str, start_key: str, end_key: str) -> PrivateScan:
        """Open a scan of [start_key, end_key) of what this peer has; nothing may be written."""
        self._access.require_defined(namespace, collection)
        self._use.querying_private()
        self._reads.add((namespace, collection))
        rows = self._snapshot.range_private(namespace, collection, start_key, end_key)
        return PrivateScan(self._use.counted(rows))

    def put(self, namespace: str, collection: str, key: str, value: bytes) -> None:
        """Write a key; an empty value deletes it."""
        self._access.require_defined(namespace, collection)
        require_key(key)
        self._use.writing(len(key.encode()) + len(value))
        ours = self._of(namespace, collection)
        ours.writes[key] = value
        ours.purged.discard(key)

    def delete(self, namespace: str, collection: str, key: str) -> None:
        """Remove a key; members keep its former values."""
        self.put(namespace, collection, key, b"")

    def purge(self, namespace: str, collection: str, key: str) -> None:
        """Remove a key and, at every member, each value it ever had."""
        self.put(namespace, collection, key, b"")
        self._of(namespace, collection).purged.add(key)

    def put_metadata(
        self, namespace: str, collection: str, key: str, name: str, value: bytes
    ) -> None:
        """Set one metadata entry of a key; the key's other entries stay."""
        self._access.require_defined(namespace, collection)
        require_key(key)
        require_metadata_name(name)
        self._use.writing(len(key.encode()) + len(name) + len(value))
        metadata = self._of(namespace, collection).metadata
        if key not in metadata:
            metadata[key] = dict(self.get_metadata(namespace, collection, key))
        metadata[key][name] = value

    def hashed_results(self) -> dict[str, tuple[CollectionReadWriteSet, ...]]:
        """What the ledger gets, by namespace, collections ascending."""
        found: dict[str, list[CollectionReadWriteSet]] = {}
        for (namespace, name), collection in _sorted(self._collections):
            found.setdefault(namespace, []).append(collection.hashed(name))
        return {namespace: tuple(sets) for namespace, sets in found.items()}

    def results(self) -> PrivateReadWriteSet:
        """What the members' peers get."""
        return PrivateReadWriteSet(
            tuple(
                [
                    PrivateCollectionSet(namespace, name, raw)
                    for (namespace, name), collection in _sorted(self._collections)
                    if (raw := collection.private())
                ]
            )
        )

    def _of(self, namespace: str, collection: str) -> _Collection:
        place = (namespace, collection)
        found = self._collections.get(place)
        if found is None:
            found = self._collections[place] = _Collection()
        return found

    def _hashed(self, namespace: str, collection: str, key: str) -> VersionedValue | None:
        self._access.require_defined(namespace, collection)
        require_key(key)
        return self._snapshot.get_state(
            hashed_namespace(namespace, collection), hashed_key(_key_hash(key))
        )

    def _note_read(
        self, namespace: str, collection: str, key: str, hashed: VersionedValue | None
    ) -> None:
        reads = self._of(namespace, collection).reads
        if key not in reads:
            self._use.reading()
            reads[key] = None if hashed is None else hashed.version


def _key_hash(key: str) -> bytes:
    return sha256(key.encode())


def _words(version: Version | None) -> str:
    """A version as Fabric writes it."""
    if version is None:
        return "<nil>"
    return f"{{BlockNum: {version.block_number}, TxNum: {version.tx_number}}}"


def _sorted(mapping: Mapping[K, V]) -> list[tuple[K, V]]:
    return sorted(mapping.items(), key=lambda item: item[0])
