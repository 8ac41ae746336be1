"""World state and key history at one height, read from a snapshot of the database."""

from collections.abc import Iterator

from ledger.errors import NodeFault, TransactionInvalid
from ledger.model.block import Block
from ledger.model.codec_block import decode_block
from ledger.model.codec_write import decode_write
from ledger.model.rwset import Version
from ledger.model.state import HistoryEntry, VersionedValue
from ledger.storage import keyspace
from ledger.storage.keyspace import TxLocation
from ledger.storage.kv import KeyValueReader
from ledger.storage.private_view import PrivateView
from ledger.storage.state_cache import StateCache


class StateView:
    """`StateSnapshot` of a ledger; made once per block and shared by everyone who reads."""

    def __init__(self, reader: KeyValueReader, height: int, cache: StateCache) -> None:
        self._reader = reader
        self._height = height
        self._cache = cache
        self._has_metadata: dict[str, bool] = {}
        self.private = PrivateView(reader)

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
        return self.private.get(namespace, collection, key)

    def range_private(
        self, namespace: str, collection: str, start_key: str, end_key: str
    ) -> Iterator[tuple[str, VersionedValue]]:
        """See StateSnapshot."""
        return self.private.between(namespace, collection, start_key, end_key)

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
        write = decode_write(block.entries[version.tx_number], namespace, key)
    except (IndexError, TransactionInvalid) as error:
        raise NodeFault(f"history of {key!r} refers to no transaction at {version}") from error
    if write is None:
        raise NodeFault(f"the transaction at {version} does not write {key!r} of {namespace!r}")
    return HistoryEntry(
        version=version,
        tx_id=write.tx_id,
        timestamp_ns=write.timestamp_ns,
        value=write.value,
        is_delete=write.is_delete,
    )
