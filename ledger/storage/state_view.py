"""World state and key history at one height, read from a snapshot of the database."""

from collections.abc import Iterator

from ledger.crypto.hashing import HASH_BYTES
from ledger.errors import NodeFault, TransactionInvalid
from ledger.model.block import Block
from ledger.model.codec import decode_envelope
from ledger.model.codec_block import decode_block
from ledger.model.rwset import Version
from ledger.model.state import HistoryEntry, VersionedValue, private_namespace
from ledger.storage import keyspace, private_keyspace
from ledger.storage.keyspace import TxLocation
from ledger.storage.kv import KeyValueReader
from ledger.storage.private_batch import MissingSet
from ledger.storage.private_keyspace import SetPlace
from ledger.storage.state_cache import StateCache


class StateView:
    """`StateSnapshot` of a ledger; made once per block and shared by everyone who reads."""

    def __init__(self, reader: KeyValueReader, height: int, cache: StateCache) -> None:
        self._reader = reader
        self._height = height
        self._cache = cache
        self._has_metadata: dict[str, bool] = {}

    @property
    def height(self) -> int:
        """Number of blocks whose changes are visible."""
        return self._height

    def get_state(self, namespace: str, key: str) -> VersionedValue | None:
        """See StateReader."""
        state_key = (namespace, key)
        cached = self._cache.find(state_key)
        if cached is not None and cached[0] <= self._height:
            return cached[1]
        record = self._reader.get(keyspace.state_key(namespace, key))
        value = None if record is None else keyspace.decode_state(record)
        self._cache.offer(state_key, value, self._height)
        return value

    def range_state(
        self, namespace: str, start_key: str, end_key: str
    ) -> Iterator[tuple[str, VersionedValue]]:
        """See StateReader."""
        start, stop = keyspace.state_range(namespace, start_key, end_key)
        prefix_length = len(keyspace.state_prefix(namespace))
        for database_key, record in self._reader.iterate(start, stop):
            yield database_key[prefix_length:].decode(), keyspace.decode_state(record)

    def get_private(self, namespace: str, collection: str, key: str) -> VersionedValue | None:
        """See StateSnapshot."""
        prefix = keyspace.private_prefix(private_namespace(namespace, collection))
        record = self._reader.get(prefix + key.encode())
        return None if record is None else keyspace.decode_state(record)

    def range_private(
        self, namespace: str, collection: str, start_key: str, end_key: str
    ) -> Iterator[tuple[str, VersionedValue]]:
        """See StateSnapshot."""
        name = private_namespace(namespace, collection)
        start, stop = keyspace.private_range(name, start_key, end_key)
        prefix_length = len(keyspace.private_prefix(name))
        for database_key, record in self._reader.iterate(start, stop):
            yield database_key[prefix_length:].decode(), keyspace.decode_state(record)

    def private_sets(self, block_number: int) -> Iterator[tuple[SetPlace, bytes]]:
        """Private writes (kvrwset.KVRWSet) of the block's transactions that this peer holds."""
        for database_key, raw in self._reader.iterate(*private_keyspace.sets_range(block_number)):
            yield private_keyspace.split_set_key(database_key), raw

    def private_set(self, place: SetPlace) -> bytes | None:
        """The private writes of one transaction to one collection, if this peer holds them."""
        return self._reader.get(private_keyspace.set_key(place))

    def missing_sets(self, before: SetPlace | None = None) -> Iterator[MissingSet]:
        """Private writes this peer should have and lacks, newest first, those before `before`."""
        found = private_keyspace.missing_range(before)
        for database_key, set_hash in self._reader.iterate(*found, reverse=True):
            yield MissingSet(private_keyspace.split_missing_key(database_key), set_hash)

    def private_values(
        self, namespace: str, collection: str, after_key_hash: bytes
    ) -> Iterator[tuple[bytes, str, VersionedValue]]:
        """(hash of the key, key, value) of a collection, ascending by hash, behind `after`."""
        found = private_keyspace.key_hashes_range(namespace, collection, after_key_hash)
        for database_key, key_raw in self._reader.iterate(*found):
            key = key_raw.decode()
            value = self.get_private(namespace, collection, key)
            if value is not None:
                yield database_key[-HASH_BYTES:], key, value

    def has_private(self, namespace: str, collection: str, key_hash: bytes) -> bool:
        """Whether this peer holds the value of the private key with this hash."""
        key = private_keyspace.key_of_hash_key(namespace, collection, key_hash)
        return self._reader.get(key) is not None

    def is_filled(self, namespace: str, collection: str) -> bool:
        """Whether the values of a collection from before this peer's time were fetched."""
        key = private_keyspace.filled_key(namespace, collection)
        return self._reader.get(key) is not None

    def all_states(self) -> Iterator[tuple[str, str, VersionedValue]]:
        """Every (namespace, key, value) of the world state, to check or to export it."""
        for database_key, record in self._reader.iterate(*keyspace.all_states_range()):
            namespace, key = keyspace.split_state_key(database_key)
            yield namespace, key, keyspace.decode_state(record)

    def all_transactions(self) -> Iterator[tuple[str, TxLocation]]:
        """Every transaction id in use and where it was first recorded."""
        for database_key, record in self._reader.iterate(*keyspace.all_transactions_range()):
            yield keyspace.split_transaction_key(database_key), keyspace.decode_location(record)

    def has_metadata(self, namespace: str) -> bool:
        """See StateReader."""
        known = self._has_metadata.get(namespace)
        if known is None:
            known = self._reader.get(keyspace.has_metadata_key(namespace)) is not None
            self._has_metadata[namespace] = known
        return known

    def history(self, namespace: str, key: str) -> Iterator[HistoryEntry]:
        """Every value the key had, newest first, read back from the blocks that wrote it."""
        prefix = keyspace.history_prefix(namespace, key)
        start, stop = keyspace.history_range(prefix, self._height)
        block: Block | None = None
        for database_key, _ in self._reader.iterate(start, stop, reverse=True):
            version = keyspace.decode_history_version(database_key)
            if block is None or block.number != version.block_number:
                block = self._block(version.block_number)
            yield history_entry(block, namespace, key, version)

    def _block(self, number: int) -> Block:
        raw = self._reader.get(keyspace.block_key(number))
        if raw is None:
            raise NodeFault(f"block {number} is missing though the history refers to it")
        return decode_block(raw)


def history_entry(block: Block, namespace: str, key: str, version: Version) -> HistoryEntry:
    """The write of `key` by the transaction at `version`, taken from its block."""
    try:
        envelope = decode_envelope(block.entries[version.tx_number])
    except (IndexError, TransactionInvalid) as error:
        raise NodeFault(f"history of {key!r} refers to no transaction at {version}") from error
    transaction = envelope.transaction
    for rwset in transaction.action.results.namespaces if transaction else ():
        for write in rwset.writes if rwset.namespace == namespace else ():
            if write.key == key:
                return HistoryEntry(
                    version=version,
                    tx_id=envelope.tx_id,
                    timestamp_ns=envelope.header.channel.timestamp_ns,
                    value=write.value,
                    is_delete=write.is_delete or not write.value,
                )
    raise NodeFault(f"the transaction at {version} does not write {key!r} of {namespace!r}")
