"""A household's energy by hour and by day, from its settled lines. Pure.

An hour nobody metered is a gap: it has no energy, which is something else than zero. An hour the
grid operator stated in place of readings has its energy and is marked (E126).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from chaincode.energy.hours import HOUR_MS
from chaincode.energy.settlement.records import Metering, SettlementLine
from gateway.local_time import LocalTime


@dataclass(frozen=True, slots=True)
class Energy:
    """Of an hour or a day; None is a gap.

    Of its `hours` the operator stated `stated`, and `estimated` were not measured throughout.
    """

    start: datetime
    label: str
    imported_wh: int | None
    exported_wh: int | None
    hours: int
    stated: int
    estimated: int = 0


@dataclass(frozen=True, slots=True)
class MeteredHours:
    """Lines by the start of their hour, ms UTC; days and months are those of the clocks."""

    by_start: Mapping[int, SettlementLine]
    local: LocalTime

    @property
    def days(self) -> list[date]:
        """Local days with at least one hour, the latest first."""
        return sorted({self.local.day_of(start_ms) for start_ms in self.by_start}, reverse=True)

    def day(self, day: date) -> list[Energy]:
        """Every hour of a local day that has begun by the last known hour: 23, 24 or 25."""
        begin_ms, end_ms = self.local.day_ms(day)
        starts = [start_ms for start_ms in self.by_start if begin_ms <= start_ms < end_ms]
        if not starts:
            return []
        first_ms = -(-begin_ms // HOUR_MS) * HOUR_MS
        return [
            _energy(moment, f"{moment:%H:%M}", _lines(self.by_start, start_ms))
            for start_ms in range(first_ms, max(starts) + 1, HOUR_MS)
            for moment in [self.local.moment(start_ms)]
        ]

    def month(self, day: date) -> list[Energy]:
        """Every day, up to the last known one, of the month this day is in."""
        by_day: dict[date, list[SettlementLine]] = defaultdict(list)
        for start_ms, line in self.by_start.items():
            known = self.local.day_of(start_ms)
            if (known.year, known.month) == (day.year, day.month):
                by_day[known].append(line)
        if not by_day:
            return []
        numbers = range(1, max(by_day).day + 1)
        return [
            _energy(
                datetime.combine(day.replace(day=number), datetime.min.time()),
                str(number),
                by_day.get(day.replace(day=number), []),
            )
            for number in numbers
        ]


def total(parts: Iterable[Energy]) -> tuple[int, int]:
    """(imported, exported) Wh of everything that is no gap."""
    found = list(parts)
    imported = sum(part.imported_wh or 0 for part in found)
    exported = sum(part.exported_wh or 0 for part in found)
    return imported, exported


def _lines(by_start: Mapping[int, SettlementLine], start_ms: int) -> list[SettlementLine]:
    line = by_start.get(start_ms)
    return [] if line is None else [line]


def _energy(start: datetime, label: str, lines: list[SettlementLine]) -> Energy:
    metered = [line for line in lines if line.metering != Metering.MISSING]
    stated = sum(line.metering == Metering.SUBSTITUTED for line in metered)
    estimated = sum(line.metering == Metering.ESTIMATED for line in metered)
    if not metered:
        return Energy(start, label, None, None, 0, 0)
    return Energy(
        start=start,
        label=label,
        imported_wh=sum(line.imported_wh for line in metered),
        exported_wh=sum(line.exported_wh for line in metered),
        hours=len(metered),
        stated=stated,
        estimated=estimated,
    )
