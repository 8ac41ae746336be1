"""How well devices report: last heard, state, standing alarms, readings of the expected per day.

Read from the tables of the home energy data service, whichever process fills them. Calls block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, func, select

from chaincode.energy.registry.records import Meter
from gateway.database import Database
from gateway.hems.alarms import AlarmBook
from gateway.hems.availability import DayAvailability, availability
from gateway.hems.tables import DeviceRow, ReadingRow
from gateway.local_time import UTC_CLOCKS, LocalTime

DAYS_SHOWN = 7
ONLINE = "online"
NEVER_HEARD = "never"


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """A registered device; `last_seen_ms` is 0 if it was never heard."""

    meter: Meter
    state: str
    last_seen_ms: int
    firmware: str
    refused: int
    dropped: int
    """Messages and readings that it says left its full queues since it started."""
    alarms: tuple[str, ...]
    days: tuple[DayAvailability, ...]
    """The last DAYS_SHOWN local days or since its first reading, the newest last, up to now."""

    @property
    def permille(self) -> int | None:
        """Readings received of those expected in all these days; None before the first is due."""
        expected = sum(day.expected for day in self.days)
        return sum(day.received for day in self.days) * 1_000 // expected if expected else None


def device_health(
    database: Database,
    meters: Sequence[Meter],
    *,
    now_ms: int,
    interval_ms: int,
    local: LocalTime = UTC_CLOCKS,
) -> list[DeviceHealth]:
    """Of each meter, in the order given; one reading is expected in every `interval_ms`."""
    first_day = local.day_of(now_ms) - timedelta(days=DAYS_SHOWN - 1)
    from_ms, _ = local.day_ms(first_day)
    meter_ids = [meter.meter_id for meter in meters]
    days = days_of_readings(
        database, meter_ids, from_ms=from_ms, now_ms=now_ms, interval_ms=interval_ms, local=local
    )
    with database.reading() as connection:
        heard = {row.device_id: row for row in connection.execute(select(DeviceRow.__table__))}
    alarms: dict[str, list[str]] = {}
    for alarm in AlarmBook(database).standing():
        alarms.setdefault(alarm.device_id, []).append(alarm.kind)
    result = []
    for meter in meters:
        row = heard.get(meter.meter_id)
        result.append(
            DeviceHealth(
                meter=meter,
                state=row.state if row is not None else NEVER_HEARD,
                last_seen_ms=row.last_seen_ms if row is not None else 0,
                firmware=row.firmware if row is not None else "",
                refused=row.refused if row is not None else 0,
                dropped=(row.dropped or 0) if row is not None else 0,
                alarms=tuple(alarms.get(meter.meter_id, ())),
                days=days[meter.meter_id],
            )
        )
    return result


def days_of_readings(
    database: Database,
    meter_ids: Sequence[str],
    *,
    from_ms: int,
    now_ms: int,
    interval_ms: int,
    local: LocalTime = UTC_CLOCKS,
) -> dict[str, tuple[DayAvailability, ...]]:
    """Local days since `from_ms` of each meter, the newest last.

    What a device missed before its first reading is nobody's fault and is not counted; one that
    was never heard missed everything.
    """
    with database.reading() as connection:
        ends = _ends_ms(connection, meter_ids, from_ms, now_ms)
        first_ms = _first_ends_ms(connection, meter_ids)
    return {
        meter_id: tuple(
            availability(
                ends.get(meter_id, ()),
                from_ms=max(from_ms, first_ms.get(meter_id, 0) - interval_ms),
                to_ms=now_ms,
                interval_ms=interval_ms,
                local=local,
            )
        )
        for meter_id in meter_ids
    }


def _ends_ms(
    connection: Connection, meter_ids: Sequence[str], from_ms: int, until_ms: int
) -> dict[str, list[int]]:
    """Ends of the readings in from_ms < t <= until_ms, by meter."""
    ends: dict[str, list[int]] = {}
    found = select(ReadingRow.meter_id, ReadingRow.t_end_ms).where(
        ReadingRow.meter_id.in_(meter_ids),
        ReadingRow.t_end_ms > from_ms,
        ReadingRow.t_end_ms <= until_ms,
    )
    for meter_id, end_ms in connection.execute(found):
        ends.setdefault(meter_id, []).append(end_ms)
    return ends


def _first_ends_ms(connection: Connection, meter_ids: Sequence[str]) -> dict[str, int]:
    """End of each meter's first reading: one look into the index each, however long the past."""
    found = {}
    for meter_id in meter_ids:
        first = select(func.min(ReadingRow.t_end_ms)).where(ReadingRow.meter_id == meter_id)
        if (end_ms := connection.scalar(first)) is not None:
            found[meter_id] = end_ms
    return found
