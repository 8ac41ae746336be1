"""A copy of the newest values in a cloud channel of the ThingSpeak kind, within its daily limit.

The source wrote once per message: four topics at one message a second are 345,600 writes a day
against 8,200 (001:945). Here messages only change what is known; a write takes all of it, at most
once per `spacing_ms` and never more than the limit a day, which is counted on disk.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, select, update

from gateway.database import Database
from gateway.hems.tables import MirrorRow

WRITES_PER_DAY_MAX = 8_200
MS_PER_DAY = 24 * 3_600_000


class CloudMirror:
    """One channel: what would be written, and whether it may be now. Calls block."""

    def __init__(
        self, database: Database, channel: str, *, writes_per_day: int = WRITES_PER_DAY_MAX
    ) -> None:
        self._database = database
        self._channel = channel
        self._writes_per_day = writes_per_day
        self.spacing_ms = -(-MS_PER_DAY // writes_per_day)
        self._last_ms: int | None = None
        self._fields: dict[str, int] = {}
        self._is_changed = False

    def note(self, fields: Mapping[str, int]) -> None:
        """Newer values of some fields, such as `{"house-1.u_mv": 12400}`."""
        self._fields |= fields
        self._is_changed = True

    def due(self, now_ms: int) -> dict[str, int] | None:
        """All fields to write now; None when nothing changed or it is too early.

        The write is counted before it is made, since the other side may count one that fails.
        """
        is_early = self._last_ms is not None and now_ms - self._last_ms < self.spacing_ms
        if not self._is_changed or is_early or not self._count(now_ms):
            return None
        self._last_ms, self._is_changed = now_ms, False
        return dict(self._fields)

    def failed(self) -> None:
        """The write came to nothing: its values are due again, in the next place there is."""
        self._is_changed = True

    def _count(self, now_ms: int) -> bool:
        instant = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=now_ms)
        where = (MirrorRow.channel == self._channel, MirrorRow.day == f"{instant:%Y-%m-%d}")
        with self._database.writing() as connection:
            writes = connection.execute(select(MirrorRow.writes).where(*where)).scalar()
            if writes is None:
                values = {"channel": self._channel, "day": f"{instant:%Y-%m-%d}", "writes": 1}
                connection.execute(insert(MirrorRow).values(**values))
                return True
            if writes >= self._writes_per_day:
                return False
            connection.execute(update(MirrorRow).where(*where).values(writes=writes + 1))
            return True
