"""How full batteries were, in the gateway's database: a value now and then, for charts.

The newest values are in the memory of who heard them (`gateway.hems.batteries`); these outlast a
restart, and replicas share them. Calls block.
"""

from collections.abc import Sequence

from sqlalchemy import delete, insert, select

from gateway.database import Database
from gateway.hems.batteries import Observation
from gateway.hems.tables import ChargeRow

KEPT_PER_INTERVAL = 2
"""Of a meter's interval: so many values are kept."""
KEPT_MS = 400 * 24 * 3_600_000
PRUNED_EVERY_MS = 24 * 3_600_000


class ChargeHistory:
    """One writer: the process whose MQTT session collects."""

    def __init__(self, database: Database, interval_ms: int) -> None:
        self._database = database
        self._apart_ms = interval_ms // KEPT_PER_INTERVAL
        self._last_ms: dict[str, int] = {}
        self._pruned_ms = 0

    def keep(self, charges: Sequence[tuple[str, Observation]], now_ms: int) -> None:
        """Store those that are far enough behind the last one stored of their battery."""
        new = []
        for battery_id, seen in charges:
            if seen.at_ms - self._last(battery_id) >= self._apart_ms:
                self._last_ms[battery_id] = seen.at_ms
                new.append(
                    {"battery_id": battery_id, "at_ms": seen.at_ms, "stored_wh": seen.stored_wh}
                )
        if not new:
            return
        with self._database.writing() as connection:
            connection.execute(insert(ChargeRow), new)
            if now_ms - self._pruned_ms > PRUNED_EVERY_MS:
                self._pruned_ms = now_ms
                old = ChargeRow.at_ms < now_ms - KEPT_MS
                connection.execute(delete(ChargeRow).where(old))

    def until(self, battery_id: str, instant_ms: int) -> Observation | None:
        """The last value kept at or before an instant."""
        newest = (
            select(ChargeRow.at_ms, ChargeRow.stored_wh)
            .where(ChargeRow.battery_id == battery_id, ChargeRow.at_ms <= instant_ms)
            .order_by(ChargeRow.at_ms.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(newest).first()
        return None if row is None else Observation(*row)

    def since(self, battery_id: str, instant_ms: int, limit: int) -> list[Observation]:
        """Values kept from an instant on, the newest `limit`, the earliest first."""
        newest = (
            select(ChargeRow.at_ms, ChargeRow.stored_wh)
            .where(ChargeRow.battery_id == battery_id, ChargeRow.at_ms >= instant_ms)
            .order_by(ChargeRow.at_ms.desc())
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [Observation(*row) for row in reversed(connection.execute(newest).all())]

    def _last(self, battery_id: str) -> int:
        if battery_id not in self._last_ms:
            stored = self.until(battery_id, 2**62)
            self._last_ms[battery_id] = stored.at_ms if stored is not None else -self._apart_ms
        return self._last_ms[battery_id]
