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
class _MeterState:
    """A meter and its last accepted reading while a report is processed."""

    meter: Meter
    head: MeterReading | None


async def report_readings(world: World, readings: list[Any]) -> Report:
    """Record readings in the order given; per meter they must be in the order of time."""
    await world.require_role(_REPORTERS)
    arguments.checked_list(readings, "readings", at_most=READINGS_PER_REPORT_MAX)
    given = [_reading(entry) for entry in readings]
    states = await _load(world, sorted({reading.meter_id for reading in given}))
    accepted: list[MeterReading] = []
    for reading in given:
        if await _is_new(world, states[reading.meter_id], reading):
            accepted.append(reading)
            states[reading.meter_id].head = reading
    await _record(world, accepted)
    return Report(accepted=len(accepted), duplicates=len(given) - len(accepted))


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


async def _load(world: World, meter_ids: list[str]) -> dict[str, _MeterState]:
    """Meters and their last readings, in one request to the peer."""
    count = len(meter_ids)
    raw = await world.stub.get_states(
        [keys.meter(name) for name in meter_ids] + [keys.meter_head(name) for name in meter_ids]
    )
    states = {}
    for name, meter_raw, head_raw in zip(meter_ids, raw[:count], raw[count:], strict=True):
        if not meter_raw:
            raise refused(Refusal.UNKNOWN_METER, name)
        meter = decode(Meter, meter_raw)
        if meter.status != Status.APPROVED:
            raise refused(Refusal.NOT_APPROVED, f"meter {name}")
        head = decode(MeterReading, head_raw) if head_raw else None
        states[name] = _MeterState(meter=meter, head=head)
    return states


async def _is_new(world: World, state: _MeterState, reading: MeterReading) -> bool:
    """False for an exact repetition; refuses what contradicts the device or its history."""
    name = f"meter {reading.meter_id}, seq {reading.seq}"
    if not is_signed_by(state.meter, reading):
        raise refused(Refusal.BAD_READING_SIGNATURE, name)
    if reading.t_end_ms > world.now_ms + CLOCK_AHEAD_MS_MAX:
        arguments.bad(f"{name}: t_end_ms is in the future")
    problem = problem_following(state.head, reading)
    if problem is Refusal.READING_OUT_OF_ORDER and await _is_recorded(world, state, reading):
        return False
    if problem is not None:
        raise refused(problem, name)
    return True


async def _is_recorded(world: World, state: _MeterState, reading: MeterReading) -> bool:
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
