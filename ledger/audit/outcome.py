"""The Merkle tree over what a block's transactions came to (docs/wire.md, "The outcome")."""

import hashlib
import struct
from collections.abc import Sequence

from ledger.audit.block_reading import merkle_root
from ledger.audit.state_digest import IDS_IN_USE_FROM
from ledger.audit.transaction_reading import ReadEntry, read_entry
from ledger.audit.wire_fields import BrokenBytes

_VALID = 0


def outcome_hash(number: int, raw_entries: Sequence[bytes], codes: bytes) -> bytes:
    """Follows from the entries and their codes alone."""
    leaves: list[bytes] = []
    for index, (raw, code) in enumerate(zip(raw_entries, codes, strict=True)):
        entry = _open(raw) if code in IDS_IN_USE_FROM else None
        if entry is None:
            continue
        place = struct.pack(">QI", number, index)
        elements = [b"T" + _text(entry.tx_id) + place + bytes((code,))]
        if code == _VALID:
            elements += _writes(entry, place)
        secret = hashlib.sha256(b"gridledger outcome secret v1" + raw).digest()
        leaves += [hashlib.sha256(secret + one).digest() + one for one in elements]
    counted = len(leaves).to_bytes(4, "big")
    return hashlib.sha256(b"gridledger outcome v1" + counted + merkle_root(leaves)).digest()


def _writes(entry: ReadEntry, place: bytes) -> list[bytes]:
    sets = entry.action.sets if entry.action is not None else ()
    parts = [
        part for one in sets for part in (one.own, *(hashed for _, hashed in one.collections))
    ]
    return [
        b"W" + _text(part.namespace) + _text(key) + place + _sized(value or b"")
        for part in parts
        for key, value in part.writes
    ]


def _open(raw: bytes) -> ReadEntry | None:
    try:
        return read_entry(raw)
    except BrokenBytes:
        return None


def _text(content: str) -> bytes:
    return _sized(content.encode())


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content
