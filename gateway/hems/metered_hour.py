"""The energy of the hour before an instant, from a meter's cumulative registers. Pure."""

from dataclasses import dataclass

from chaincode.energy.oracle.readings import energy_between
from chaincode.energy.oracle.records import MeterReading

READINGS_PER_HOUR = 4
"""A reading every quarter of an hour at least, so one stands at either end of any hour (003:318),
or is at most a quarter older."""


@dataclass(frozen=True, slots=True)
class MeteredHour:
    """Energy between two signed readings, in Wh; both are the evidence."""

    start: MeterReading
    end: MeterReading

    @property
    def imported_wh(self) -> int:
        """What came in through the grid connection."""
        return energy_between(self.start, self.end).imported_wh

    @property
    def exported_wh(self) -> int:
        """What went out."""
        return energy_between(self.start, self.end).exported_wh


def are_ends_of_hour(start: MeterReading, end: MeterReading, *, at_ms: int, hour_ms: int) -> bool:
    """Whether both stand for the ends of the hour up to `at_ms`: at most a quarter older.

    The one rule of whoever tells an hour and of whoever checks what was told.
    """
    gap_ms = hour_ms // READINGS_PER_HOUR
    ends = ((start, at_ms - hour_ms), (end, at_ms))
    return all(there_ms - gap_ms <= one.t_end_ms <= there_ms for one, there_ms in ends)


def metered_hour(
    before_hour: MeterReading | None, latest: MeterReading | None, *, at_ms: int, hour_ms: int
) -> MeteredHour | None:
    """The hour up to `at_ms`; None if the meter was silent at either end of it.

    `before_hour` is the last reading at or before the start of the hour, `latest` at or before its
    end. Registers are cumulative: the readings in between, sent or lost, add up to the same.
    """
    if before_hour is None or latest is None:
        return None
    if not are_ends_of_hour(before_hour, latest, at_ms=at_ms, hour_ms=hour_ms):
        return None
    return MeteredHour(start=before_hour, end=latest)
