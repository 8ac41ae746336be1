"""What a simulated transaction read and would write: Fabric's read-write set as frozen data.

Keys are UTF-8 text, values bytes; an empty value written is a delete. Versions are ledger
positions, never counters. Order is by rule (names and keys bytewise ascending, range queries
in call order), so equal simulations encode to equal bytes.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """The transaction that last wrote a key: its block number and its index in that block."""

    block_number: int
    tx_number: int


@dataclass(frozen=True, slots=True)
class KeyRead:
    """A key and the version read; `None` means the key did not exist (absent is not zero)."""

    key: str
    version: Version | None


@dataclass(frozen=True, slots=True)
class KeyWrite:
    """A key and its new value; `is_delete` with an empty value removes the key."""

    key: str
    value: bytes
    is_delete: bool = False


@dataclass(frozen=True, slots=True)
class MetadataWrite:
    """Metadata entries (name, value) set on a key, names ascending."""

    key: str
    entries: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class RangeSummary:
    """Merkle summary that replaces more than 50 range results (Fabric: degree 50)."""

    max_degree: int
    max_level: int
    max_level_hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class RangeQuery:
    """A scan of [start_key, end_key): its results as reads, or their summary.

    `exhausted` is false when the contract stopped before the end; then the range that must not
    have changed ends at the last read key.
    """

    start_key: str
    end_key: str
    exhausted: bool
    reads: tuple[KeyRead, ...] = ()
    summary: RangeSummary | None = None


@dataclass(frozen=True, slots=True)
class HashedRead:
    """SHA-256 of a private key and the version read."""

    key_hash: bytes
    version: Version | None


@dataclass(frozen=True, slots=True)
class HashedWrite:
    """SHA-256 of a private key and of its value."""

    key_hash: bytes
    value_hash: bytes
    is_delete: bool = False
    is_purge: bool = False


@dataclass(frozen=True, slots=True)
class HashedMetadataWrite:
    """Metadata entries (name, value) set on a private key, known by its SHA-256."""

    key_hash: bytes
    entries: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class CollectionReadWriteSet:
    """The public, hashed side of one private data collection."""

    collection: str
    hashed_reads: tuple[HashedRead, ...]
    hashed_writes: tuple[HashedWrite, ...]
    private_rwset_hash: bytes
    hashed_metadata_writes: tuple[HashedMetadataWrite, ...] = ()

    @property
    def has_writes(self) -> bool:
        """Whether anything of this collection would change."""
        return bool(self.hashed_writes or self.hashed_metadata_writes)


@dataclass(frozen=True, slots=True)
class NamespaceReadWriteSet:
    """Reads and writes of one chaincode's namespace."""

    namespace: str
    reads: tuple[KeyRead, ...] = ()
    range_queries: tuple[RangeQuery, ...] = ()
    writes: tuple[KeyWrite, ...] = ()
    metadata_writes: tuple[MetadataWrite, ...] = ()
    collections: tuple[CollectionReadWriteSet, ...] = ()

    @property
    def has_writes(self) -> bool:
        """Whether anything of this namespace would change."""
        return bool(
            self.writes
            or self.metadata_writes
            or any(collection.has_writes for collection in self.collections)
        )


@dataclass(frozen=True, slots=True)
class ReadWriteSet:
    """All namespaces touched, ascending by name."""

    namespaces: tuple[NamespaceReadWriteSet, ...] = ()
