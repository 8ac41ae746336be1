"""How many of the expected readings of a device came, per day (000:140). Pure."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from gateway.local_time import UTC_CLOCKS, LocalTime


@dataclass(frozen=True, slots=True)
class DayAvailability:
    """Readings of one device on one day; local days of 23 and 25 hours expect their own number."""

    day: date
    expected: int
    received: int

    @property
    def permille(self) -> int:
        """Received of expected in thousandths, rounded down."""
        return self.received * 1_000 // self.expected if self.expected else 0


def availability(
    ends_ms: Iterable[int],
    *,
    from_ms: int,
    to_ms: int,
    interval_ms: int,
    local: LocalTime = UTC_CLOCKS,
) -> list[DayAvailability]:
    """Days in from_ms <= t < to_ms; a part of a day expects its part of the readings.

    A reading stands for the interval that ends with it; two in one interval count once.
    """
    first, last = -(-from_ms // interval_ms), to_ms // interval_ms
    present = sorted({-(-end_ms // interval_ms) - 1 for end_ms in ends_ms})
    found = []
    for day, begin_ms, end_ms in local.days(from_ms, to_ms):
        start = max(first, -(-begin_ms // interval_ms))
        end = min(last, -(-end_ms // interval_ms))
        if start < end:
            received = bisect_left(present, end) - bisect_left(present, start)
            found.append(DayAvailability(day=day, expected=end - start, received=received))
    return found
