"""Opening a ledger: the right channel, the right genesis block, one consistent height."""

from dataclasses import replace

from ledger.crypto.hashing import block_hash
from ledger.errors import NodeFault
from ledger.model.block import (
    SLOT_COMMIT_HASH,
    SLOT_STATE_HASH,
    SLOT_TRANSACTIONS_FILTER,
    Block,
)
from ledger.model.codec import decode_entry
from ledger.model.codec_block import encode_commit_hash
from ledger.model.codes import ValidationCode
from ledger.model.state import StateUpdates
from ledger.storage import keyspace
from ledger.storage.fail_points import FailPoint, FailPoints
from ledger.storage.kv import KeyValueStore, StoreDamaged
from ledger.storage.ledger_store import LedgerStore
from ledger.validation.commit_hash import BEFORE_GENESIS, commitment_after
from ledger.validation.context import BlockValidation
from ledger.validation.outcome import outcome_hash
from ledger.validation.state_digest import state_hash

DATABASE_FOLDER = "blocks-and-state"
"""The LevelDB folder inside a peer's data folder."""

GENESIS_VALIDATION = BlockValidation(
    codes=(ValidationCode.VALID,),
    updates=StateUpdates(),
    tx_ids=("",),
    details=("",),
    recorded=(),
    is_config=True,
)


def open_ledger(
    kv: KeyValueStore,
    *,
    channel_id: str,
    genesis: Block,
    fail_points: FailPoints | None = None,
) -> LedgerStore:
    """The ledger in `kv`, begun with `genesis` if the store is empty.

    Raises NodeFault when the store holds another channel, another genesis block or another
    format, StoreDamaged when its parts are not at the same height.
    """
    reached = fail_points or FailPoints()
    if kv.get(keyspace.SAVEPOINT_KEY) is None:
        store = _begin(kv, channel_id, genesis, reached)
    else:
        _require_same_ledger(kv, channel_id, genesis)
        store = LedgerStore(kv, reached)
        _require_consistent(store)
    reached.reach(FailPoint.LEDGER_OPENED)
    return store


def _begin(
    kv: KeyValueStore, channel_id: str, genesis: Block, fail_points: FailPoints
) -> LedgerStore:
    if genesis.number != 0 or genesis.header.previous_hash or len(genesis.entries) != 1:
        raise NodeFault("this is no genesis block: number 0, no parent, one configuration")
    if kv.get(keyspace.block_key(0)) is not None:
        raise StoreDamaged("the database holds blocks and no savepoint")
    # Not synced on their own: the genesis block's synced batch follows in the same log.
    kv.write(
        [
            (keyspace.FORMAT_KEY, keyspace.encode_number(keyspace.FORMAT_VERSION)),
            (keyspace.CHANNEL_KEY, channel_id.encode()),
            (keyspace.GENESIS_HASH_KEY, block_hash(genesis.header)),
        ],
        sync=False,
    )
    fail_points.reach(FailPoint.LEDGER_BEGUN)
    store = LedgerStore(kv, fail_points)
    first = commitment_after(
        BEFORE_GENESIS,
        genesis_hash=block_hash(genesis.header),
        block_number=0,
        codes=GENESIS_VALIDATION.codes,
        outcome=outcome_hash(
            0, genesis.entries, (decode_entry(genesis.entries[0]),), GENESIS_VALIDATION.codes
        ),
        updates=GENESIS_VALIDATION.updates,
        recorded=GENESIS_VALIDATION.recorded,
        state=store,
    )
    slots = genesis.metadata
    assert (SLOT_TRANSACTIONS_FILTER, SLOT_STATE_HASH, SLOT_COMMIT_HASH) == (2, 3, 4)
    metadata = (
        slots[0],
        slots[1],
        bytes(GENESIS_VALIDATION.codes),
        encode_commit_hash(state_hash(first.digest)),
        encode_commit_hash(first.commit_hash),
    )
    store.commit(replace(genesis, metadata=metadata), GENESIS_VALIDATION, first)
    return store


def _require_same_ledger(kv: KeyValueStore, channel_id: str, genesis: Block) -> None:
    expected = {
        keyspace.FORMAT_KEY: ("format", keyspace.encode_number(keyspace.FORMAT_VERSION)),
        keyspace.CHANNEL_KEY: ("channel", channel_id.encode()),
        keyspace.GENESIS_HASH_KEY: ("genesis block", block_hash(genesis.header)),
    }
    for key, (what, value) in expected.items():
        if kv.get(key) != value:
            raise NodeFault(
                f"the data folder holds a ledger of another {what};"
                " is it the folder of another network or an older version?"
            )


def _require_consistent(store: LedgerStore) -> None:
    tip = store.tip()
    block = store.block(tip.number)
    if block is None or block_hash(block.header) != tip.block_hash:
        raise StoreDamaged(
            f"the savepoint names block {tip.number}, which is not stored like that"
        )
    if store.block_raw(tip.number + 1) is not None:
        raise StoreDamaged(f"block {tip.number + 1} is stored above the savepoint")
