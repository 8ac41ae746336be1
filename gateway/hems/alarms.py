"""Alarms: raised once, cleared when the cause is gone, and told to whoever notifies people.

`open_alarms` is what pages and notices show; a sink (`gateway.ports.AlarmSink`) is told of every
alarm once when it is raised and once when it is cleared, also across restarts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, insert, select, update

from gateway.database import Database
from gateway.hems.series import next_number
from gateway.hems.tables import AlarmRow

ALARMS_PER_PAGE_MAX = 500


class AlarmKind(StrEnum):
    """What is wrong."""

    SILENT = "silent"
    SET_ASIDE = "set_aside"
    IRREGULAR_LOAD = "irregular_load"
    TAMPERED = "tampered"
    TRANSFER = "transfer"
    CLOCK = "clock"
    SENSOR = "sensor"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm; `cleared_ms` is None while it stands."""

    number: int
    kind: str
    device_id: str
    detail: str
    raised_ms: int
    cleared_ms: int | None


class AlarmBook:
    """All alarms; at most one of a kind stands for a device."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._standing = {(alarm.kind, alarm.device_id) for alarm in self.standing()}

    def raise_once(
        self, kind: AlarmKind, device_ids: Iterable[str], detail: str, now_ms: int
    ) -> list[Alarm]:
        """The alarms that are new; a device whose alarm of this kind stands gets no second one."""
        wanted = sorted({name for name in device_ids if (kind.value, name) not in self._standing})
        if not wanted:
            return []
        with self._database.writing() as connection:
            standing = select(AlarmRow.device_id).where(
                AlarmRow.cleared_ms.is_(None),
                AlarmRow.kind == kind.value,
                AlarmRow.device_id.in_(wanted),
            )
            known = set(connection.execute(standing).scalars())
            first = next_number(connection, AlarmRow.number)
            new = [
                Alarm(number, kind.value, device_id, detail, now_ms, None)
                for number, device_id in enumerate(
                    (name for name in wanted if name not in known), start=first
                )
            ]
            for alarm in new:
                connection.execute(
                    insert(AlarmRow).values(
                        number=alarm.number,
                        kind=alarm.kind,
                        device_id=alarm.device_id,
                        detail=alarm.detail,
                        raised_ms=now_ms,
                        cleared_ms=None,
                    )
                )
        self._standing |= {(kind.value, name) for name in wanted}
        return new

    def clear(self, kind: AlarmKind, device_ids: Iterable[str], now_ms: int) -> list[Alarm]:
        """The alarms that stood and are over now."""
        wanted = sorted({name for name in device_ids if (kind.value, name) in self._standing})
        if not wanted:
            return []
        with self._database.writing() as connection:
            standing = (
                AlarmRow.cleared_ms.is_(None),
                AlarmRow.kind == kind.value,
                AlarmRow.device_id.in_(wanted),
            )
            over = [
                replace(Alarm(*row), cleared_ms=now_ms)
                for row in connection.execute(select(*_COLUMNS).where(*standing))
            ]
            if over:
                connection.execute(update(AlarmRow).where(*standing).values(cleared_ms=now_ms))
        self._standing -= {(kind.value, name) for name in wanted}
        return over

    def confirm(self, alarm: Alarm, why: str) -> None:
        """Add to a standing alarm why it stands; once."""
        detail = f"{alarm.detail}; {why}"
        if why in alarm.detail:
            return
        with self._database.writing() as connection:
            connection.execute(
                update(AlarmRow)
                .where(AlarmRow.number == alarm.number, AlarmRow.cleared_ms.is_(None))
                .values(detail=detail)
            )

    def standing(
        self, device_id: str | None = None, *, kind: AlarmKind | None = None
    ) -> list[Alarm]:
        """Every alarm that is not cleared, newest first; of one device or kind if named.

        At most one per device and kind, so there is no other limit.
        """
        wanted = select(*_COLUMNS).where(AlarmRow.cleared_ms.is_(None))
        if kind is not None:
            wanted = wanted.where(AlarmRow.kind == kind.value)
        return self._read(wanted if device_id is None else _of(wanted, device_id))

    def all(self, device_id: str | None = None) -> list[Alarm]:
        """The newest `ALARMS_PER_PAGE_MAX`, standing and cleared ones, newest first."""
        wanted = select(*_COLUMNS).limit(ALARMS_PER_PAGE_MAX)
        return self._read(_of(wanted, device_id) if device_id else wanted)

    def _read(self, wanted: Select[*tuple[Any, ...]]) -> list[Alarm]:
        newest_first = wanted.order_by(AlarmRow.number.desc())
        with self._database.reading() as connection:
            return [Alarm(*row) for row in connection.execute(newest_first)]


_COLUMNS = (
    AlarmRow.number,
    AlarmRow.kind,
    AlarmRow.device_id,
    AlarmRow.detail,
    AlarmRow.raised_ms,
    AlarmRow.cleared_ms,
)


def _of(wanted: Select[*tuple[Any, ...]], device_id: str) -> Select[*tuple[Any, ...]]:
    return wanted.where(AlarmRow.device_id == device_id)
