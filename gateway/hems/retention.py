"""Old raw data leaves the database: whole anchored batches, into files that still prove them.

A file of `<series>-<number>.csv` has a line of names, then the rows as they were hashed. So the
root of the anchor can be computed from the file alone, and a row in it can be shown to anybody.
"""

import csv
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.hems.anchored_rows import SERIES
from gateway.hems.anchoring import AnchorBook, Batch, Proof, line_of, proof_in
from ledger.crypto.merkle import merkle_root

PRIVATE_FILE_MODE, PRIVATE_FOLDER_MODE = 0o600, 0o700
MS_PER_DAY = 24 * 3_600_000
EXPORT_BYTES_MAX = 64 * 1024 * 1024
"""More than any batch has (50,000 rows); a larger file is none of ours."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long raw data stays in the database, and where it goes then."""

    keep_days: int
    folder: Path

    def __post_init__(self) -> None:
        """Raise ValueError for a time that would remove what settlements still need."""
        if self.keep_days < 1:
            raise ValueError("raw data stays at least one day")

    def apply(self, book: AnchorBook, now_ms: int) -> list[Path]:
        """Export and remove what is old enough; returns the new files. Blocks."""
        return export_and_remove(book, self.folder, now_ms - self.keep_days * MS_PER_DAY)


def export_and_remove(book: AnchorBook, folder: Path, before_ms: int) -> list[Path]:
    """Write whole batches received before an instant to files (0600), then remove their rows.

    A batch that is no longer what was anchored stays where it is, for whoever looks into it.
    """
    folder.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
    files = []
    for series in SERIES:
        for batch in book.old(series, before_ms):
            path = _export(book, batch, folder)
            if path is not None:
                book.remove(batch)
                files.append(path)
    return files


def roots_in(folder: Path) -> Callable[[str, int], str | None]:
    """What `gateway.hems.anchoring.compare` asks of the exports in a folder."""

    def root_of_export(series: str, number: int) -> str | None:
        try:
            return merkle_root(lines_of(folder / file_name(series, number))).hex()
        except (OSError, ValueError):
            return None

    return root_of_export


def file_name(series: str, number: int) -> str:
    """Of an exported batch."""
    return f"{series}-{number:08}.csv"


def lines_of(path: Path) -> list[bytes]:
    """The rows of an export as they were hashed; raises ValueError for what is none."""
    if path.stat().st_size > EXPORT_BYTES_MAX:
        raise ValueError(f"{path.name} is too large for an export")
    with path.open(encoding="utf-8", newline="") as file:
        names, *rows = list(csv.reader(file)) or [[]]
    if not rows or any(len(row) != len(names) for row in rows):
        raise ValueError(f"{path.name} is no export of raw data")
    return [line_of(row) for row in rows]


def proof_from(path: Path, row: int) -> Proof:
    """What shows that a row of an export was anchored; raises ValueError if it has no such row."""
    series, _, number = path.stem.rpartition("-")
    lines = lines_of(path)
    first_row = int(lines[0].partition(b"|")[0])
    batch = Batch(
        series, int(number), first_row, first_row + len(lines) - 1, merkle_root(lines).hex()
    )
    if not batch.first_row <= row <= batch.last_row:
        raise ValueError(f"{path.name} has rows {batch.first_row} to {batch.last_row}")
    return proof_in(batch, lines, row)


def _export(book: AnchorBook, batch: Batch, folder: Path) -> Path | None:
    names, rows = book.rows(batch)
    if merkle_root([line_of(row) for row in rows]).hex() != batch.root:
        logger.error("%s batch %d is not what was anchored: kept", batch.series, batch.number)
        return None
    path = folder / file_name(batch.series, batch.number)
    new = path.with_name(path.name + ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE_MODE)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(names)
        out.writerows(rows)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return path
