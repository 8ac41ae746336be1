"""The community's clocks: local days and months as instants, days of 23 and 25 hours included."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MS_PER_S = 1_000
_NEXT_DAY = timedelta(days=1)
_MONTH_FORMAT = "%Y-%m"
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A time zone; instants are ms UTC."""

    zone: tzinfo

    @property
    def name(self) -> str:
        """The zone's name as browsers know it; empty for a fixed offset."""
        return self.zone.key if isinstance(self.zone, ZoneInfo) else ""

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

    def days(self, from_ms: int, to_ms: int) -> list[tuple[date, int, int]]:
        """Local days that [from_ms, to_ms) touches, each with its beginning and its end."""
        found, day = [], self.day_of(from_ms)
        while (begin := self._begin_ms(day)) < to_ms:
            found.append((day, begin, self._begin_ms(day + _NEXT_DAY)))
            day += _NEXT_DAY
        return found

    def month_ms(self, month: str) -> tuple[int, int]:
        """Where a local month `YYYY-MM` begins and ends; `ValueError` for any other text."""
        if not _MONTH.fullmatch(month):
            raise ValueError(f"{month!r} is not of the form YYYY-MM")
        first = date.fromisoformat(f"{month}-01")
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


def named(zone: str) -> LocalTime:
    """Clocks of an IANA zone; `ValueError` for a name nobody knows."""
    try:
        return LocalTime(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no time zone {zone!r} is known here") from error


def fixed(utc_offset_minutes: int) -> LocalTime:
    """Clocks that never change."""
    return LocalTime(timezone(timedelta(minutes=utc_offset_minutes)))


UTC_CLOCKS = LocalTime(UTC)
