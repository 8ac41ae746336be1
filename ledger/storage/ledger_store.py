"""The ledger on a key-value store: blocks, indexes, world state and history, always in step.

A block and everything that follows from it is one synced batch, so after a crash the database
holds all of it or nothing. Reads come from a snapshot taken after the newest block; they never
see half a block and never wait for a commit.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ledger.crypto.hashing import block_hash
from ledger.crypto.set_digest import EMPTY_SET
from ledger.errors import NodeFault
from ledger.model.block import Block
from ledger.model.codec_block import decode_block
from ledger.model.state import VersionedValue
from ledger.storage import keyspace
from ledger.storage.before_tip import encode_before_tip
from ledger.storage.block_batch import block_batch
from ledger.storage.fail_points import FailPoint, FailPoints
from ledger.storage.keyspace import Savepoint, TxLocation
from ledger.storage.kv import KeyValueReader, KeyValueStore
from ledger.storage.state_cache import StateCache
from ledger.storage.state_view import StateView
from ledger.validation.commit_hash import StateCommitment
from ledger.validation.context import BlockValidation

EMPTY = Savepoint(
    height=0,
    last_config_number=0,
    tip_hash=bytes(32),
    commit_hash=bytes(32),
    state_digest=EMPTY_SET,
)
"""The savepoint of a ledger without blocks."""


@dataclass(frozen=True, slots=True)
class LedgerTip:
    """The newest block and the state after it."""

    number: int
    block_hash: bytes
    commitment: StateCommitment
    last_config_number: int

    @property
    def commit_hash(self) -> bytes:
        """What the seals of the next block will name."""
        return self.commitment.commit_hash


@dataclass(frozen=True, slots=True)
class _Moment:
    """Everything readable at one height; replaced as a whole by a commit."""

    reader: KeyValueReader
    savepoint: Savepoint
    view: StateView


Writes = list[tuple[bytes, bytes | None]]
PrivateChange = Callable[[KeyValueReader], Writes]
"""From the database before it: what changes in private data (`ledger.storage.private_batch`)."""


def _no_private_data(_reader: KeyValueReader) -> Writes:
    return []


class LedgerStore:
    """One channel's ledger. One thread commits; any thread reads, and may add private data.

    Every method raises NodeFault when the store fails or what it holds is damaged.
    """

    def __init__(self, kv: KeyValueStore, fail_points: FailPoints | None = None) -> None:
        """`kv` was prepared by `ledger.storage.opening.open_ledger` (or is empty)."""
        self._kv = kv
        self._fail_points = fail_points or FailPoints()
        self._writing = threading.Lock()
        record = kv.get(keyspace.SAVEPOINT_KEY)
        savepoint = EMPTY if record is None else keyspace.decode_savepoint(record)
        first = kv.get(keyspace.FIRST_BLOCK_KEY)
        self.first_block: Final = 0 if first is None else keyspace.decode_number(first)
        """All blocks from this one on are here. If it is not 0 the ledger began with a snapshot,
        and of the blocks below only those with a configuration are."""
        self.genesis_hash: Final = kv.get(keyspace.GENESIS_HASH_KEY) or b""
        """Hash of the genesis block's header; a part of every commit hash."""
        self._cache = StateCache(savepoint.height)
        self._moment = self._capture(savepoint)

    def height(self) -> int:
        """Number of blocks; the next block has this number."""
        return self._moment.savepoint.height

    def tip(self) -> LedgerTip:
        """The newest block; the ledger must have one."""
        savepoint = self._moment.savepoint
        if savepoint.height == 0:
            raise NodeFault("the ledger is empty: it has no genesis block")
        return LedgerTip(
            number=savepoint.height - 1,
            block_hash=savepoint.tip_hash,
            commitment=StateCommitment(savepoint.commit_hash, savepoint.state_digest),
            last_config_number=savepoint.last_config_number,
        )

    def last_config_number(self) -> int:
        """Number of the newest configuration block."""
        return self._moment.savepoint.last_config_number

    def block_raw(self, number: int) -> bytes | None:
        """Block bytes as stored (common.Block), with flags and commit hash.

        None when the ledger is not that high, or for a block before its snapshot.
        """
        return self._moment.reader.get(keyspace.block_key(number)) if number >= 0 else None

    def block(self, number: int) -> Block | None:
        """The decoded block, or None like `block_raw`."""
        raw = self.block_raw(number)
        return None if raw is None else decode_block(raw)

    def block_by_hash(self, header_hash: bytes) -> Block | None:
        """The block whose header has this hash."""
        number = self._moment.reader.get(keyspace.block_by_hash_key(header_hash))
        return None if number is None else self.block(keyspace.decode_number(number))

    def transaction_location(self, tx_id: str) -> TxLocation | None:
        """Where the transaction was first recorded, valid or not."""
        record = self._moment.reader.get(keyspace.transaction_key(tx_id))
        return None if record is None else keyspace.decode_location(record)

    def snapshot(self) -> StateView:
        """World state and history pinned at the current height; costs nothing."""
        return self._moment.view

    def get_state(self, namespace: str, key: str) -> VersionedValue | None:
        """Committed value at the current height, with version and metadata."""
        return self._moment.view.get_state(namespace, key)

    def range_state(
        self, namespace: str, start_key: str, end_key: str
    ) -> Iterator[tuple[str, VersionedValue]]:
        """Keys in [start_key, end_key) at the height of the call; see StateReader."""
        return self._moment.view.range_state(namespace, start_key, end_key)

    def has_metadata(self, namespace: str) -> bool:
        """See StateReader."""
        return self._moment.view.has_metadata(namespace)

    def commit(
        self,
        block: Block,
        validation: BlockValidation,
        commitment: StateCommitment,
        private: PrivateChange = _no_private_data,
    ) -> None:
        """Make a block and its consequences durable, all or nothing.

        `block` is the next one and carries its flags and commit hash in its metadata;
        `commitment` is the one after it. Returns when the batch is on disk.
        """
        with self._writing:
            before = self._moment.savepoint
            if block.number != before.height:
                raise NodeFault(f"block {block.number} does not follow height {before.height}")
            if block.number > 0 and block.header.previous_hash != before.tip_hash:
                raise NodeFault(f"block {block.number} does not follow the stored block before it")
            assert len(validation.codes) == len(block.entries), "one code per entry"
            after = Savepoint(
                height=before.height + 1,
                last_config_number=block.number
                if validation.is_config
                else before.last_config_number,
                tip_hash=block_hash(block.header),
                commit_hash=commitment.commit_hash,
                state_digest=commitment.digest,
            )
            replaced = encode_before_tip(before, validation.updates, self)
            batch = block_batch(block, validation, after) + private(self._moment.reader)
            self._fail_points.reach(FailPoint.BATCH_BEFORE_WRITE)
            self._kv.write([*batch, (keyspace.BEFORE_TIP_KEY, replaced)], sync=True)
            self._fail_points.reach(FailPoint.BATCH_WRITTEN)
            self._cache.advance(validation.updates, after.height)
            self._moment = self._capture(after)

    def write_private(self, change: PrivateChange) -> None:
        """Change private data at the current height; returns when it is on disk."""
        with self._writing:
            self._kv.write(change(self._moment.reader), sync=True)
            self._moment = self._capture(self._moment.savepoint)

    def _capture(self, savepoint: Savepoint) -> _Moment:
        reader = self._kv.snapshot()
        return _Moment(reader, savepoint, StateView(reader, savepoint.height, self._cache))
