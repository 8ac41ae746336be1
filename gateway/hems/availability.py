"""How many of the expected readings of a device came, per day (000:140). Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

MS_PER_DAY = 24 * 3_600_000


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
    utc_offset_minutes: int = 0,
) -> list[DayAvailability]:
    """Days in from_ms <= t < to_ms; a part of a day expects its part of the readings.

    A reading stands for the interval that ends with it; two in one interval count once.
    """
    offset_ms = utc_offset_minutes * 60_000

    def day_of(interval: int) -> date:
        instant = datetime.fromtimestamp(0, UTC) + timedelta(
            milliseconds=interval * interval_ms + offset_ms
        )
        return instant.date()

    first, last = -(-from_ms // interval_ms), to_ms // interval_ms
    expected = Counter(day_of(interval) for interval in range(first, last))
    present = {-(-end_ms // interval_ms) - 1 for end_ms in ends_ms}
    received = Counter(day_of(interval) for interval in present if first <= interval < last)
    return [
        DayAvailability(day=day, expected=count, received=received[day])
        for day, count in sorted(expected.items())
    ]
