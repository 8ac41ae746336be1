"""Changes to private data that go into the database with a block, or later with what was fetched.

What is in force follows the hashes of the world state and nothing else: a value is kept exactly
where its hash is the committed one. So what this peer holds is right or absent, whoever sent it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ledger.crypto.hashing import sha256
from ledger.model.private_rwset import (
    PrivateWrites,
    decode_private_writes,
    encode_private_writes,
)
from ledger.model.rwset import KeyWrite, Version
from ledger.model.state import (
    KeyUpdate,
    StateKey,
    StateReader,
    StateUpdates,
    VersionedValue,
    hashed_key,
    hashed_namespace,
    split_hashed_namespace,
)
from ledger.storage import private_keyspace as keys
from ledger.storage.keyspace import decode_state, encode_state
from ledger.storage.kv import KeyValueReader
from ledger.storage.private_keyspace import SetPlace

Writes = list[tuple[bytes, bytes | None]]


@dataclass(frozen=True, slots=True)
class HeldSet:
    """Private writes whose hashes are the ledger's (`ledger.validation.private_hashes`)."""

    place: SetPlace
    raw: bytes
    """kvrwset.KVRWSet bytes."""
    writes: PrivateWrites
    expires_at: int | None
    """The block that removes the set; None: never."""


@dataclass(frozen=True, slots=True)
class MissingSet:
    """Private writes this peer should have and lacks."""

    place: SetPlace
    set_hash: bytes


@dataclass(frozen=True, slots=True)
class BlockPrivateData:
    """What this peer has and lacks of the private writes of a block's valid transactions."""

    held: tuple[HeldSet, ...] = ()
    missing: tuple[MissingSet, ...] = ()


class _Changes:
    """A database with changes that are not written yet."""

    def __init__(self, reader: KeyValueReader) -> None:
        self._reader = reader
        self._changed: dict[bytes, bytes | None] = {}

    def __setitem__(self, key: bytes, value: bytes | None) -> None:
        self._changed[key] = value

    def get(self, key: bytes) -> bytes | None:
        return self._changed[key] if key in self._changed else self._reader.get(key)

    def between(self, start: bytes, stop: bytes) -> list[bytes]:
        """Keys in [start, stop), ascending."""
        found = {key for key, _ in self._reader.iterate(start, stop)}
        found |= {key for key in self._changed if start <= key < stop}
        return sorted(key for key in found if self.get(key) is not None)

    def writes(self) -> Writes:
        return list(self._changed.items())


