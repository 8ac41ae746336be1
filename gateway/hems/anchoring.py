"""Batches of the raw series: their Merkle roots, put on the ledger, and compared with it later.

A batch is what came since the last one, in the order it came, so late readings need no
correction. Whoever edits, removes or inserts a row makes another root (002:212, 002:392-394).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from chaincode.energy.oracle.records import MeterReading
from gateway.database import Database
from gateway.hems.anchored_rows import READINGS, table_of
from gateway.hems.series import READING_COLUMNS
from gateway.hems.tables import AnchorRow, MeasurementRow, ReadingRow
from ledger.crypto.merkle import merkle_path, merkle_root

ROWS_PER_BATCH_MAX = 50_000

_SIGNED_COLUMNS = (
    ReadingRow.row,
    ReadingRow.meter_id,
    ReadingRow.seq,
    ReadingRow.t_end_ms,
    ReadingRow.import_wh,
    ReadingRow.export_wh,
    ReadingRow.quality,
    ReadingRow.signature,
    ReadingRow.received_ms,
    ReadingRow.is_late,
)
_MEASURED_COLUMNS = tuple(MeasurementRow.__table__.columns)


class Anchoring(Protocol):
    """Whoever may put anchors on the ledger; an oracle's `Actor` is one."""

    async def submit(self, function: str, *args: str) -> Any:
        """Run a function and wait for its block."""

    async def evaluate(self, function: str, *args: str) -> Any:
        """Ask without changing anything."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows first_row..last_row of a series and the root of their lines, in hex."""

    series: str
    number: int
    first_row: int
    last_row: int
    root: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that a row is in an anchored batch: its line, place and path."""

    batch: Batch
    line: str
    index: int
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tampered:
    """A batch whose rows are not those that were anchored."""

    series: str
    number: int
    reason: str


class AnchorBook:
    """Batches of both series in the gateway's database. Calls block."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_batch(self, series: str) -> Batch | None:
        """The batch to anchor next: one that is not on the ledger yet, else what came since."""
        with self._database.writing() as connection:
            pending = select(AnchorRow).where(AnchorRow.series == series, AnchorRow.tx_id == "")
            row = connection.execute(pending.order_by(AnchorRow.number).limit(1)).first()
            if row is not None:
                return _batch(row)
            return self._new_batch(connection, series)

    def count(self, series: str) -> int:
        """How many batches there are."""
        with self._database.reading() as connection:
            wanted = select(func.count()).where(AnchorRow.series == series)
            return connection.execute(wanted).scalar_one()

    def confirmed(self, series: str) -> int:
        """The number of the last batch that is on the ledger; 0 if none is."""
        where = (AnchorRow.series == series, AnchorRow.tx_id != "")
        with self._database.reading() as connection:
            last = connection.execute(select(func.max(AnchorRow.number)).where(*where)).scalar()
        return last or 0

    def anchored(self, batch: Batch, tx_id: str) -> None:
        """It is on the ledger."""
        where = (AnchorRow.series == batch.series, AnchorRow.number == batch.number)
        with self._database.writing() as connection:
            connection.execute(update(AnchorRow).where(*where).values(tx_id=tx_id))

    def root_now(self, series: str, first_row: int, last_row: int) -> str:
        """The root that the rows have now."""
        with self._database.reading() as connection:
            return merkle_root(_lines(connection, series, first_row, last_row)).hex()

    def readings(self, first_row: int, last_row: int) -> list[MeterReading]:
        """The stored readings in these rows, as they are now."""
        with self._database.reading() as connection:
            wanted = select(*READING_COLUMNS).where(ReadingRow.row.between(first_row, last_row))
            return [MeterReading(*row) for row in connection.execute(wanted)]

    def removed(self, series: str) -> set[int]:
        """Numbers of batches whose rows were exported and removed."""
        where = (AnchorRow.series == series, AnchorRow.is_removed == 1)
        with self._database.reading() as connection:
            return set(connection.execute(select(AnchorRow.number).where(*where)).scalars())

    def proof(self, series: str, row: int) -> Proof | None:
        """What shows that a row is anchored; None if its batch is not, or is removed."""
        where = (
            AnchorRow.series == series,
            AnchorRow.first_row <= row,
            AnchorRow.last_row >= row,
            AnchorRow.tx_id != "",
            AnchorRow.is_removed == 0,
        )
        with self._database.reading() as connection:
            found = connection.execute(select(AnchorRow).where(*where)).first()
            if found is None:
                return None
            batch = _batch(found)
            lines = _lines(connection, series, batch.first_row, batch.last_row)
        return proof_in(batch, lines, row) if lines else None

    def old(self, series: str, before_ms: int) -> list[Batch]:
        """Anchored batches, not removed yet, of which every row came before an instant."""
        table = table_of(series)
        newest = select(func.max(table.received_ms)).where(
            table.row >= AnchorRow.first_row, table.row <= AnchorRow.last_row
        )
        wanted = select(AnchorRow).where(
            AnchorRow.series == series,
            AnchorRow.is_removed == 0,
            AnchorRow.tx_id != "",
            newest.scalar_subquery() < before_ms,
        )
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(AnchorRow.number))
            return [_batch(row) for row in rows]

    def rows(self, batch: Batch) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names of the columns and the rows of a batch, as they are hashed."""
        with self._database.reading() as connection:
            found = connection.execute(_rows(batch.series, batch.first_row, batch.last_row))
            return list(found.keys()), [tuple(row) for row in found]

    def remove(self, batch: Batch) -> None:
        """The rows of a batch that is exported; that it was stays noted."""
        table = table_of(batch.series)
        with self._database.writing() as connection:
            inside = (table.row >= batch.first_row, table.row <= batch.last_row)
            connection.execute(delete(table).where(*inside))
            where = (AnchorRow.series == batch.series, AnchorRow.number == batch.number)
            connection.execute(update(AnchorRow).where(*where).values(is_removed=1))

    def _new_batch(self, connection: Connection, series: str) -> Batch | None:
        table = table_of(series)
        newest = select(AnchorRow).where(AnchorRow.series == series)
        last = connection.execute(newest.order_by(AnchorRow.number.desc()).limit(1)).first()
        number, first_row = (last.number + 1, last.last_row + 1) if last else (1, 1)
        highest = connection.execute(select(func.max(table.row))).scalar() or 0
        last_row = min(highest, first_row + ROWS_PER_BATCH_MAX - 1)
        if last_row < first_row:
            return None
        root = merkle_root(_lines(connection, series, first_row, last_row)).hex()
        batch = Batch(series, number, first_row, last_row, root)
        connection.execute(
            insert(AnchorRow).values(
                series=series,
                number=number,
                first_row=first_row,
                last_row=last_row,
                root=root,
                tx_id="",
                is_removed=0,
            )
        )
        return batch


async def anchor(book: AnchorBook, actor: Anchoring, series: str) -> Batch | None:
    """Anchor what came since the last time; a batch that failed is tried again as it is."""
    batch = await asyncio.to_thread(book.next_batch, series)
    if batch is None:
        return None
    answer = await actor.submit(
        "anchors:record", series, str(batch.number), str(batch.last_row), batch.root
    )
    await asyncio.to_thread(book.anchored, batch, str(answer["tx_id"]))
    return batch


RootOfExport = Callable[[str, int], str | None]
"""The root of an exported batch, by series and number; None where the file is gone."""


def compare(
    book: AnchorBook,
    series: str,
    anchors: Sequence[dict[str, Any]],
    root_of_export: RootOfExport | None = None,
) -> list[Tampered]:
    """Batches whose rows today are not what the ledger's anchors say. Blocks.

    Of a batch that was removed its export is looked at, if `root_of_export` knows where it is.
    """
    tampered = []
    for entry in anchors:
        number, span = entry["number"], f"rows {entry['first_row']} to {entry['last_row']}"
        root = book.root_now(series, entry["first_row"], entry["last_row"])
        if root == entry["root"]:
            continue
        if number not in book.removed(series):
            tampered.append(Tampered(series, number, f"{span} are not what was anchored"))
        elif root_of_export is not None and root_of_export(series, number) != entry["root"]:
            reason = f"{span} were removed, and their export is not what was anchored"
            tampered.append(Tampered(series, number, reason))
    return tampered


def proof_in(batch: Batch, lines: Sequence[bytes], row: int) -> Proof:
    """What shows that a row is in a batch with these lines."""
    index = row - batch.first_row
    path = tuple(node.hex() for node in merkle_path(list(lines), index))
    return Proof(batch=batch, line=lines[index].decode(), index=index, path=path)


def line_of(values: Sequence[object]) -> bytes:
    """A row as it is hashed: its columns with `|` between, nothing where there is no value."""
    return "|".join("" if value is None else str(value) for value in values).encode()


def _lines(connection: Connection, series: str, first_row: int, last_row: int) -> list[bytes]:
    return [line_of(row) for row in connection.execute(_rows(series, first_row, last_row))]


def _rows(series: str, first_row: int, last_row: int) -> Select[*tuple[Any, ...]]:
    if series == READINGS:
        chosen = select(*_SIGNED_COLUMNS)
        return chosen.where(ReadingRow.row.between(first_row, last_row)).order_by(ReadingRow.row)
    chosen_measured = select(*_MEASURED_COLUMNS)
    inside = MeasurementRow.row.between(first_row, last_row)
    return chosen_measured.where(inside).order_by(MeasurementRow.row)


def _batch(row: Any) -> Batch:
    found = getattr(row, "AnchorRow", row)
    return Batch(found.series, found.number, found.first_row, found.last_row, found.root)
