"""Energy of an appliance in a time: from its plug's own counter, else from its power over time.

Not for settlement. A counter needs two values, one of them in the time, else powers count.
Whatever the length of the time, nothing of it is left out: counters are added up by the database,
powers page by page. Calls block.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

from sqlalchemy import ColumnElement, Connection, case, func, select

from gateway.database import Database
from gateway.hems.tables import MeasurementRow

HOLD_MS_MAX = 5 * 60_000
"""A power counts until the next value, at most this long."""
COUNTER_VALUES_MIN = 2
MW_MS_PER_WH = 1_000 * 3_600_000
POWERS_PER_PAGE = 20_000
COUNTER_SILENCE_MS_MAX = 31 * 24 * 3_600_000
"""A counter is taken up again after so long at most: what it gained meanwhile is of that time."""


class ApplianceEnergy:
    """Over the stored measurements."""

    def __init__(self, database: Database, *, powers_per_page: int = POWERS_PER_PAGE) -> None:
        self._database = database
        self._powers_per_page = powers_per_page

    def between(self, device_id: str, from_ms: int, to_ms: int, *, not_before_ms: int = 0) -> int:
        """Energy in Wh of from_ms <= t < to_ms.

        It counts from the last value before: what flowed since is of this time. Nothing from
        before `not_before_ms` is looked at, when the device was somebody else's.
        """
        with self._database.reading() as connection:
            counted = _counted_wh(connection, device_id, from_ms, to_ms, not_before_ms)
        if counted is not None:
            return counted
        return held_wh(self._powers(device_id, from_ms, to_ms, not_before_ms), from_ms, to_ms)

    def _powers(
        self, device_id: str, from_ms: int, to_ms: int, not_before_ms: int
    ) -> Iterator[tuple[int, int]]:
        """Instant and mW of each value, in order; the last one before the time comes first."""
        told = (MeasurementRow.device_id == device_id, MeasurementRow.p_mw.is_not(None))
        next_ms = max(not_before_ms, from_ms - HOLD_MS_MAX)
        while True:
            page = (
                select(MeasurementRow.t_ms, MeasurementRow.p_mw)
                .where(*told, MeasurementRow.t_ms >= next_ms, MeasurementRow.t_ms < to_ms)
                .order_by(MeasurementRow.t_ms)
                .limit(self._powers_per_page)
            )
            with self._database.reading() as connection:
                found = [(row.t_ms, row.p_mw or 0) for row in connection.execute(page)]
            yield from found
            if len(found) < self._powers_per_page:
                return
            next_ms = found[-1][0] + 1


def held_wh(powers: Iterable[tuple[int, int]], from_ms: int, to_ms: int) -> int:
    """Energy of powers (instant, mW) in order of time, each held as `HOLD_MS_MAX` says. Pure."""
    total_mw_ms = 0
    before: tuple[int, int] | None = None
    for at_ms, power_mw in chain(powers, ((to_ms, 0),)):
        if before is not None:
            end_ms = min(at_ms, before[0] + HOLD_MS_MAX, to_ms)
            total_mw_ms += before[1] * max(end_ms - max(before[0], from_ms), 0)
        before = (at_ms, power_mw)
    return total_mw_ms // MW_MS_PER_WH


def _counted_wh(
    connection: Connection, device_id: str, from_ms: int, to_ms: int, not_before_ms: int
) -> int | None:
    """What the counter gained; one that begins again counts from zero. None without two values.

    A plug that told none in the time is asked for no older one: it may have no counter at all,
    and all its values would be read to find that out.
    """
    at_ms, counter = MeasurementRow.t_ms, MeasurementRow.energy_wh
    told = (MeasurementRow.device_id == device_id, counter.is_not(None))
    inside = select(at_ms).where(*told, at_ms >= from_ms, at_ms < to_ms).limit(1)
    if connection.scalar(inside) is None:
        return None
    oldest_ms = max(not_before_ms, from_ms - COUNTER_SILENCE_MS_MAX)
    last_before = select(func.max(at_ms)).where(*told, at_ms >= oldest_ms, at_ms < from_ms)
    start_ms = connection.scalar(last_before)
    values = (
        select(counter.label("now"), func.lag(counter).over(order_by=at_ms).label("before"))
        .where(*told, at_ms >= (from_ms if start_ms is None else start_ms), at_ms < to_ms)
        .subquery()
    )
    now: ColumnElement[int] = values.c.now
    before: ColumnElement[int | None] = values.c.before
    gained = case((before.is_(None), 0), (now >= before, now - before), else_=now)
    count, gained_wh = connection.execute(
        select(func.count(), func.sum(gained)).select_from(values)
    ).one()
    return int(gained_wh) if count >= COUNTER_VALUES_MIN else None
