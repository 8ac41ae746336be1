"""The records of a snapshot, summed up as they are read: their digest is what seals vote on.

Keys ascend strictly, so nothing stands twice, and each record is in its one encoding, so equal
digests mean equal databases.
"""

import struct
from dataclasses import replace

from ledger.crypto.set_digest import EMPTY_SET, SetDigest
from ledger.errors import NodeFault
from ledger.storage import keyspace
from ledger.storage.snapshot_errors import SnapshotProblem, SnapshotRefused
from ledger.storage.snapshot_file import Counts, FrameKind, decode_records
from ledger.validation.state_digest import transaction_element, value_element
from ledger.validation.transaction_index import RecordedTransaction

Writes = list[tuple[bytes, bytes | None]]


class RecordSum:
    """Digest and number of the records so far."""

    def __init__(self) -> None:
        self.digest: SetDigest = EMPTY_SET
        self.counts = Counts(0, 0, 0)
        self._kind: FrameKind | None = None
        self._newest_key = b""

    def take(self, kind: FrameKind, payload: bytes, *, up_to: int) -> Writes:
        """One frame of records of blocks `up_to` a number; what to write into a database.

        Raises SnapshotRefused.
        """
        if kind is not self._kind:
            self._kind, self._newest_key = kind, b""
        writes: Writes = []
        elements = []
        for key, value in decode_records(payload):
            if key <= self._newest_key:
                raise SnapshotRefused(
                    SnapshotProblem.OUT_OF_ORDER, f"a key of {kind.name} comes twice or too late"
                )
            self._newest_key = key
            try:
                block_number, element = _read(kind, key, value, writes)
            except (NodeFault, struct.error, UnicodeDecodeError) as error:
                raise SnapshotRefused(
                    SnapshotProblem.DAMAGED, f"a record of {kind.name} does not parse: {error}"
                ) from error
            if block_number > up_to:
                raise SnapshotRefused(
                    SnapshotProblem.BEYOND_ITS_HEIGHT, f"a record names block {block_number}"
                )
            elements.append(element)
        self.digest = self.digest.changed(added=elements, removed=())
        self._count(kind, len(elements))
        return writes

    def _count(self, kind: FrameKind, more: int) -> None:
        if more == 0:
            raise SnapshotRefused(SnapshotProblem.WRONG_COUNT, f"a frame of {kind.name} is empty")
        if kind is FrameKind.STATE:
            self.counts = replace(self.counts, values=self.counts.values + more)
        else:
            self.counts = replace(self.counts, transactions=self.counts.transactions + more)


def _read(kind: FrameKind, key: bytes, value: bytes, writes: Writes) -> tuple[int, bytes]:
    """(the block that wrote the record, how it enters the digest)."""
    writes.append((key, value))
    if kind is FrameKind.TRANSACTIONS:
        return _read_transaction(key, value)
    namespace, name = keyspace.split_state_key(key)
    found = keyspace.decode_state(value)
    _require_encoding(keyspace.state_key(namespace, name) == key)
    _require_encoding(keyspace.encode_state(found.value, found.version, found.metadata) == value)
    if found.metadata:
        writes.append((keyspace.has_metadata_key(namespace), b""))
    return found.version.block_number, value_element((namespace, name), found)


def _read_transaction(key: bytes, value: bytes) -> tuple[int, bytes]:
    tx_id = keyspace.split_transaction_key(key)
    _require_encoding(keyspace.transaction_key(tx_id) == key)
    location = keyspace.decode_location(value)
    recorded = RecordedTransaction(tx_id, location.tx_index, location.code)
    return location.block_number, transaction_element(location.block_number, recorded)


def _require_encoding(is_canonical: bool) -> None:  # noqa: FBT001
    if not is_canonical:
        raise SnapshotRefused(SnapshotProblem.DAMAGED, "a record is not in its one encoding")
