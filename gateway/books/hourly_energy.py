"""Energy of a device by hour and by day of the market, from what it told at the hours' ends. Pure.

A market hour is the window in which its listing delivers. An hour of which the device did not tell
both ends is a gap: it has no value, which is something else than zero (E126).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from chaincode.energy.hours import HOUR_MS
from gateway.local_time import LocalTime


@dataclass(frozen=True, slots=True)
class HourWindow:
    """A market hour: the start of the hour it is named after, and the instants of its delivery.

    ms UTC; a simulated clock delivers sooner than the names say.
    """

    start_ms: int
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class PeriodPart:
    """An hour of a day or a day of a month: one value in Wh per series; None is a gap."""

    label: str
    values: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class PeriodChart:
    """A day by its hours, or a month by its days, with the sum of each series in Wh."""

    kind: str
    day: date
    parts: Sequence[PeriodPart]

    @property
    def sums(self) -> tuple[int, ...]:
        """Of everything that is no gap."""
        columns = zip(*(part.values for part in self.parts), strict=True)
        return tuple(sum(value or 0 for value in column) for column in columns)


def told_at(end_ms: int, told_ms: int | None, window: HourWindow) -> bool:
    """Whether what was told at `told_ms` stands for the end of an hour: not long before it."""
    tolerance_ms = (window.to_ms - window.from_ms) // 4
    return told_ms is not None and end_ms - tolerance_ms <= told_ms <= end_ms


def hourly(
    windows: Iterable[HourWindow],
    register_at: Callable[[int], tuple[int, int] | None],
) -> dict[int, tuple[int | None, ...]]:
    """By start, ms UTC, what a cumulative register gained in each hour.

    `register_at(instant)` is (when it was told, register) of the last value until then.
    """
    found: dict[int, tuple[int | None, ...]] = {}
    for window in windows:
        ends = [(at, register_at(at)) for at in (window.from_ms, window.to_ms)]
        values = [
            told[1] if told is not None and told_at(at, told[0], window) else None
            for at, told in ends
        ]
        before, after = values
        found[window.start_ms] = (None if before is None or after is None else after - before,)
    return found


def charted(
    by_start: Mapping[int, tuple[int | None, ...]],
    local: LocalTime,
    *,
    kind: str,
    day: date,
    series: int,
) -> PeriodChart:
    """The hours of a local day (23, 24 or 25) up to the last known one, or the days of a month.

    `by_start` are the values of the period's hours by their start, ms UTC.
    """
    if not by_start:
        return PeriodChart(kind, day, ())
    if kind == "day":
        gap: tuple[int | None, ...] = (None,) * series
        first_ms = -(-local.day_ms(day)[0] // HOUR_MS) * HOUR_MS
        parts = [
            PeriodPart(f"{local.moment(start_ms):%H:%M}", by_start.get(start_ms, gap))
            for start_ms in range(first_ms, max(by_start) + 1, HOUR_MS)
        ]
        return PeriodChart(kind, day, parts)
    by_day: dict[int, list[tuple[int | None, ...]]] = defaultdict(list)
    for start_ms, values in by_start.items():
        by_day[local.day_of(start_ms).day].append(values)
    days = range(1, max(by_day) + 1)
    return PeriodChart(
        kind, day, [PeriodPart(str(number), _added(by_day[number], series)) for number in days]
    )


def _added(hours: Sequence[tuple[int | None, ...]], series: int) -> tuple[int | None, ...]:
    """Per series the sum of the hours that have a value; None if none has."""
    known = [[hour[at] for hour in hours if hour[at] is not None] for at in range(series)]
    return tuple(sum(value or 0 for value in column) if column else None for column in known)
