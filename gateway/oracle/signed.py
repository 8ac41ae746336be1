"""The job step `check signature`: what a source says of a meter is what the meter signed.

The key and the tier are those of the meter's record on the ledger: for a meter of tier A the
gateway named there vouches, one of tier B or C has a key of its own.
"""

from dataclasses import fields
from decimal import Decimal
from typing import Any

from chaincode.energy.oracle.readings import QUALITIES, energy_between
from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.oracle.signatures import is_signed_by
from chaincode.energy.registry.records import Meter, Status
from gateway.hems.metered_hour import are_ends_of_hour
from gateway.oracle.steps import CHECK_SIGNATURE, PARSE, JobFailed

WH_PER_KWH = 1_000
_NUMBERS = ("seq", "t_end_ms", "import_wh", "export_wh")
_MEMBERS = frozenset(field.name for field in fields(MeterReading))


def reading_from(entry: object, meter_id: str) -> MeterReading:
    """A signed reading of this meter out of JSON; raises `JobFailed`."""
    if not isinstance(entry, dict) or set(entry) != _MEMBERS:
        raise JobFailed(PARSE, "there is no signed reading", may_retry=True)
    if any(type(entry[name]) is not int or entry[name] < 0 for name in _NUMBERS):
        raise JobFailed(PARSE, "a reading's numbers are whole and not negative", may_retry=True)
    if entry["quality"] not in QUALITIES or not isinstance(entry["signature"], str):
        raise JobFailed(PARSE, "a reading has a quality and a signature", may_retry=True)
    if entry["meter_id"] != meter_id:
        detail = f"a reading of {str(entry['meter_id'])[:64]} for {meter_id}"
        raise JobFailed(CHECK_SIGNATURE, detail, may_retry=False)
    return MeterReading(**entry)


def check_metered(content: Any, meter: Meter, value_kwh: Decimal, at_ms: int, hour_ms: int) -> str:
    """Whether the meter itself says what the source does of the hour before `at_ms`.

    Returns what was found good, for the log; raises `JobFailed`: a late reading may still come, a
    wrong signature, or a value that does not follow from the registers, does not become right.
    """
    if meter.status != Status.APPROVED:
        raise JobFailed(CHECK_SIGNATURE, f"{meter.meter_id} is not approved", may_retry=True)
    entries = content.get("readings") if isinstance(content, dict) else None
    if not isinstance(entries, list) or len(entries) != len(("start", "end")):
        raise JobFailed(CHECK_SIGNATURE, "the value comes without its readings", may_retry=False)
    start, end = (reading_from(entry, meter.meter_id) for entry in entries)
    for reading in (start, end):
        if not is_signed_by(meter, reading):
            detail = f"{meter.meter_id}, seq {reading.seq}: not signed by the key on the ledger"
            raise JobFailed(CHECK_SIGNATURE, detail, may_retry=False)
    if not are_ends_of_hour(start, end, at_ms=at_ms, hour_ms=hour_ms):
        # Good signatures over another hour prove nothing about this one.
        detail = f"the readings end at {start.t_end_ms} and {end.t_end_ms}: not that hour"
        raise JobFailed(CHECK_SIGNATURE, detail, may_retry=True)
    imported_wh = energy_between(start, end).imported_wh
    if value_kwh * WH_PER_KWH != imported_wh:
        detail = f"{value_kwh} kWh is said, {imported_wh} Wh are signed"
        raise JobFailed(CHECK_SIGNATURE, detail, may_retry=False)
    return f"seq {start.seq} and {end.seq}, tier {meter.tier}, key {meter.key_fingerprint[:16]}"
