"""The digest of everything later validation depends on: world state and used transaction ids.

It follows from the digest before a block and the block's changes, so it costs what the block
changes and not what the ledger holds. It is a part of the commit hash, on which every seal of the
next block votes; so a copy of the whole state can be checked without its history.
"""

import struct
from collections.abc import Iterable, Iterator

from ledger.crypto.hashing import sha256
from ledger.crypto.set_digest import SetDigest
from ledger.model.state import StateKey, StateReader, StateUpdates, VersionedValue
from ledger.validation.transaction_index import RecordedTransaction

_DOMAIN = b"gridledger state v1"
_VALUE, _TRANSACTION = b"S", b"T"
_LENGTH = struct.Struct(">I")
_POSITION = struct.Struct(">QI")
_METADATA_COUNT = struct.Struct(">H")
_CODE = struct.Struct(">B")


def state_hash(digest: SetDigest) -> bytes:
    """32 bytes that stand for the whole state."""
    return sha256(_DOMAIN + digest.lanes)


def digest_after(
    before: SetDigest,
    block_number: int,
    updates: StateUpdates,
    recorded: Iterable[RecordedTransaction],
    state: StateReader,
) -> SetDigest:
    """The digest after a block; `state` is the world state before it."""
    return before.changed(
        added=_added(block_number, updates, recorded), removed=_removed(updates, state)
    )


def value_element(state_key: StateKey, value: VersionedValue) -> bytes:
    """How a key of the world state enters the digest; no two encode alike."""
    namespace, key = state_key
    parts = [
        _VALUE,
        _sized(namespace.encode()),
        _sized(key.encode()),
        _POSITION.pack(value.version.block_number, value.version.tx_number),
        _METADATA_COUNT.pack(len(value.metadata)),
    ]
    for name, content in value.metadata:
        parts += (_sized(name.encode()), _sized(content))
    parts.append(_sized(value.value))
    return b"".join(parts)


def transaction_element(block_number: int, recorded: RecordedTransaction) -> bytes:
    """How a used transaction id enters the digest."""
    position = _POSITION.pack(block_number, recorded.tx_index)
    return b"".join(
        (_TRANSACTION, _sized(recorded.tx_id.encode()), position, _CODE.pack(recorded.code))
    )


def _added(
    block_number: int, updates: StateUpdates, recorded: Iterable[RecordedTransaction]
) -> Iterator[bytes]:
    for state_key, update in updates.keys.items():
        if update.value is not None:
            value = VersionedValue(update.value, update.version, update.metadata)
            yield value_element(state_key, value)
    for one in recorded:
        yield transaction_element(block_number, one)


def _removed(updates: StateUpdates, state: StateReader) -> Iterator[bytes]:
    for state_key in updates.keys:
        value = state.get_state(*state_key)
        if value is not None:
            yield value_element(state_key, value)


def _sized(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content
