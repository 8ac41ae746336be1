"""Energy of a device by hour and by day of the market, from what it told at the hours' ends. Pure.

A market hour is the window in which its listing delivers. An hour of which the device did not tell
both ends is a gap: it has no value, which is something else than zero (E126).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

HOURS_PER_DAY = 24


@dataclass(frozen=True, slots=True)
class HourWindow:
    """A market hour: its local start, and the real instants (ms UTC) of its delivery."""

    start: datetime
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
) -> dict[datetime, tuple[int | None, ...]]:
    """By local start, what a cumulative register gained in each hour.

    `register_at(instant)` is (when it was told, register) of the last value until then.
    """
    found: dict[datetime, tuple[int | None, ...]] = {}
    for window in windows:
        ends = [(at, register_at(at)) for at in (window.from_ms, window.to_ms)]
        values = [
            told[1] if told is not None and told_at(at, told[0], window) else None
            for at, told in ends
        ]
        before, after = values
        found[window.start] = (None if before is None or after is None else after - before,)
    return found


def charted(
    by_start: Mapping[datetime, tuple[int | None, ...]], *, kind: str, day: date, series: int
) -> PeriodChart:
    """The hours of a local day up to the last known one, or the days of a month."""
    if not by_start:
        return PeriodChart(kind, day, ())
    gap: tuple[int | None, ...] = (None,) * series
    if kind == "day":
        last = max(by_start)
        midnight = datetime.combine(day, datetime.min.time(), tzinfo=last.tzinfo)
        hours = (midnight + timedelta(hours=number) for number in range(HOURS_PER_DAY))
        shown = [start for start in hours if start <= last]
        parts = [PeriodPart(f"{start:%H:%M}", by_start.get(start, gap)) for start in shown]
        return PeriodChart(kind, day, parts)
    by_day: dict[int, list[tuple[int | None, ...]]] = defaultdict(list)
    for start, values in by_start.items():
        by_day[start.day].append(values)
    days = range(1, max(by_day) + 1)
    return PeriodChart(
        kind, day, [PeriodPart(str(number), _added(by_day[number], series)) for number in days]
    )


def _added(hours: Sequence[tuple[int | None, ...]], series: int) -> tuple[int | None, ...]:
    """Per series the sum of the hours that have a value; None if none has."""
    known = [[hour[at] for hour in hours if hour[at] is not None] for at in range(series)]
    return tuple(sum(value or 0 for value in column) if column else None for column in known)
