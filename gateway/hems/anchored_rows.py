"""Numbers of the rows of a raw series: given once, also when anchored rows are no longer here."""

from sqlalchemy import Connection, func, select

from gateway.hems.tables import AnchorRow, MeasurementRow, ReadingRow

READINGS, MEASUREMENTS = "readings", "measurements"
SERIES = (READINGS, MEASUREMENTS)


def table_of(series: str) -> type[ReadingRow | MeasurementRow]:
    """Where the rows of a series are."""
    return ReadingRow if series == READINGS else MeasurementRow


def next_row(connection: Connection, series: str) -> int:
    """The number after all rows there are and all that were anchored.

    Anchored rows may have been exported and removed, or lost. The one writer's transaction keeps
    the number free.
    """
    highest = connection.execute(select(func.max(table_of(series).row))).scalar() or 0
    last = select(AnchorRow.last_row).where(AnchorRow.series == series)
    anchored = connection.execute(last.order_by(AnchorRow.number.desc()).limit(1)).scalar() or 0
    return max(highest, anchored) + 1
