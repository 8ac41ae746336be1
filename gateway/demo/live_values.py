"""What the demo's devices show at an instant: the data set's hours as a moving line. Pure.

The set has one mean per hour. Between the middles of two hours the power goes in a straight line,
so that it moves as one looks; the registers count the hours' sums as they are. Voltage and current
are not in the set: they are those of a connection at the end of a line of `LINE_MILLIOHM`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.hems.profiles import Profiles

NOMINAL_MV = 230_000
NOMINAL_V = 230
LINE_MILLIOHM = 400
PERMILLE = 1_000
MIDDLE_PERMILLE = 500


@dataclass(frozen=True, slots=True)
class Moment:
    """A place in the data set: the row of an hour, and how much of that hour is over."""

    row: int
    permille: int


@dataclass(frozen=True, slots=True)
class LiveValues:
    """Of one device at an instant; power is positive where it is taken from the grid."""

    u_mv: int
    i_ma: int
    p_mw: int


def moment_at(
    now_ms: int, *, start_ms: int, hour_ms: int, first_hour: datetime, profiles: Profiles
) -> Moment:
    """Where the market is at a real instant; its first hour begins at `start_ms`."""
    hours, rest_ms = divmod(now_ms - start_ms, hour_ms)
    row = (profiles.hour_index(first_hour) + hours) % profiles.hours
    return Moment(row, rest_ms * PERMILLE // hour_ms)


def power_w(hourly_wh: Sequence[int], moment: Moment) -> int:
    """The power at a moment of a series that has the energy of each hour; it begins again."""
    row = moment.row
    if moment.permille < MIDDLE_PERMILLE:
        before, after = hourly_wh[row - 1], hourly_wh[row]
        share = moment.permille + MIDDLE_PERMILLE
    else:
        before, after = hourly_wh[row], hourly_wh[(row + 1) % len(hourly_wh)]
        share = moment.permille - MIDDLE_PERMILLE
    return (before * (PERMILLE - share) + after * share) // PERMILLE


def values_of(watts: int) -> LiveValues:
    """Voltage and current that go with a power: taking lowers the voltage, feeding lifts it."""
    u_mv = NOMINAL_MV - watts * LINE_MILLIOHM // NOMINAL_V
    return LiveValues(u_mv=u_mv, i_ma=abs(watts) * 1_000_000 // u_mv, p_mw=watts * 1_000)
