"""Movements of a block into their table, from the state before it and what it wrote."""

import logging
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, insert, select

from gateway.readmodel.block_facts import NUL, BlockFacts, StateWrite, TransactionFacts
from gateway.readmodel.movement_rows import Values, changes_of, is_money, movement_columns
from gateway.readmodel.tables import MovementRow, StateRow
from ledger.model.codec_block import consenter_metadata

KEYS_PER_QUESTION = 500

logger = logging.getLogger(__name__)


def write_movements(connection: Connection, facts: BlockFacts, namespace: str) -> None:
    """The rows of a block whose writes are not in the world state yet."""
    moving = [
        (each, writes) for each in facts.transactions if (writes := _money_writes(each, namespace))
    ]
    if not moving:
        return
    written = {write.write.key for _, writes in moving for write in writes}
    values = _values(connection, namespace, sorted(written))
    consensus = consenter_metadata(facts.block)
    rows = []
    for each, writes in moving:
        record = each.record
        at_ms = consensus.block_time_ms if consensus else record.timestamp_ms
        try:
            changes = changes_of(writes, values)
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("block %s: no movements: %s", record.position, error)
            continue
        rows += [
            movement_columns(purse, change, record, at_ms) for purse, change in changes.items()
        ]
    if rows:
        connection.execute(insert(MovementRow), rows)


def _money_writes(each: TransactionFacts, namespace: str) -> list[StateWrite]:
    return [
        written
        for written in each.writes
        if written.namespace == namespace
        and is_money(written.write.key)
        and NUL not in written.write.key
    ]


def _values(connection: Connection, namespace: str, keys: Sequence[str]) -> Values:
    """What these keys have now; those that are absent are left out."""
    found: Values = {}
    for part in _parts([key.encode() for key in keys]):
        wanted = select(StateRow.key, StateRow.value).where(
            StateRow.namespace == namespace, StateRow.key.in_(part)
        )
        found |= {row.key.decode(): row.value for row in connection.execute(wanted)}
    return found


def _parts(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), KEYS_PER_QUESTION):
        yield keys[start : start + KEYS_PER_QUESTION]
