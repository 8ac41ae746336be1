"""Meter readings: what a device signs, what makes a reading acceptable. Pure rules."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaincode.energy.errors import Refusal
from chaincode.energy.hours import HOUR_MS
from chaincode.energy.oracle.records import MeterReading

MEASURED = "measured"
QUALITIES = (MEASURED, "estimated", "substituted")
CLOCK_AHEAD_MS_MAX = 5 * 60 * 1000
REGISTER_WH_MAX = 10**15
SEQ_MAX = 10**15


@dataclass(frozen=True, slots=True)
class Period:
    """Energy through one meter between two readings, in Wh."""

    imported_wh: int
    exported_wh: int


def signed_message(reading: MeterReading) -> bytes:
    """The bytes a meter signs: with its P-256 key (ECDSA over SHA-256), or tier A its HMAC.

    One line of ASCII, easy to build on a microcontroller; no field may contain `|`:
    `gridledger-reading-1|meter|seq|t_end_ms|import_wh|export_wh|quality`.
    """
    return _line("gridledger-reading-1", reading)


def attested_message(reading: MeterReading) -> bytes:
    """The bytes a gateway signs for a meter of tier A, whose HMAC it has checked."""
    return _line("gridledger-attested-1", reading)


def _line(purpose: str, reading: MeterReading) -> bytes:
    return (
        f"{purpose}|{reading.meter_id}|{reading.seq}|{reading.t_end_ms}"
        f"|{reading.import_wh}|{reading.export_wh}|{reading.quality}"
    ).encode("ascii")


def problem_following(previous: MeterReading | None, reading: MeterReading) -> Refusal | None:
    """Why `reading` cannot follow the last accepted one of the same meter; None if it can."""
    if previous is None:
        return None
    if reading.seq <= previous.seq or reading.t_end_ms <= previous.t_end_ms:
        return Refusal.READING_OUT_OF_ORDER
    if reading.import_wh < previous.import_wh or reading.export_wh < previous.export_wh:
        return Refusal.REGISTER_DECREASED
    return None


def energy_between(start: MeterReading, end: MeterReading) -> Period:
    """Energy of a period: the difference of the cumulative registers."""
    return Period(
        imported_wh=end.import_wh - start.import_wh,
        exported_wh=end.export_wh - start.export_wh,
    )


def whole_hours_between(from_ms: int, to_ms: int) -> range:
    """The whole hours (UTC) after one instant and before another."""
    return range((from_ms // HOUR_MS + 1) * HOUR_MS, to_ms, HOUR_MS)


def is_measured(
    start: MeterReading,
    end: MeterReading,
    within: Sequence[MeterReading | None],
    *,
    from_ms: int,
    to_ms: int,
) -> bool:
    """Whether the meter signed that it measured all of a period.

    `quality` is about everything since the last whole hour before a reading, so the reading at the
    end of an hour speaks for those in between, which are not on the ledger. A period over whole
    hours needs the readings `within` at each of them. A reading that stands for another instant
    leaves a time for which no signature speaks.
    """
    speaking = [start, *within, end]
    instants = [from_ms, *whole_hours_between(from_ms, to_ms), to_ms]
    stood = [reading.t_end_ms for reading in speaking if reading is not None]
    qualities = {reading.quality for reading in speaking[1:] if reading is not None}
    return stood == instants and qualities == {MEASURED}
