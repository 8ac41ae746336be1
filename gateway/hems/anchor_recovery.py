"""When the ledger has anchors of rows that this database has lost: after a restore, or a failover.

What was lost stays named: `gridledger raw-data compare` tells those batches. New rows are numbered
after them, so anchoring goes on.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, text, update

from gateway.database import Database
from gateway.hems.anchored_rows import table_of
from gateway.hems.anchoring import AnchorBook, Anchoring
from gateway.hems.tables import AnchorRow

ANCHORED_OTHERWISE = frozenset({"ANCHOR_DIFFERS", "ANCHOR_OUT_OF_ORDER"})
"""Refusals of a batch whose number the ledger has given to other rows."""


async def anchors_of(
    ledger: Anchoring, mspid: str, series: str, first: int = 1
) -> AsyncIterator[list[dict[str, Any]]]:
    """A member's anchors of a series from number `first` on, page by page."""
    while page := await ledger.evaluate("anchors:page", mspid, series, str(first)):
        yield page
        first = page[-1]["number"] + 1


async def catch_up(database: Database, ledger: Anchoring, mspid: str, series: str) -> int:
    """Take the ledger's anchors over that are missing here; returns how many there were."""
    known = await asyncio.to_thread(AnchorBook(database).confirmed, series)
    taken = 0
    async for page in anchors_of(ledger, mspid, series, known + 1):
        await asyncio.to_thread(_take_over, database, series, page)
        taken += len(page)
    return taken


def _take_over(database: Database, series: str, anchors: Sequence[dict[str, Any]]) -> None:
    first_row, last_row = anchors[0]["first_row"], anchors[-1]["last_row"]
    with database.writing(is_synced=True) as connection:
        if not database.is_sqlite:
            name = table_of(series).__tablename__
            connection.execute(text(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"))
        unsent = (AnchorRow.series == series, AnchorRow.tx_id == "")
        connection.execute(delete(AnchorRow).where(*unsent))
        _move(connection, series, first_row, last_row + 1 - first_row)
        fields = ("number", "first_row", "last_row", "root", "tx_id")
        rows = [{name: entry[name] for name in fields} for entry in anchors]
        also: dict[str, object] = {"series": series, "is_removed": 0}
        connection.execute(insert(AnchorRow), [row | also for row in rows])


def _move(connection: Connection, series: str, first_row: int, by: int) -> None:
    """Rows from `first_row` on get numbers higher by `by`: through negative ones, all unused."""
    row = table_of(series).row
    connection.execute(update(table_of(series)).where(row >= first_row).values(row=-(row + by)))
    connection.execute(update(table_of(series)).where(row < 0).values(row=-row))
