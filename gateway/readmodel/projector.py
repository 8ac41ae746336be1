"""The one writer of the read model: a block is applied whole, in one transaction, or not at all.

Replicas may all hand in every block: whoever comes first applies it, the others find it done.
"""

import logging
from collections import defaultdict
from dataclasses import asdict

from sqlalchemy import Connection, bindparam, delete, insert, select, text, update

from gateway.database import Database
from gateway.database.upserting import insert_or_keep, insert_or_replace
from gateway.readmodel.block_facts import (
    NUL,
    BlockFacts,
    StateWrite,
    block_columns,
    facts_of,
    transaction_columns,
)
from gateway.readmodel.market_rows import household_of, index_write
from gateway.readmodel.movement_projection import write_movements
from gateway.readmodel.records import Position, TransactionRecord
from gateway.readmodel.tables import (
    READ_MODEL,
    Activity,
    BlockBytes,
    BlockRow,
    Identity,
    Progress,
    StateRow,
    TransactionRow,
)
from ledger.model.block import Block
from ledger.model.codec_block import encode_block

PROJECTION_VERSION = 2
"""Raise it when blocks are projected otherwise: the tables are then filled anew."""
STATE_KEY_BYTES_MAX = 2_000
"""An index of PostgreSQL takes no more; the contracts' keys have some 100."""

DELETE_STATE = delete(StateRow).where(
    StateRow.namespace == bindparam("gone_from"), StateRow.key == bindparam("gone_key")
)

logger = logging.getLogger(__name__)


class BlockMissing(ValueError):  # noqa: N818 - what is wrong, not that something is
    """A block was handed in before the one it follows; begin again at the height."""


class Projector:
    """Applies blocks; `namespace` is the contracts whose keys get rows of their own."""

    def __init__(self, database: Database, namespace: str) -> None:
        self._database = database
        self._namespace = namespace

    def prepare(self) -> int:
        """Make the tables ready for this version of the code; the number of the next block."""
        with self._database.writing() as connection:
            height, version = _locked_progress(connection)
            if version == PROJECTION_VERSION:
                return height
            if height:
                logger.warning("the read model has another version: it is filled anew")
            _empty(connection)
            return 0

    def empty(self) -> None:
        """Forget everything; the next block is block 0."""
        with self._database.writing() as connection:
            _locked_progress(connection)
            _empty(connection)

    def apply(self, block: Block) -> tuple[TransactionRecord, ...]:
        """Apply the next block; its transactions.

        A block that is applied already changes nothing; a gap raises `BlockMissing`.
        """
        facts = facts_of(block)
        raw = encode_block(block)
        with self._database.writing() as connection:
            if not self._database.is_sqlite:
                # Safe: what a crash loses is read from the ledger again.
                connection.execute(text("SET LOCAL synchronous_commit TO off"))
            height, _ = _locked_progress(connection)
            if block.number > height:
                raise BlockMissing(f"block {block.number} follows {height - 1}")
            if block.number == height:
                self._write(connection, facts, raw)
                connection.execute(update(Progress).values(height=height + 1))
        return tuple(transaction.record for transaction in facts.transactions)

    def _write(self, connection: Connection, facts: BlockFacts, raw: bytes) -> None:
        number = facts.block.number
        connection.execute(insert(BlockRow), block_columns(facts, len(raw)))
        connection.execute(insert(BlockBytes), {"number": number, "raw": raw})
        for identity in facts.identities:
            insert_or_keep(connection, Identity, asdict(identity))
        rows = [transaction_columns(each.record) for each in facts.transactions]
        if rows:
            connection.execute(insert(TransactionRow), rows)
        concerned: defaultdict[str, set[Position]] = defaultdict(set)
        states: dict[tuple[str, bytes], dict[str, object] | None] = {}
        idgrids = {identity.digest: identity.idgrid for identity in facts.identities}
        for each in facts.transactions:
            at = each.record.position
            signer = idgrids.get(each.record.creator)
            if signer:
                concerned[signer].add(at)
            for written in each.writes:
                _note_state(states, written, at)
                household = self._write_rows(connection, written, at)
                if household:
                    concerned[household].add(at)
        write_movements(connection, facts, self._namespace)
        _write_states(connection, states)
        activity = [
            {"idgrid": idgrid, "block_number": at.block_number, "tx_index": at.index}
            for idgrid, places in concerned.items()
            for at in places
        ]
        if activity:
            connection.execute(insert(Activity), activity)

    def _write_rows(self, connection: Connection, written: StateWrite, at: Position) -> str | None:
        """The rows made of a contract's key; the household it belongs to."""
        if written.namespace != self._namespace or NUL in written.write.key:
            return None
        index_write(connection, written.write, at)
        return household_of(written.write.key)


def _note_state(
    states: dict[tuple[str, bytes], dict[str, object] | None], written: StateWrite, at: Position
) -> None:
    """The last write of a key in a block counts; None is a deletion."""
    key = written.write.key.encode()
    if len(key) > STATE_KEY_BYTES_MAX:
        logger.warning("block %s: a key of %d bytes is not mirrored", at, len(key))
        return
    states[written.namespace, key] = (
        None
        if written.write.is_delete
        else {
            "namespace": written.namespace,
            "key": key,
            "value": written.write.value,
            "block_number": at.block_number,
            "tx_index": at.index,
        }
    )


def _write_states(
    connection: Connection, states: dict[tuple[str, bytes], dict[str, object] | None]
) -> None:
    insert_or_replace(connection, StateRow, [row for row in states.values() if row])
    gone = [
        {"gone_from": namespace, "gone_key": key}
        for (namespace, key), row in states.items()
        if row is None
    ]
    if gone:
        connection.execute(DELETE_STATE, gone)


def _locked_progress(connection: Connection) -> tuple[int, int]:
    """Height and version; until the transaction ends nobody else changes them."""
    chosen = select(Progress.height, Progress.projection_version).with_for_update()
    height, version = connection.execute(chosen).one()
    return height, version


def _empty(connection: Connection) -> None:
    for table in READ_MODEL:
        connection.execute(delete(table))
    connection.execute(update(Progress).values(height=0, projection_version=PROJECTION_VERSION))
