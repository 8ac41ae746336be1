"""Batches of the raw series: their Merkle roots, put on the ledger, and compared with it later.

A batch is what came since the last one, in the order it came, so late readings need no
correction. Whoever edits, removes or inserts a row makes another root (002:212, 002:392-394).
"""

import asyncio
import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from gateway.database import Database
from gateway.hems.tables import AnchorRow, MeasurementRow, ReadingRow
from ledger.crypto.merkle import merkle_path, merkle_root

ROWS_PER_BATCH_MAX = 50_000
READINGS, MEASUREMENTS = "readings", "measurements"
SERIES = (READINGS, MEASUREMENTS)
PRIVATE_FILE_MODE = 0o600

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
    """Whoever may put anchors on the ledger; `gateway.actor.Actor` of an oracle is one."""

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

    def anchored(self, batch: Batch, tx_id: str) -> None:
        """It is on the ledger."""
        where = (AnchorRow.series == batch.series, AnchorRow.number == batch.number)
        with self._database.writing() as connection:
            connection.execute(update(AnchorRow).where(*where).values(tx_id=tx_id))

    def root_now(self, series: str, first_row: int, last_row: int) -> str:
        """The root that the rows have now."""
        with self._database.reading() as connection:
            return merkle_root(_lines(connection, series, first_row, last_row)).hex()

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
        index = row - batch.first_row
        path = tuple(node.hex() for node in merkle_path(lines, index))
        return Proof(batch=batch, line=lines[index].decode(), index=index, path=path)

    def export_and_remove(self, series: str, before_ms: int, folder: Path) -> list[Path]:
        """Write whole batches received before an instant to CSV files (0600), then remove them."""
        table = ReadingRow if series == READINGS else MeasurementRow
        with self._database.reading() as connection:
            newest = select(func.max(table.received_ms)).where(
                table.row >= AnchorRow.first_row, table.row <= AnchorRow.last_row
            )
            old = select(AnchorRow).where(
                AnchorRow.series == series,
                AnchorRow.is_removed == 0,
                AnchorRow.tx_id != "",
                newest.scalar_subquery() < before_ms,
            )
            batches = [_batch(row) for row in connection.execute(old.order_by(AnchorRow.number))]
        return [self._export(batch, folder) for batch in batches]

    def _export(self, batch: Batch, folder: Path) -> Path:
        table = ReadingRow if batch.series == READINGS else MeasurementRow
        path = folder / f"{batch.series}-{batch.number:08}.csv"
        with self._database.reading() as connection:
            rows = connection.execute(_rows(batch.series, batch.first_row, batch.last_row))
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE_MODE)
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                out = csv.writer(file, lineterminator="\n")
                out.writerow(rows.keys())
                out.writerows(rows)
                file.flush()
                os.fsync(file.fileno())
        with self._database.writing() as connection:
            inside = (table.row >= batch.first_row, table.row <= batch.last_row)
            connection.execute(delete(table).where(*inside))
            where = (AnchorRow.series == batch.series, AnchorRow.number == batch.number)
            connection.execute(update(AnchorRow).where(*where).values(is_removed=1))
        return path

    def _new_batch(self, connection: Connection, series: str) -> Batch | None:
        table = ReadingRow if series == READINGS else MeasurementRow
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


def compare(book: AnchorBook, series: str, anchors: Sequence[dict[str, Any]]) -> list[Tampered]:
    """Batches whose rows today are not what the ledger's anchors say. Blocks."""
    removed = book.removed(series)
    tampered = []
    for entry in anchors:
        if entry["number"] in removed:
            continue
        root = book.root_now(series, entry["first_row"], entry["last_row"])
        if root != entry["root"]:
            span = f"rows {entry['first_row']} to {entry['last_row']}"
            tampered.append(Tampered(series, entry["number"], f"{span} are not what was anchored"))
    return tampered


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
