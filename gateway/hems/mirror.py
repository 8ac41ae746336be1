"""A copy of the newest values in a cloud channel of the ThingSpeak kind, within its limits.

The source wrote once per message: four topics at one message a second are 345,600 writes a day
against 8,200 (001:945). Here messages only change what is known; a write takes all of it, at most
once per `spacing_ms` and never more than the limits of a day, which are counted on disk: that of
the channel, and that of the account all its channels share.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, select, update

from gateway.database import Database
from gateway.hems.tables import MirrorRow

WRITES_PER_DAY_MAX = 8_200
"""Of a free account, whatever channels it has: a write of up to eight fields is a message."""
UPDATE_SPACING_MS_MIN = 15_000
"""Between two updates of a channel of a free account."""
MS_PER_DAY = 24 * 3_600_000


class CloudMirror:
    """One channel: what would be written, and whether it may be now. Calls block."""

    def __init__(
        self,
        database: Database,
        channel: str,
        *,
        account: str = "",
        channels_of_account: int = 1,
        writes_per_day: int = WRITES_PER_DAY_MAX,
    ) -> None:
        """Of the account's writes a channel takes its part only, or the first would take all."""
        self._database = database
        self._limits = {
            channel: writes_per_day,
            f"account:{account}": WRITES_PER_DAY_MAX,
        }
        part = min(writes_per_day, WRITES_PER_DAY_MAX // channels_of_account)
        self.spacing_ms = max(UPDATE_SPACING_MS_MIN, -(-MS_PER_DAY // part))
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
        """Count a write of today; False, and nothing counted, if a limit is reached."""
        instant = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=now_ms)
        day = f"{instant:%Y-%m-%d}"
        with self._database.writing() as connection:
            today = select(MirrorRow.channel, MirrorRow.writes).where(
                MirrorRow.channel.in_(self._limits), MirrorRow.day == day
            )
            writes = {row.channel: row.writes for row in connection.execute(today)}
            if any(writes.get(name, 0) >= limit for name, limit in self._limits.items()):
                return False
            for name in self._limits:
                if name not in writes:
                    values = {"channel": name, "day": day, "writes": 1}
                    connection.execute(insert(MirrorRow).values(**values))
                    continue
                connection.execute(
                    update(MirrorRow)
                    .where(MirrorRow.channel == name, MirrorRow.day == day)
                    .values(writes=writes[name] + 1)
                )
        return True
