"""The time of a test: it stands still until the test moves it."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """`now` is the time of the next transactions."""

    def __init__(self, start: str | datetime) -> None:
        self.now = _time(start)

    @property
    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC."""
        since = self.now - EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000

    def at(self, time: str | datetime) -> None:
        """Set the clock (ISO 8601 with zone, or an aware datetime)."""
        self.now = _time(time)

    def advance(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Move the clock."""
        self.now += timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _time(value: str | datetime) -> datetime:
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    if time.tzinfo is None:
        raise ValueError("a ledger time needs a zone")
    return time.astimezone(UTC)
