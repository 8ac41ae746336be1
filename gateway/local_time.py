"""The community's clocks: local days and months as instants, days of 23 and 25 hours included."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

MS_PER_S = 1_000
_NEXT_DAY = timedelta(days=1)
_MONTH_FORMAT = "%Y-%m"


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A time zone; instants are ms UTC."""

    zone: tzinfo

    def moment(self, at_ms: int) -> datetime:
        """An instant as the clocks show it."""
        return datetime.fromtimestamp(at_ms / MS_PER_S, tz=UTC).astimezone(self.zone)

    def day_of(self, at_ms: int) -> date:
        """The local day an instant is in."""
        return self.moment(at_ms).date()

    def offset_minutes(self, at_ms: int) -> int:
        """How far the clocks are ahead of UTC at this instant."""
        offset = self.moment(at_ms).utcoffset()
        return 0 if offset is None else int(offset.total_seconds()) // 60

    def day_ms(self, day: date) -> tuple[int, int]:
        """Where a local day begins, and where the next one does."""
        return self._begin_ms(day), self._begin_ms(day + _NEXT_DAY)

    def month_ms(self, month: str) -> tuple[int, int]:
        """Where a local month `YYYY-MM` begins and ends; `ValueError` for any other text."""
        first = datetime.strptime(month, _MONTH_FORMAT).replace(tzinfo=UTC).date()
        if first.strftime(_MONTH_FORMAT) != month:
            raise ValueError(f"{month!r} is not of the form YYYY-MM")
        following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
        return self._begin_ms(first), self._begin_ms(following)

    def month_of(self, at_ms: int) -> str:
        """The local month an instant is in, `YYYY-MM`."""
        return self.moment(at_ms).strftime(_MONTH_FORMAT)

    def _begin_ms(self, day: date) -> int:
        """The first instant of a day, also where clocks go forward at midnight.

        There midnight does not exist; Python takes the offset from before the gap for it, and
        that instant is the one at which the new day begins.
        """
        midnight = datetime.combine(day, time(), tzinfo=self.zone)
        return int(midnight.timestamp()) * MS_PER_S
