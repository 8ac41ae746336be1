"""Simulation of one transaction: reads recorded with versions, writes kept aside.

Fabric's semantics: reads give committed state only (a transaction does not see its own writes),
a key is recorded once, an empty value written is a delete, and results are in the order by rule
of `ledger.model.rwset`. Scans record what was read, as a Merkle summary above 50 rows.
"""

from collections.abc import Iterator

from ledger.endorsement.limits import SimulationLimits
from ledger.endorsement.simulation.collection_access import CollectionAccess
from ledger.endorsement.simulation.private_data import PrivateSimulation
from ledger.endorsement.simulation.use import (
    SimulationRefused,
    SimulationUse,
    require_key,
    require_metadata_name,
)
from ledger.model.definition_keys import LIFECYCLE_NAMESPACE
from ledger.model.private_rwset import PrivateReadWriteSet
from ledger.model.rwset import (
    CollectionReadWriteSet,
    KeyRead,
    KeyWrite,
    MetadataWrite,
    NamespaceReadWriteSet,
    RangeQuery,
    ReadWriteSet,
    Version,
)
from ledger.model.state import StateSnapshot, VersionedValue
from ledger.validation.range_summary import summarize_range

Row = tuple[str, VersionedValue]

__all__ = ["LIFECYCLE_NAMESPACE", "RangeScan", "Row", "SimulationRefused", "TransactionSimulator"]


class RangeScan:
    """Rows of [start_key, end_key), noted as they are fetched."""

    __slots__ = ("_exhausted", "_iterator", "_reads", "end_key", "start_key")

    def __init__(self, start_key: str, end_key: str, iterator: Iterator[Row]) -> None:
        self.start_key = start_key
        self.end_key = end_key
        self._iterator = iterator
        self._reads: list[KeyRead] = []
        self._exhausted = False

    def next_row(self) -> Row | None:
        """The next row, None at the end."""
        row = next(self._iterator, None)
        if row is None:
            self._exhausted = True
        else:
            self._reads.append(KeyRead(row[0], row[1].version))
        return row

    def result(self) -> RangeQuery:
        """What was read: to the end, or up to the last row fetched."""
        reads = tuple(self._reads)
        end_key = self.end_key
        if not self._exhausted:
            end_key = reads[-1].key if reads else self.start_key
        summary = summarize_range(reads)
        return RangeQuery(
            start_key=self.start_key,
            end_key=end_key,
            exhausted=self._exhausted,
            reads=() if summary else reads,
            summary=summary,
        )


class _Namespace:
    """What one chaincode read and wrote."""

    __slots__ = ("metadata", "reads", "scans", "writes")

    def __init__(self) -> None:
        self.reads: dict[str, Version | None] = {}
        self.scans: list[RangeScan] = []
        self.writes: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, bytes]] = {}

    def result(
        self, name: str, collections: tuple[CollectionReadWriteSet, ...]
    ) -> NamespaceReadWriteSet:
        return NamespaceReadWriteSet(
            namespace=name,
            reads=tuple([KeyRead(key, self.reads[key]) for key in sorted(self.reads)]),
            range_queries=tuple([scan.result() for scan in self.scans]),
            writes=tuple(
                [
                    KeyWrite(key, value, is_delete=not value)
                    for key, value in sorted(self.writes.items())
                ]
            ),
            metadata_writes=tuple(
                [
                    MetadataWrite(key, tuple(sorted(entries.items())))
                    for key, entries in sorted(self.metadata.items())
                ]
            ),
            collections=collections,
        )


class TransactionSimulator:
    """One transaction against one snapshot; not used again once `results()` was taken.

    `private` is the same for private data collections. Keys sort as text, which equals the order
    of their UTF-8 bytes.
    """

    def __init__(
        self,
        snapshot: StateSnapshot,
        tx_id: str,
        limits: SimulationLimits | None = None,
        collections: CollectionAccess | None = None,
    ) -> None:
        """`collections` are those the transaction may use, none if left out."""
        self.tx_id = tx_id
        self.snapshot = snapshot
        self.limits = limits or SimulationLimits()
        self.collections = collections or CollectionAccess()
        self.use = SimulationUse(tx_id, self.limits)
        self.private = PrivateSimulation(snapshot, self.use, self.collections)
        self._namespaces: dict[str, _Namespace] = {}

    def fresh(self) -> "TransactionSimulator":
        """A new simulation of the same transaction on the same snapshot."""
        return TransactionSimulator(self.snapshot, self.tx_id, self.limits, self.collections)

    def read_definition(self, chaincode: str) -> None:
        """Note the read of the chaincode's sequence, as Fabric does for every invocation.

        So a transaction endorsed under one definition is invalid under the next.
        """
        self.get_state(LIFECYCLE_NAMESPACE, f"namespaces/fields/{chaincode}/Sequence")

    def get_state(self, namespace: str, key: str) -> bytes:
        """The committed value, empty if absent."""
        found = self._read(namespace, key)
        return b"" if found is None else found.value

    def get_metadata(self, namespace: str, key: str) -> tuple[tuple[str, bytes], ...]:
        """The committed metadata of a key."""
        found = self._read(namespace, key)
        return () if found is None else found.metadata

    def scan(self, namespace: str, start_key: str, end_key: str) -> RangeScan:
        """Open a scan of [start_key, end_key)."""
        self.use.scanning()
        rows = self.snapshot.range_state(namespace, start_key, end_key)
        scan = RangeScan(start_key, end_key, self.use.counted(rows))
        self._of(namespace).scans.append(scan)
        return scan

    def note_found(self, namespace: str, row: Row) -> None:
        """A rich query gave this row to the contract."""
        self._note_read(namespace, row[0], row[1])

    def put_state(self, namespace: str, key: str, value: bytes) -> None:
        """Write a key; an empty value deletes it."""
        require_key(key)
        self.use.writing(len(key) + len(value))
        self._of(namespace).writes[key] = value

    def put_metadata(self, namespace: str, key: str, name: str, value: bytes) -> None:
        """Set one metadata entry of a key; the key's other entries stay."""
        require_key(key)
        require_metadata_name(name)
        self.use.writing(len(key) + len(name) + len(value))
        entries = self._of(namespace).metadata.get(key)
        if entries is None:
            entries = dict(self.get_metadata(namespace, key))
            self._of(namespace).metadata[key] = entries
        entries[name] = value

    def results(self) -> ReadWriteSet:
        """Everything read and written, in the order by rule; of private data only hashes."""
        hashed = self.private.hashed_results()
        names = sorted({*self._namespaces, *hashed})
        return ReadWriteSet(
            tuple([self._of(name).result(name, hashed.get(name, ())) for name in names])
        )

    def private_results(self) -> PrivateReadWriteSet:
        """What is written to private data collections, for their members only."""
        return self.private.results()

    def _of(self, namespace: str) -> _Namespace:
        found = self._namespaces.get(namespace)
        if found is None:
            found = self._namespaces[namespace] = _Namespace()
        return found

    def _read(self, namespace: str, key: str) -> VersionedValue | None:
        require_key(key)
        found = self.snapshot.get_state(namespace, key)
        self._note_read(namespace, key, found)
        return found

    def _note_read(self, namespace: str, key: str, found: VersionedValue | None) -> None:
        reads = self._of(namespace).reads
        if key not in reads:
            self.use.reading()
            reads[key] = None if found is None else found.version
