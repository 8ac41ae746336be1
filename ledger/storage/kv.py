"""The key-value port: ordered bytes to bytes, atomic batches, snapshots."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from ledger.errors import NodeFault


class StoreDamaged(NodeFault):
    """What was durable cannot be read as it was written."""


Batch = Sequence[tuple[bytes, bytes | None]]
"""Puts (key, value) and deletes (key, None), applied in order and all or nothing."""


class KeyValueReader(Protocol):
    """Reads from one moment of a store."""

    def get(self, key: bytes) -> bytes | None:
        """The value, or None when the key is absent."""
        ...

    def iterate(
        self, start: bytes, stop: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with start <= key < stop in bytewise order, or from the end when `reverse`."""
        ...


class KeyValueStore(KeyValueReader, Protocol):
    """An ordered store. Every method raises NodeFault when the medium fails, StoreDamaged."""

    def write(self, batch: Batch, *, sync: bool) -> None:
        """Apply all of `batch` or nothing; with `sync` it is on disk when this returns."""
        ...

    def snapshot(self) -> KeyValueReader:
        """A view that later writes do not change; freed when no longer referenced."""
        ...

    def close(self) -> None:
        """Release the medium; later calls raise NodeFault."""
        ...
