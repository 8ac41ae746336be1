"""The energy of the hour before an instant, from a meter's cumulative registers. Pure."""

from dataclasses import dataclass

from chaincode.energy.oracle.readings import energy_between
from chaincode.energy.oracle.records import MeterReading


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


def metered_hour(
    before_hour: MeterReading | None,
    latest: MeterReading | None,
    *,
    hour_start_ms: int,
    gap_ms: int,
) -> MeteredHour | None:
    """The hour up to `latest`; None if the meter was silent at either end of it.

    `before_hour` is the last reading at or before the start of the hour, at most `gap_ms` older.
    Registers are cumulative: the readings in between, sent or lost, add up to the same.
    """
    if before_hour is None or latest is None or latest.t_end_ms <= hour_start_ms:
        return None
    if before_hour.t_end_ms < hour_start_ms - gap_ms:
        return None
    return MeteredHour(start=before_hour, end=latest)
