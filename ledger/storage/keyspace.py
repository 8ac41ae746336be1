"""Every key and value layout of the ledger database, in one place.

One byte of prefix tells the kind. Numbers are big-endian so that byte order is number order;
names that may hold any character (composite keys contain U+0000) are preceded by their length,
so no two different names ever meet in one database key. State keys end with the key itself, so a
scan of one namespace is in the bytewise order of its keys.
"""

import struct
from dataclasses import dataclass

from ledger.crypto.set_digest import SET_DIGEST_BYTES, SetDigest
from ledger.errors import NodeFault
from ledger.model.codes import ValidationCode
from ledger.model.rwset import Version
from ledger.model.state import Metadata, VersionedValue

FORMAT_VERSION = 3

FORMAT_KEY = b"f"
CHANNEL_KEY = b"c"
GENESIS_HASH_KEY = b"g"
SAVEPOINT_KEY = b"s"
BEFORE_TIP_KEY = b"u"
"""What the newest block replaced (ledger.storage.before_tip)."""
FIRST_BLOCK_KEY = b"b"
"""Number of the first block of an unbroken row, in a ledger that begins with a snapshot."""
BOOT_EPOCH_KEY = b"e"
"""How often the node started with this database (number)."""
_BLOCK = b"B"
_BLOCK_BY_HASH = b"X"
_TRANSACTION = b"T"
_STATE = b"S"
_HISTORY = b"H"
_HAS_METADATA = b"M"
_PRIVATE = b"P"

_NUMBER = struct.Struct(">Q")
_NAMESPACE_LENGTH = struct.Struct(">H")
_KEY_LENGTH = struct.Struct(">I")
_POSITION = struct.Struct(">QI")
_LOCATION = struct.Struct(">QIB")
_STATE_HEAD = struct.Struct(">QIH")
_METADATA_HEAD = struct.Struct(">HI")
_SAVEPOINT = struct.Struct(f">QQ32s32s{SET_DIGEST_BYTES}s")


@dataclass(frozen=True, slots=True)
class TxLocation:
    """Where a transaction is recorded, and its validation code."""

    block_number: int
    tx_index: int
    code: ValidationCode


@dataclass(frozen=True, slots=True)
class Savepoint:
    """The state all parts of the database agree on, written with every block."""

    height: int
    """Number of blocks."""
    last_config_number: int
    tip_hash: bytes
    """Hash of the header of block height - 1."""
    commit_hash: bytes
    """Chained hash over codes, state changes and state up to the tip."""
    state_digest: SetDigest
    """Of the world state and the transaction index."""


def block_key(number: int) -> bytes:
    """Key of the encoded block."""
    return _BLOCK + _NUMBER.pack(number)


def block_by_hash_key(block_hash: bytes) -> bytes:
    """Key of the number of the block with this header hash."""
    return _BLOCK_BY_HASH + block_hash


def transaction_key(tx_id: str) -> bytes:
    """Key of the location of a transaction."""
    return _TRANSACTION + tx_id.encode()


def all_transactions_range() -> tuple[bytes, bytes]:
    """Database range of the whole transaction index."""
    return _TRANSACTION, _TRANSACTION + b"\xff"


def split_transaction_key(database_key: bytes) -> str:
    """The transaction id in a key of the transaction index."""
    return database_key[len(_TRANSACTION) :].decode()


def state_key(namespace: str, key: str) -> bytes:
    """Key of a state record."""
    return state_prefix(namespace) + key.encode()


def state_prefix(namespace: str) -> bytes:
    """What every state key of a namespace begins with; its length tells where the key starts."""
    return _of_namespace(_STATE, namespace)


def state_range(namespace: str, start_key: str, end_key: str) -> tuple[bytes, bytes]:
    """Database range of [start_key, end_key); an empty `end_key` ends with the namespace."""
    return _key_range(state_prefix(namespace), start_key, end_key)


def private_prefix(namespace: str) -> bytes:
    """What every private value of a `private_namespace` begins with; the key follows."""
    return _of_namespace(_PRIVATE, namespace)


def private_range(namespace: str, start_key: str, end_key: str) -> tuple[bytes, bytes]:
    """Database range of private keys in [start_key, end_key), as `state_range`."""
    return _key_range(private_prefix(namespace), start_key, end_key)


def all_states_range() -> tuple[bytes, bytes]:
    """Database range of every state record of every namespace."""
    return _STATE, _STATE + b"\xff\xff\xff"


def split_state_key(database_key: bytes) -> tuple[str, str]:
    """(namespace, key) of a state key."""
    (length,) = _NAMESPACE_LENGTH.unpack_from(database_key, len(_STATE))
    name_at = len(_STATE) + _NAMESPACE_LENGTH.size
    key_at = name_at + length
    return database_key[name_at:key_at].decode(), database_key[key_at:].decode()


