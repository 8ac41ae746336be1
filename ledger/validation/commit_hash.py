"""The chained hash over validation codes and state changes: equal on every correct peer.

Each block's signed metadata carries the commit hash of the block before, so a commit seal also
votes on the state: a peer whose state diverges cannot follow and stops.
"""

import struct
from collections.abc import Sequence

from ledger.crypto.hashing import sha256
from ledger.model.codes import ValidationCode
from ledger.model.state import KeyUpdate, StateKey, StateUpdates

_DOMAIN = b"gridledger commit hash v1"
_LENGTH = struct.Struct(">I")
_VERSION = struct.Struct(">QIB")
_METADATA_COUNT = struct.Struct(">H")


def commit_hash(previous: bytes, codes: Sequence[ValidationCode], updates: StateUpdates) -> bytes:
    """Commit hash after a block, 32 bytes.

    `previous` is the commit hash after the block before (empty for the genesis block). Every part
    is preceded by its length and keys are in bytewise order, so no two histories share an input.
    The changes enter as a digest of their own: a receipt proves a code without showing them.
    """
    parts = (_DOMAIN, previous, bytes(codes), updates_hash(updates))
    return sha256(b"".join(map(_sized, parts)))


def updates_hash(updates: StateUpdates) -> bytes:
    """SHA-256, 32 bytes, over what a block changes, keys in bytewise order."""
    parts = [_LENGTH.pack(len(updates.keys))]
    for state_key in sorted(updates.keys):
        _append_update(parts, state_key, updates.keys[state_key])
    return sha256(b"".join(parts))


def _append_update(parts: list[bytes], state_key: StateKey, update: KeyUpdate) -> None:
    namespace, key = state_key
    exists = update.value is not None
    parts += (
        _sized(namespace.encode()),
        _sized(key.encode()),
        _VERSION.pack(update.version.block_number, update.version.tx_number, exists),
        _sized(update.value or b""),
        _METADATA_COUNT.pack(len(update.metadata)),
    )
    for name, content in update.metadata:
        parts += (_sized(name.encode()), _sized(content))


def _sized(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content
