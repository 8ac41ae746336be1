"""Keys and values of private data in the ledger database; none of it is world state.

| prefix | key | value |
|---|---|---|
| P | private namespace, key | a value in force, with its version |
| K | private namespace, hash of the key | the key |
| Q | block, position, private namespace | the private writes of a transaction (kvrwset.KVRWSet) |
| W | private namespace, hash of a key, block, position | nothing: that set writes the key |
| Z | block, then a key of Q without its prefix | nothing: that block removes the set |
| U | private namespace, hash of a key | the version of its last purge |
| D | block, position, private namespace | hash of a set this peer should have and lacks |
| m | private namespace | nothing: the collection was fetched whole once, or began empty |
"""

import struct
from dataclasses import dataclass

from ledger.crypto.hashing import HASH_BYTES
from ledger.errors import NodeFault
from ledger.model.rwset import Version
from ledger.model.state import private_namespace
from ledger.storage.keyspace import private_prefix

_FILLED = b"m"
_KEY_OF_HASH = b"K"
_SET = b"Q"
_WRITTEN = b"W"
_SET_EXPIRY = b"Z"
_PURGED = b"U"
_MISSING = b"D"
_NUMBER = struct.Struct(">Q")
_POSITION = struct.Struct(">QI")
_NAMESPACE_LENGTH = struct.Struct(">H")
_MARK = "$$p"


@dataclass(frozen=True, slots=True, order=True)
class SetPlace:
    """Which private set: the transaction that wrote it, and the collection."""

    version: Version
    namespace: str
    collection: str


def value_key(namespace: str, collection: str, key: str) -> bytes:
    """Key of a private value in force."""
    return private_prefix(private_namespace(namespace, collection)) + key.encode()


def key_of_hash_key(namespace: str, collection: str, key_hash: bytes) -> bytes:
    """Key of the private key that has this hash."""
    return _of_collection(_KEY_OF_HASH, namespace, collection) + key_hash


def set_key(place: SetPlace) -> bytes:
    """Key of a transaction's private writes to a collection."""
    return _SET + _place(place)


def sets_range(block_number: int) -> tuple[bytes, bytes]:
    """Database range of all private sets of one block."""
    return _SET + _NUMBER.pack(block_number), _SET + _NUMBER.pack(block_number + 1)


def split_set_key(database_key: bytes) -> SetPlace:
    """The place in a key of a private set."""
    return _split_place(database_key[len(_SET) :])


def written_key(place: SetPlace, key_hash: bytes) -> bytes:
    """Key that says: this set writes the private key with this hash."""
    position = _POSITION.pack(place.version.block_number, place.version.tx_number)
    return _of_collection(_WRITTEN, place.namespace, place.collection) + key_hash + position


def written_range(namespace: str, collection: str, key_hash: bytes) -> tuple[bytes, bytes]:
    """Database range of the sets that write a private key."""
    prefix = _of_collection(_WRITTEN, namespace, collection) + key_hash
    return prefix, prefix + b"\xff" * _POSITION.size


def split_written_version(database_key: bytes) -> Version:
    """The version at the end of such a key."""
    return Version(*_POSITION.unpack(database_key[-_POSITION.size :]))


def set_expiry_key(expires_at: int, place: SetPlace) -> bytes:
    """Key that says which block removes a set."""
    return _SET_EXPIRY + _NUMBER.pack(expires_at) + _place(place)


def set_expiry_range(block_number: int) -> tuple[bytes, bytes]:
    """Database range of what blocks up to this one remove."""
    return _SET_EXPIRY, _SET_EXPIRY + _NUMBER.pack(block_number + 1)


def split_set_expiry_key(database_key: bytes) -> SetPlace:
    """The place of the set that expires."""
    return _split_place(database_key[len(_SET_EXPIRY) + _NUMBER.size :])


def purged_key(namespace: str, collection: str, key_hash: bytes) -> bytes:
    """Key of the version of a private key's last purge."""
    return _of_collection(_PURGED, namespace, collection) + key_hash


def missing_key(place: SetPlace) -> bytes:
    """Key that says: this peer should have the set and does not."""
    return _MISSING + _place(place)


def missing_range(before: SetPlace | None = None) -> tuple[bytes, bytes]:
    """Database range of missing sets, of those before one if it is given."""
    end = _MISSING + b"\xff" * (_POSITION.size + 1)
    return _MISSING, end if before is None else missing_key(before)


def split_missing_key(database_key: bytes) -> SetPlace:
    """The place of a missing set."""
    return _split_place(database_key[len(_MISSING) :])


def filled_key(namespace: str, collection: str) -> bytes:
    """Key that says: all that was in force when this peer became a member was fetched."""
    return _FILLED + private_namespace(namespace, collection).encode()


def key_hashes_range(namespace: str, collection: str, after: bytes = b"") -> tuple[bytes, bytes]:
    """Database range of the keys of a collection by their hashes, of those behind `after`."""
    prefix = _of_collection(_KEY_OF_HASH, namespace, collection)
    return prefix + after + (b"\0" if after else b""), prefix + b"\xff" * (HASH_BYTES + 1)


def encode_version(version: Version) -> bytes:
    """A version as a value."""
    return _POSITION.pack(version.block_number, version.tx_number)


def decode_version(value: bytes) -> Version:
    """Inverse of encode_version; NodeFault when the record is damaged."""
    try:
        return Version(*_POSITION.unpack(value))
    except struct.error as error:
        raise NodeFault(f"the record of a purge is damaged: {error}") from error


def _of_collection(kind: bytes, namespace: str, collection: str) -> bytes:
    name = private_namespace(namespace, collection).encode()
    return kind + _NAMESPACE_LENGTH.pack(len(name)) + name


def _place(place: SetPlace) -> bytes:
    position = _POSITION.pack(place.version.block_number, place.version.tx_number)
    return position + private_namespace(place.namespace, place.collection).encode()


def _split_place(raw: bytes) -> SetPlace:
    try:
        version = Version(*_POSITION.unpack_from(raw))
        namespace, mark, collection = raw[_POSITION.size :].decode().partition(_MARK)
    except (struct.error, UnicodeDecodeError) as error:
        raise NodeFault(f"the place of a private set is damaged: {error}") from error
    if not mark:
        raise NodeFault("the place of a private set names no collection")
    return SetPlace(version, namespace, collection)