def has_metadata_key(namespace: str) -> bytes:
    """Key that exists once any key of the namespace got metadata."""
    return _HAS_METADATA + namespace.encode()


def history_prefix(namespace: str, key: str) -> bytes:
    """What the positions of all writes of one state key begin with."""
    name, key_bytes = namespace.encode(), key.encode()
    return b"".join(
        (
            _HISTORY,
            _NAMESPACE_LENGTH.pack(len(name)),
            name,
            _KEY_LENGTH.pack(len(key_bytes)),
            key_bytes,
        )
    )


def history_key(namespace: str, key: str, version: Version) -> bytes:
    """Key that records one write of a state key; it has no value, the block has."""
    return history_prefix(namespace, key) + _POSITION.pack(version.block_number, version.tx_number)


def history_range(prefix: bytes, height: int) -> tuple[bytes, bytes]:
    """Database range of the writes of one key in blocks below `height`."""
    return prefix, prefix + _POSITION.pack(height, 0)


def decode_history_version(database_key: bytes) -> Version:
    """Position at the end of a history key."""
    block_number, tx_number = _POSITION.unpack(database_key[-_POSITION.size :])
    return Version(block_number, tx_number)


def encode_number(number: int) -> bytes:
    """A block number as a value."""
    return _NUMBER.pack(number)


def decode_number(value: bytes) -> int:
    """Inverse of encode_number; NodeFault when the record is damaged."""
    try:
        (number,) = _NUMBER.unpack(value)
    except struct.error as error:
        raise NodeFault(f"a record of a block number is damaged: {error}") from error
    return int(number)


def encode_location(location: TxLocation) -> bytes:
    """Value of a transaction key."""
    return _LOCATION.pack(location.block_number, location.tx_index, location.code)


def decode_location(value: bytes) -> TxLocation:
    """Inverse of encode_location; NodeFault when the record is damaged."""
    try:
        block_number, tx_index, code = _LOCATION.unpack(value)
        return TxLocation(block_number, tx_index, ValidationCode(code))
    except (struct.error, ValueError) as error:
        raise NodeFault(f"the place of a transaction is damaged: {error}") from error


def encode_savepoint(savepoint: Savepoint) -> bytes:
    """Value of the savepoint key."""
    return _SAVEPOINT.pack(
        savepoint.height,
        savepoint.last_config_number,
        savepoint.tip_hash,
        savepoint.commit_hash,
        savepoint.state_digest.lanes,
    )


def decode_savepoint(value: bytes) -> Savepoint:
    """Inverse of encode_savepoint."""
    try:
        height, last_config_number, tip_hash, commit_hash, lanes = _SAVEPOINT.unpack(value)
    except struct.error as error:
        raise NodeFault(f"the savepoint record is damaged: {error}") from error
    return Savepoint(height, last_config_number, tip_hash, commit_hash, SetDigest(lanes))


def encode_state(value: bytes, version: Version, metadata: Metadata) -> bytes:
    """State record: version, metadata entries, then the value to the end."""
    head = _STATE_HEAD.pack(version.block_number, version.tx_number, len(metadata))
    if not metadata:
        return head + value
    parts = [head]
    for name, content in metadata:
        name_bytes = name.encode()
        parts += (_METADATA_HEAD.pack(len(name_bytes), len(content)), name_bytes, content)
    parts.append(value)
    return b"".join(parts)


def decode_state(record: bytes) -> VersionedValue:
    """Inverse of encode_state; NodeFault when the record is damaged."""
    try:
        block_number, tx_number, entries = _STATE_HEAD.unpack_from(record)
        offset = _STATE_HEAD.size
        metadata = []
        for _ in range(entries):
            name_length, content_length = _METADATA_HEAD.unpack_from(record, offset)
            name_end = offset + _METADATA_HEAD.size + name_length
            name = record[offset + _METADATA_HEAD.size : name_end].decode()
            offset = name_end + content_length
            metadata.append((name, record[name_end:offset]))
    except (struct.error, UnicodeDecodeError) as error:
        raise NodeFault(f"a state record is damaged: {error}") from error
    return VersionedValue(record[offset:], Version(block_number, tx_number), tuple(metadata))


def _of_namespace(kind: bytes, namespace: str) -> bytes:
    name = namespace.encode()
    return kind + _NAMESPACE_LENGTH.pack(len(name)) + name


def _key_range(prefix: bytes, start_key: str, end_key: str) -> tuple[bytes, bytes]:
    stop = prefix + end_key.encode() if end_key else _after_namespace(prefix)
    return prefix + start_key.encode(), stop


def _after_namespace(prefix: bytes) -> bytes:
    # UTF-8 never contains 0xff, so this sorts after every key of the namespace and before none
    # of another: the length byte or the name differs first.
    return prefix + b"\xff"
