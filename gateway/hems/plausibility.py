"""Whether a signed reading can be true beside what is known of its meter. Pure rules.

A reading that breaks one is set aside with the reason, and never settles anything: settlement then
finds readings missing and takes the dispute path (docs/settlement.md).
"""

from dataclasses import dataclass
from enum import StrEnum

from chaincode.energy.oracle.records import MeterReading

MS_PER_HOUR = 3_600_000
OUTBOX_HOURS = 24
"""How long a device keeps what the gateway has not stored."""
COPIES_MAX = 16
"""A device forgets what is stored; so many copies of one reading come from somebody else."""


class Doubt(StrEnum):
    """Why a message of a meter is set aside."""

    MALFORMED = "malformed"
    FOREIGN_METER = "foreign_meter"
    UNKNOWN_METER = "unknown_meter"
    BAD_SIGNATURE = "bad_signature"
    REPLAYED = "replayed"
    CONFLICTING = "conflicting"
    CLOCK_AHEAD = "clock_ahead"
    CLOCK_BEHIND = "clock_behind"
    CLOCK_ORDER = "clock_order"
    REGISTER_BACK = "register_back"
    REGISTER_JUMP = "register_jump"

    @property
    def text(self) -> str:
        """What the operator reads."""
        return _TEXTS[self]


_TEXTS = {
    Doubt.MALFORMED: "the message is not a reading",
    Doubt.FOREIGN_METER: "the device speaks for another meter",
    Doubt.UNKNOWN_METER: "the meter is not registered and approved",
    Doubt.BAD_SIGNATURE: "the meter's key did not sign these values",
    Doubt.REPLAYED: "a copy of a reading its device has forgotten long ago",
    Doubt.CONFLICTING: "another reading with this number is stored",
    Doubt.CLOCK_AHEAD: "its time is in the future",
    Doubt.CLOCK_BEHIND: "its time is older than the device can have kept it",
    Doubt.CLOCK_ORDER: "its time does not lie between those of its neighbours",
    Doubt.REGISTER_BACK: "a register ran backwards",
    Doubt.REGISTER_JUMP: "a register grew by more than the connection can carry",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What is possible in a community; the defaults suit households on an ordinary clock."""

    clock_ahead_ms_max: int = 5 * 60_000
    age_ms_max: int = OUTBOX_HOURS * MS_PER_HOUR
    connection_w_max: int = 50_000
    interval_ms: int = 15 * 60_000
    copy_ms_max: int = 10 * 60_000
    """How long after storing a device that stayed connected may send a copy."""
    energy_hour_ms: int = MS_PER_HOUR
    """Real milliseconds of a market hour: fewer on an accelerated clock."""

    def energy_wh_max(self, elapsed_ms: int) -> int:
        """The most a connection carries in a time; a margin of one interval for its clock."""
        return self.connection_w_max * (elapsed_ms + self.interval_ms) // self.energy_hour_ms


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The stored readings next to a new one by number; `same` has its number."""

    before: MeterReading | None = None
    after: MeterReading | None = None
    same: MeterReading | None = None
    same_received_ms: int = 0
    same_copies: int = 0
    back_since_ms: int = 0
    """When the device connected last, or this gateway started: copies are sent again then."""


def is_copy(one: MeterReading, other: MeterReading) -> bool:
    """Whether both say the same; a device may sign the same values with another nonce."""
    return _values(one) == _values(other)


def doubt_about(
    reading: MeterReading, known: Neighbours, *, now_ms: int, limits: Limits
) -> Doubt | None:
    """Why this reading is set aside; None if it can be true (or is a copy of a stored one)."""
    if known.same is not None:
        return _doubt_about_copy(reading, known, known.same, now_ms, limits)
    if reading.t_end_ms > now_ms + limits.clock_ahead_ms_max:
        return Doubt.CLOCK_AHEAD
    if reading.t_end_ms < now_ms - limits.age_ms_max:
        return Doubt.CLOCK_BEHIND
    for earlier, later in ((known.before, reading), (reading, known.after)):
        doubt = None
        if earlier is not None and later is not None:
            doubt = _doubt_between(earlier, later, limits)
        if doubt is not None:
            return doubt
    return None


def _doubt_about_copy(
    reading: MeterReading, known: Neighbours, same: MeterReading, now_ms: int, limits: Limits
) -> Doubt | None:
    if not is_copy(reading, same):
        return Doubt.CONFLICTING
    age_ms = now_ms - known.same_received_ms
    has_come_back = known.back_since_ms >= known.same_received_ms
    is_late = age_ms > (limits.age_ms_max if has_come_back else limits.copy_ms_max)
    return Doubt.REPLAYED if is_late or known.same_copies >= COPIES_MAX else None


def _doubt_between(earlier: MeterReading, later: MeterReading, limits: Limits) -> Doubt | None:
    elapsed_ms = later.t_end_ms - earlier.t_end_ms
    if elapsed_ms <= 0:
        return Doubt.CLOCK_ORDER
    imported = later.import_wh - earlier.import_wh
    exported = later.export_wh - earlier.export_wh
    if imported < 0 or exported < 0:
        return Doubt.REGISTER_BACK
    if max(imported, exported) > limits.energy_wh_max(elapsed_ms):
        return Doubt.REGISTER_JUMP
    return None


def _values(reading: MeterReading) -> tuple[str, int, int, int, int, str]:
    return (
        reading.meter_id,
        reading.seq,
        reading.t_end_ms,
        reading.import_wh,
        reading.export_wh,
        reading.quality,
    )
