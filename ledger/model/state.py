"""World state as frozen data: versioned values, how they are read, what a block changes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ledger.model.rwset import Version

Metadata = tuple[tuple[str, bytes], ...]
"""Metadata entries (name, value) of a key, names ascending."""

StateKey = tuple[str, str]
"""(namespace, key)"""

VALIDATION_PARAMETER = "VALIDATION_PARAMETER"
"""Metadata name under which a key carries its own endorsement policy."""


@dataclass(frozen=True, slots=True)
class VersionedValue:
    """A committed value, the transaction that last wrote it, and the metadata of its key."""

    value: bytes
    version: Version
    metadata: Metadata = ()


class KeyReader(Protocol):
    """Single keys of the committed world state, all at one height."""

    def get_state(self, namespace: str, key: str) -> VersionedValue | None:
        """The committed value, or None when the key does not exist."""
        ...


class StateReader(KeyReader, Protocol):
    """Committed world state at one height; every answer belongs to the same height."""

    def range_state(
        self, namespace: str, start_key: str, end_key: str
    ) -> Iterator[tuple[str, VersionedValue]]:
        """Keys in [start_key, end_key) ascending bytewise; an empty end_key means no end."""
        ...

    def has_metadata(self, namespace: str) -> bool:
        """Whether any key of the namespace may carry metadata (false lets callers skip reads)."""
        ...


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One value a key had; `value` is empty when this transaction deleted the key."""

    version: Version
    tx_id: str
    timestamp_ns: int
    value: bytes
    is_delete: bool


class StateSnapshot(StateReader, Protocol):
    """World state pinned at one height while later blocks commit."""

    @property
    def height(self) -> int:
        """Number of blocks whose changes are visible."""
        ...

    def history(self, namespace: str, key: str) -> Iterator[HistoryEntry]:
        """Every value the key had, newest first."""
        ...

    def get_private(self, namespace: str, collection: str, key: str) -> VersionedValue | None:
        """The private value this peer holds; None also where it is no member or lacks it."""
        ...

    def range_private(
        self, namespace: str, collection: str, start_key: str, end_key: str
    ) -> Iterator[tuple[str, VersionedValue]]:
        """Private keys held in [start_key, end_key), as `range_state` gives public ones."""
        ...


@dataclass(frozen=True, slots=True)
class KeyUpdate:
    """New content of one key after a block; a `value` of None removes the key."""

    value: bytes | None
    version: Version
    metadata: Metadata = ()


@dataclass(frozen=True, slots=True)
class StateUpdates:
    """What the valid transactions of one block change, the last writer of each key winning."""

    keys: Mapping[StateKey, KeyUpdate] = field(default_factory=dict)
    history: tuple[tuple[str, str, Version], ...] = ()
    """(namespace, key, version) of every public write, in block order."""
    purged: tuple[tuple[StateKey, Version], ...] = ()
    """(hashed key, version) of every private key whose former values must go, in block order."""


_HASHED_MARK = "$$h"


def hashed_namespace(namespace: str, collection: str) -> str:
    """Namespace that holds the hashes of a private data collection.

    Its keys are `hashed_key` of the key hash, its values are value hashes. No chaincode name may
    contain `$`, so it meets no chaincode's own namespace.
    """
    return f"{namespace}{_HASHED_MARK}{collection}"


def split_hashed_namespace(name: str) -> tuple[str, str] | None:
    """(namespace, collection) of a hashed namespace; None for any other."""
    namespace, mark, collection = name.partition(_HASHED_MARK)
    return (namespace, collection) if mark else None


def private_namespace(namespace: str, collection: str) -> str:
    """Name under which a peer keeps a collection's values; no namespace of the world state."""
    return f"{namespace}$$p{collection}"


def hashed_key(key_hash: bytes) -> str:
    """State key of a private key's SHA-256: lower-case hex."""
    return key_hash.hex()
