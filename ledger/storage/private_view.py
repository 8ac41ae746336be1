"""Private data of one peer at one height, read from a snapshot of the database."""

from collections.abc import Iterator

from ledger.crypto.hashing import HASH_BYTES
from ledger.model.state import VersionedValue, private_namespace
from ledger.storage import keyspace
from ledger.storage import private_keyspace as keys
from ledger.storage.kv import KeyValueReader
from ledger.storage.private_batch import MissingSet
from ledger.storage.private_keyspace import SetPlace


class PrivateView:
    """What this peer holds and lacks; a part of `StateView`."""

    def __init__(self, reader: KeyValueReader) -> None:
        self._reader = reader

    def get(self, namespace: str, collection: str, key: str) -> VersionedValue | None:
        """The value in force, if this peer holds it."""
        record = self._reader.get(keys.value_key(namespace, collection, key))
        return None if record is None else keyspace.decode_state(record)

    def between(
        self, namespace: str, collection: str, start_key: str, end_key: str
    ) -> Iterator[tuple[str, VersionedValue]]:
        """Keys held in [start_key, end_key) ascending; an empty end_key means no end."""
        name = private_namespace(namespace, collection)
        start, stop = keyspace.private_range(name, start_key, end_key)
        prefix_length = len(keyspace.private_prefix(name))
        for database_key, record in self._reader.iterate(start, stop):
            yield database_key[prefix_length:].decode(), keyspace.decode_state(record)

    def by_hash(
        self, namespace: str, collection: str, after_key_hash: bytes
    ) -> Iterator[tuple[bytes, str, VersionedValue]]:
        """(hash of the key, key, value) of a collection, ascending by hash, behind `after`."""
        found = keys.key_hashes_range(namespace, collection, after_key_hash)
        for database_key, key_raw in self._reader.iterate(*found):
            key = key_raw.decode()
            value = self.get(namespace, collection, key)
            if value is not None:
                yield database_key[-HASH_BYTES:], key, value

    def has(self, namespace: str, collection: str, key_hash: bytes) -> bool:
        """Whether this peer holds the value of the private key with this hash."""
        return self._reader.get(keys.key_of_hash_key(namespace, collection, key_hash)) is not None

    def sets(self, block_number: int) -> Iterator[tuple[SetPlace, bytes]]:
        """Private writes (kvrwset.KVRWSet) of the block's transactions that this peer holds."""
        for database_key, raw in self._reader.iterate(*keys.sets_range(block_number)):
            yield keys.split_set_key(database_key), raw

    def set_at(self, place: SetPlace) -> bytes | None:
        """The private writes of one transaction to one collection, if this peer holds them."""
        return self._reader.get(keys.set_key(place))

    def missing(self, before: SetPlace | None = None) -> Iterator[MissingSet]:
        """Private writes this peer should have and lacks, newest first, those before `before`."""
        found = self._reader.iterate(*keys.missing_range(before), reverse=True)
        for database_key, set_hash in found:
            yield MissingSet(keys.split_missing_key(database_key), set_hash)

    def is_filled(self, namespace: str, collection: str) -> bool:
        """Whether the values of a collection from before this peer's time were fetched."""
        return self._reader.get(keys.filled_key(namespace, collection)) is not None
