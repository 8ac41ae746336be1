"""Meter readings on the ledger: accepted once, signed by the device, registers only grow.

All or nothing: one bad reading refuses the whole report and is named, so that the oracle can
leave it out and report the rest.
"""

from dataclasses import dataclass
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.community import Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.hours import TIME_MS_MAX
from chaincode.energy.oracle.readings import (
    CLOCK_AHEAD_MS_MAX,
    QUALITIES,
    REGISTER_WH_MAX,
    SEQ_MAX,
    problem_following,
)
from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.oracle.signatures import is_signed_by
from chaincode.energy.records import decode
from chaincode.energy.registry.records import Meter, Status
from chaincode.energy.world import World

READINGS_PER_REPORT_MAX = 500
SIGNATURE_CHARACTERS_MAX = 200
NEAR_SCANS_MAX = 450
"""Meters looked up one by one at an instant: a peer makes 1,000 range queries for one call, and a
period has two ends."""
_REPORTERS = frozenset({Role.ORACLE})
_MEMBERS = frozenset(
    {"meter_id", "seq", "t_end_ms", "import_wh", "export_wh", "quality", "signature"}
)


@dataclass(frozen=True, slots=True)
class Report:
    """How many readings were new, and how many were recorded before and counted once."""

    accepted: int
    duplicates: int


@dataclass(slots=True)
class MeterState:
    """A meter, None if nobody registered it, and its last reading while a report is processed."""

    meter: Meter | None
    head: MeterReading | None

    def advance(self, reading: MeterReading) -> bool:
        """Take an acceptable reading; False for one that is recorded, which changes nothing."""
        is_new = problem_following(self.head, reading) is None
        if is_new:
            self.head = reading
        return is_new


async def report_readings(world: World, readings: list[Any]) -> Report:
    """Record readings in the order given; per meter they must be in the order of time."""
    await world.require_role(_REPORTERS)
    given = checked_readings(readings)
    states = await states_of(world, given)
    accepted: list[MeterReading] = []
    for reading in given:
        state = states[reading.meter_id]
        refusal = await refusal_of(world, state, reading)
        if refusal is not None:
            raise refused(refusal, f"meter {reading.meter_id}, seq {reading.seq}")
        if state.advance(reading):
            accepted.append(reading)
    await _record(world, accepted)
    return Report(accepted=len(accepted), duplicates=len(given) - len(accepted))


def checked_readings(readings: list[Any]) -> list[MeterReading]:
    """The readings of a report; refuses one that is too long or malformed."""
    arguments.checked_list(readings, "readings", at_most=READINGS_PER_REPORT_MAX)
    return [_reading(entry) for entry in readings]


async def states_of(world: World, readings: list[MeterReading]) -> dict[str, MeterState]:
    """Meters and their last readings, in one request to the peer."""
    meter_ids = sorted({reading.meter_id for reading in readings})
    count = len(meter_ids)
    raw = await world.stub.get_states(
        [keys.meter(name) for name in meter_ids] + [keys.meter_head(name) for name in meter_ids]
    )
    return {
        name: MeterState(
            meter=decode(Meter, meter_raw) if meter_raw else None,
            head=decode(MeterReading, head_raw) if head_raw else None,
        )
        for name, meter_raw, head_raw in zip(meter_ids, raw[:count], raw[count:], strict=True)
    }


async def refusal_of(world: World, state: MeterState, reading: MeterReading) -> Refusal | None:
    """Why a reading contradicts its device or its history; None if it is new or recorded so."""
    if state.meter is None:
        return Refusal.UNKNOWN_METER
    if state.meter.status != Status.APPROVED:
        return Refusal.NOT_APPROVED
    if not is_signed_by(state.meter, reading):
        return Refusal.BAD_READING_SIGNATURE
    if reading.t_end_ms > world.now_ms + CLOCK_AHEAD_MS_MAX:
        return Refusal.READING_IN_THE_FUTURE
    problem = problem_following(state.head, reading)
    if problem is Refusal.READING_OUT_OF_ORDER and await _is_recorded(world, state, reading):
        return None
    return problem


