"""All database changes of one block, gathered for a single atomic write."""

from ledger.crypto.hashing import block_hash
from ledger.model.block import Block
from ledger.model.codec_block import encode_block
from ledger.model.state import StateUpdates
from ledger.storage import keyspace
from ledger.storage.keyspace import Savepoint, TxLocation
from ledger.validation.context import BlockValidation

Writes = list[tuple[bytes, bytes | None]]


def block_batch(block: Block, validation: BlockValidation, savepoint: Savepoint) -> Writes:
    """Block, indexes, state, history and savepoint; `savepoint` describes the ledger after it."""
    return [
        (keyspace.block_key(block.number), encode_block(block)),
        (
            keyspace.block_by_hash_key(block_hash(block.header)),
            keyspace.encode_number(block.number),
        ),
        *_transaction_index(block.number, validation),
        *_state_changes(validation.updates),
        (keyspace.SAVEPOINT_KEY, keyspace.encode_savepoint(savepoint)),
    ]


def _transaction_index(block_number: int, validation: BlockValidation) -> Writes:
    """Each id points to the first transaction that had it, for ever."""
    return [
        (
            keyspace.transaction_key(one.tx_id),
            keyspace.encode_location(TxLocation(block_number, one.tx_index, one.code)),
        )
        for one in validation.recorded
    ]


def _state_changes(updates: StateUpdates) -> Writes:
    writes: Writes = []
    with_metadata: set[str] = set()
    for (namespace, key), update in updates.keys.items():
        record = None
        if update.value is not None:
            record = keyspace.encode_state(update.value, update.version, update.metadata)
        writes.append((keyspace.state_key(namespace, key), record))
        if update.metadata:
            with_metadata.add(namespace)
    writes += [(keyspace.has_metadata_key(namespace), b"") for namespace in sorted(with_metadata)]
    writes += [(keyspace.history_key(*written), b"") for written in updates.history]
    return writes
