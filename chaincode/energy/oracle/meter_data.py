"""Reading what meters reported: single values for those allowed, totals for the operators.

The owner sees all of its meter while it owns it; so does who has its grant. Everybody else sees
no single meter, staff included: they see sums over at least `METERS_IN_TOTAL_MIN` meters, the
fewest over which a sum does not give a household away (row E012, 003:813). The oracle, which
carries the readings, may ask for the last one.
"""

from dataclasses import dataclass

from chaincode.energy import keys
from chaincode.energy.access.grants import require_granted
from chaincode.energy.arguments import bad
from chaincode.energy.community import PARTICIPANTS, STAFF, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.hours import TIME_MS_MAX
from chaincode.energy.oracle.readings import energy_between
from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.oracle.reports import registers_at
from chaincode.energy.registry import devices
from chaincode.energy.registry.records import Connection, Meter
from chaincode.energy.world import World

READINGS_PER_PAGE_MAX = 1_000
METERS_IN_TOTAL_MIN = 3
_CARRIERS = frozenset({Role.ORACLE})


@dataclass(frozen=True, slots=True)
class Totals:
    """Energy of all metered connections in a period, in Wh, and how many there were."""

    from_ms: int
    to_ms: int
    meters: int
    imported_wh: int
    exported_wh: int


async def require_reader(world: World, meter: Meter) -> None:
    """Refuse who is neither the meter's owner nor has its grant, with NO_DATA_ACCESS."""
    caller = world.caller
    if caller.role in PARTICIPANTS:
        reader = (await world.caller_is_registered()).idgrid
        if reader == meter.owner_idgrid:
            return
    else:
        reader = await world.require_role(STAFF)
    raw = await world.stub.get_state(keys.access(meter.owner_idgrid, reader))
    require_granted(raw, [meter.meter_id], world.now_ms)


async def meter_series(
    world: World, *, meter_id: str, from_ms: int, to_ms: int
) -> list[MeterReading]:
    """Readings with from_ms < t_end_ms <= to_ms, the first `READINGS_PER_PAGE_MAX` of them.

    None from before the meter's present owner had it.
    """
    meter = await devices.get(world, meter_id)
    await require_reader(world, meter)
    _check_period(from_ms, to_ms)
    begin_ms = max(from_ms, meter.owned_since_ms)
    if begin_ms >= to_ms:
        return []
    bounds = keys.readings_between(meter_id, begin_ms, to_ms)
    rows = await world.scan(MeterReading, bounds, limit=READINGS_PER_PAGE_MAX)
    return [reading for _, reading in rows]


async def last_reading(world: World, meter_id: str) -> MeterReading:
    """The newest accepted reading of a meter; also for the oracle."""
    meter = await devices.get(world, meter_id)
    if world.caller.role in _CARRIERS:
        await world.require_role(_CARRIERS)
    else:
        await require_reader(world, meter)
    head = keys.meter_head(meter_id)
    return await world.get(MeterReading, head, Refusal.READINGS_MISSING, meter_id)


async def totals(world: World, *, from_ms: int, to_ms: int, tolerance_ms: int) -> Totals:
    """For staff: the community's import and export between two instants.

    Connections without a reading in the `tolerance_ms` before either instant are left out.
    """
    await world.require_role(STAFF)
    _check_period(from_ms, to_ms)
    rows = await world.scan(Connection, keys.under("connection"))
    meter_ids = [connection.meter_id for _, connection in rows if connection.measures(from_ms)]
    starts, ends = [
        await registers_at(world, meter_ids, instant_ms, tolerance_ms=tolerance_ms)
        for instant_ms in (from_ms, to_ms)
    ]
    periods = [
        energy_between(start, end)
        for start, end in zip(starts, ends, strict=True)
        if start is not None and end is not None
    ]
    if len(periods) < METERS_IN_TOTAL_MIN:
        raise refused(Refusal.TOO_FEW_METERS, f"{len(periods)} of {METERS_IN_TOTAL_MIN}")
    return Totals(
        from_ms=from_ms,
        to_ms=to_ms,
        meters=len(periods),
        imported_wh=sum(period.imported_wh for period in periods),
        exported_wh=sum(period.exported_wh for period in periods),
    )


def _check_period(from_ms: int, to_ms: int) -> None:
    if not 0 <= from_ms < to_ms <= TIME_MS_MAX:
        bad("from_ms must be before to_ms")