async def registers_at(
    world: World,
    meter_ids: list[str],
    instant_ms: int,
    *,
    tolerance_ms: int,
    scans_max: int | None = None,
) -> list[MeterReading | None]:
    """Per meter its last reading in (instant - tolerance, instant]; None if there is none.

    The same rule at both ends of a period, so neighbouring periods share their boundary
    reading and no Wh is counted twice or lost. Readings at the very instant, the usual case,
    come in one request; without one, the first `scans_max` meters (`NEAR_SCANS_MAX`) are looked up
    one by one, and the others count as silent: so a settlement never outgrows a transaction.
    """
    raw = await world.stub.get_states([keys.reading(name, instant_ms) for name in meter_ids])
    found: list[MeterReading | None] = []
    scans_left = NEAR_SCANS_MAX if scans_max is None else scans_max
    for meter_id, exact in zip(meter_ids, raw, strict=True):
        if exact:
            found.append(decode(MeterReading, exact))
            continue
        near: list[tuple[str, MeterReading]] = []
        if scans_left and tolerance_ms:
            scans_left -= 1
            bounds = keys.readings_between(meter_id, instant_ms - tolerance_ms, instant_ms)
            near = await world.scan(MeterReading, bounds)
        found.append(near[-1][1] if near else None)
    return found


async def _is_recorded(world: World, state: MeterState, reading: MeterReading) -> bool:
    recorded = state.head
    if recorded is None or recorded.t_end_ms != reading.t_end_ms:
        key = keys.reading(reading.meter_id, reading.t_end_ms)
        recorded = await world.find(MeterReading, key)
    return recorded is not None and _values(recorded) == _values(reading)


def _values(reading: MeterReading) -> tuple[int, int, int, int, str]:
    """What a reading says; a device may sign the same values again with another nonce."""
    return (
        reading.seq,
        reading.t_end_ms,
        reading.import_wh,
        reading.export_wh,
        reading.quality,
    )


async def _record(world: World, accepted: list[MeterReading]) -> None:
    if not accepted:
        return
    heads = {reading.meter_id: reading for reading in accepted}
    for reading in accepted:
        await world.put(keys.reading(reading.meter_id, reading.t_end_ms), reading)
    for meter_id, head in heads.items():
        await world.put(keys.meter_head(meter_id), head)
    world.announce(
        "EnergyReceived",
        {
            "readings": [
                {
                    "meter_id": reading.meter_id,
                    "seq": reading.seq,
                    "t_end_ms": reading.t_end_ms,
                    "import_wh": reading.import_wh,
                    "export_wh": reading.export_wh,
                }
                for reading in accepted
            ]
        },
    )


def _reading(entry: object) -> MeterReading:
    members = arguments.checked_object(entry, "a reading", _MEMBERS)
    meter_id = arguments.identifier_of(members.get("meter_id"), "meter_id")
    signature = arguments.text_in(members, "signature")
    if len(signature) > SIGNATURE_CHARACTERS_MAX:
        arguments.bad(f"signature is longer than {SIGNATURE_CHARACTERS_MAX} characters")

    def register(name: str, at_most: int) -> int:
        value = arguments.number_in(members, name)
        return arguments.not_negative(value, f"{meter_id}: {name}", at_most=at_most)

    return MeterReading(
        meter_id=meter_id,
        seq=register("seq", SEQ_MAX),
        t_end_ms=register("t_end_ms", TIME_MS_MAX),
        import_wh=register("import_wh", REGISTER_WH_MAX),
        export_wh=register("export_wh", REGISTER_WH_MAX),
        quality=arguments.one_of(members.get("quality"), "quality", QUALITIES),
        signature=signature,
    )
