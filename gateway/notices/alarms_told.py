"""Which alarms are to be told: each when it is raised, and when it is over.

Alarms are numbered as they are raised, so one number says how far raising is told. They end in
any order; what was told as raised and stands is kept in a table until its end is told.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from gateway.hems.alarms import Alarm
from gateway.hems.tables import AlarmRow
from gateway.notices.tables import StandingAlarmRow

ALARMS_PER_STEP = 20
_ALARMS = select(
    AlarmRow.number,
    AlarmRow.kind,
    AlarmRow.device_id,
    AlarmRow.detail,
    AlarmRow.raised_ms,
    AlarmRow.cleared_ms,
)


def alarms_after(connection: Connection, number: int) -> list[Alarm]:
    """The next alarms to be told as raised; their ends are watched for from now on."""
    wanted = (
        _ALARMS.where(AlarmRow.number > number).order_by(AlarmRow.number).limit(ALARMS_PER_STEP)
    )
    found = [Alarm(*row) for row in connection.execute(wanted)]
    if found:
        connection.execute(insert(StandingAlarmRow), [{"number": one.number} for one in found])
    return found


def alarms_over(connection: Connection) -> list[Alarm]:
    """The next alarms to be told as over; they are not watched any more."""
    wanted = (
        _ALARMS.join(StandingAlarmRow, StandingAlarmRow.number == AlarmRow.number)
        .where(AlarmRow.cleared_ms.is_not(None))
        .order_by(AlarmRow.cleared_ms, AlarmRow.number)
        .limit(ALARMS_PER_STEP)
    )
    found = [Alarm(*row) for row in connection.execute(wanted)]
    _end_watch(connection, [alarm.number for alarm in found])
    return found


def _end_watch(connection: Connection, numbers: Sequence[int]) -> None:
    if numbers:
        gone = delete(StandingAlarmRow).where(StandingAlarmRow.number.in_(numbers))
        connection.execute(gone)
