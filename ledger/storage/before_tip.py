"""What the newest block replaced, kept beside it: with it the state before that block is known.

The seals of a block vote on the state before it, so that is the newest state that can be proven
to others (ledger.storage.snapshot_export).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from ledger.errors import NodeFault
from ledger.model.state import StateReader, StateUpdates
from ledger.storage import keyspace
from ledger.storage.keyspace import Savepoint

REPLACED_BYTES_MAX = 32 * 1024 * 1024
"""A block that replaces more is noted without what it replaced."""
_HEAD = struct.Struct(">IBI")
_LENGTH = struct.Struct(">I")
_KEY = struct.Struct(">IB")


@dataclass(frozen=True, slots=True)
class BeforeTip:
    """The ledger without its newest block."""

    savepoint: Savepoint
    records: Mapping[bytes, bytes | None] | None
    """State records (database key and value) that the newest block replaced; None for a key that
    it created. The whole is None when that was too much to keep."""


def encode_before_tip(savepoint: Savepoint, updates: StateUpdates, state: StateReader) -> bytes:
    """The record to write with a block; `savepoint` and `state` are those before it."""
    head = keyspace.encode_savepoint(savepoint)
    parts: list[bytes] = []
    size = 0
    for namespace, key in updates.keys:
        found = state.get_state(namespace, key)
        database_key = keyspace.state_key(namespace, key)
        parts += (_KEY.pack(len(database_key), found is not None), database_key)
        if found is not None:
            record = keyspace.encode_state(found.value, found.version, found.metadata)
            parts += (_LENGTH.pack(len(record)), record)
            size += len(record)
        size += len(database_key)
        if size > REPLACED_BYTES_MAX:
            return _HEAD.pack(len(head), 0, 0) + head
    return b"".join((_HEAD.pack(len(head), 1, len(updates.keys)), head, *parts))


def decode_before_tip(raw: bytes) -> BeforeTip:
    """Inverse of encode_before_tip; NodeFault when the record is damaged."""
    try:
        size, is_kept, count = _HEAD.unpack_from(raw)
        offset = _HEAD.size + size
        savepoint = keyspace.decode_savepoint(raw[_HEAD.size : offset])
        records: dict[bytes, bytes | None] = {}
        for _ in range(count):
            key_length, existed = _KEY.unpack_from(raw, offset)
            offset += _KEY.size + key_length
            database_key = raw[offset - key_length : offset]
            records[database_key] = None
            if existed:
                (length,) = _LENGTH.unpack_from(raw, offset)
                offset += _LENGTH.size + length
                records[database_key] = raw[offset - length : offset]
    except struct.error as error:
        raise NodeFault(f"the record of what the newest block replaced is damaged: {error}") from (
            error
        )
    if offset != len(raw):
        raise NodeFault("the record of what the newest block replaced is damaged: its length")
    return BeforeTip(savepoint, records if is_kept else None)