class PrivateBatch:
    """Gathers database writes; reads see what was gathered before them."""

    def __init__(self, reader: KeyValueReader) -> None:
        self._changes = _Changes(reader)

    def add_block(
        self, block_number: int, updates: StateUpdates, private: BlockPrivateData
    ) -> None:
        """What the commit of a block does to private data."""
        for held in private.held:
            self._keep_set(held)
            self._place_values(held, updates.keys)
        for missing in private.missing:
            self._changes[keys.missing_key(missing.place)] = missing.set_hash
        for state_key, update in updates.keys.items():
            self._follow_hash(state_key, update)
        for state_key, version in updates.purged:
            self._purge(state_key, version)
        self._expire_sets(block_number)

    def add_late(self, held: HeldSet, state: StateReader) -> None:
        """A set that was missing; `state` is the world state of now."""
        self._changes[keys.missing_key(held.place)] = None
        kept = self._without_purged(held)
        if kept.writes.writes or kept.writes.metadata_keys:
            self._keep_set(kept)
        place = held.place
        self.add_values(place.namespace, place.collection, kept.writes.writes, state)

    def add_values(
        self, namespace: str, collection: str, values: Iterable[KeyWrite], state: StateReader
    ) -> None:
        """Values in force of a collection whose transactions this peer did not see."""
        space = hashed_namespace(namespace, collection)
        for write in values:
            current = state.get_state(space, hashed_key(sha256(write.key.encode())))
            self._place_value(namespace, collection, write, current)

    def filled(self, namespace: str, collection: str) -> None:
        """Nothing of a collection is lacking from before this peer's time."""
        self._changes[keys.filled_key(namespace, collection)] = b""

    def give_up(self, place: SetPlace) -> None:
        """A missing set that expired: nobody has it any more."""
        self._changes[keys.missing_key(place)] = None

    def writes(self) -> Writes:
        """Everything gathered."""
        return self._changes.writes()

    # -- values in force --------------------------------------------------------------------------

    def _place_values(self, held: HeldSet, updated: Mapping[StateKey, KeyUpdate]) -> None:
        space = hashed_namespace(held.place.namespace, held.place.collection)
        for write in held.writes.writes:
            update = updated.get((space, hashed_key(sha256(write.key.encode()))))
            self._place_value(held.place.namespace, held.place.collection, write, update)

    def _place_value(
        self,
        namespace: str,
        collection: str,
        write: KeyWrite,
        current: KeyUpdate | VersionedValue | None,
    ) -> None:
        """Keep a value if its hash is the committed one."""
        if current is None or not write.value or current.value != sha256(write.value):
            return
        key_raw = write.key.encode()
        record = encode_state(write.value, current.version, ())
        self._changes[keys.value_key(namespace, collection, write.key)] = record
        self._changes[keys.key_of_hash_key(namespace, collection, sha256(key_raw))] = key_raw

    def _follow_hash(self, state_key: StateKey, update: KeyUpdate) -> None:
        """The hash of a key changed: a value with another hash goes, an equal one is as new."""
        collection = split_hashed_namespace(state_key[0])
        if collection is None:
            return
        by_hash = keys.key_of_hash_key(*collection, bytes.fromhex(state_key[1]))
        key = self._changes.get(by_hash)
        if key is None:
            return
        value_key = keys.value_key(*collection, key.decode())
        record = self._changes.get(value_key)
        held = None if record is None else decode_state(record)
        if held is not None and update.value == sha256(held.value):
            self._changes[value_key] = encode_state(held.value, update.version, ())
        else:
            self._changes[value_key] = self._changes[by_hash] = None

    # -- sets, as they were written ---------------------------------------------------------------

    def _keep_set(self, held: HeldSet) -> None:
        self._changes[keys.set_key(held.place)] = held.raw
        for key_hash in _key_hashes(held.writes):
            self._changes[keys.written_key(held.place, key_hash)] = b""
        if held.expires_at is not None:
            self._changes[keys.set_expiry_key(held.expires_at, held.place)] = b""

    def _purge(self, state_key: StateKey, version: Version) -> None:
        """Every earlier set loses the key."""
        collection = split_hashed_namespace(state_key[0])
        assert collection is not None, "only private keys are purged"
        key_hash = bytes.fromhex(state_key[1])
        self._changes[keys.purged_key(*collection, key_hash)] = keys.encode_version(version)
        for database_key in self._changes.between(*keys.written_range(*collection, key_hash)):
            written_at = keys.split_written_version(database_key)
            if written_at < version:
                self._changes[database_key] = None
                self._trim(SetPlace(written_at, *collection), key_hash)

    def _trim(self, place: SetPlace, key_hash: bytes) -> None:
        raw = self._changes.get(keys.set_key(place))
        if raw is not None:
            self._changes[keys.set_key(place)] = set_without(raw, {key_hash})

    def _without_purged(self, held: HeldSet) -> HeldSet:
        gone = {
            hash_
            for hash_ in _key_hashes(held.writes)
            if _is_purged(self._changes, held.place, hash_)
        }
        if not gone:
            return held
        left = _without(held.writes, gone)
        raw = encode_private_writes(left.writes, left.metadata_keys)
        return HeldSet(held.place, raw, left, held.expires_at)

    def _expire_sets(self, block_number: int) -> None:
        for database_key in self._changes.between(*keys.set_expiry_range(block_number)):
            self._changes[database_key] = None
            place = keys.split_set_expiry_key(database_key)
            raw = self._changes.get(keys.set_key(place))
            if raw is not None:
                self._changes[keys.set_key(place)] = None
                for key_hash in _key_hashes(decode_private_writes(raw)):
                    self._changes[keys.written_key(place, key_hash)] = None


def set_without(raw: bytes, gone: Iterable[bytes]) -> bytes | None:
    """kvrwset.KVRWSet bytes without the keys that have these hashes; None: nothing is left.

    Raises InvalidMessage for bytes that are no private writes.
    """
    left = _without(decode_private_writes(raw), gone)
    is_empty = not left.writes and not left.metadata_keys
    return None if is_empty else encode_private_writes(left.writes, left.metadata_keys)


def _is_purged(changes: _Changes, place: SetPlace, key_hash: bytes) -> bool:
    """Whether a later transaction purged the key."""
    marker = changes.get(keys.purged_key(place.namespace, place.collection, key_hash))
    return marker is not None and place.version < keys.decode_version(marker)


def _key_hashes(writes: PrivateWrites) -> set[bytes]:
    names = [write.key for write in writes.writes] + list(writes.metadata_keys)
    return {sha256(name.encode()) for name in names}


def _without(writes: PrivateWrites, gone: Iterable[bytes]) -> PrivateWrites:
    hashes = set(gone)
    return PrivateWrites(
        tuple([w for w in writes.writes if sha256(w.key.encode()) not in hashes]),
        tuple([key for key in writes.metadata_keys if sha256(key.encode()) not in hashes]),
    )
