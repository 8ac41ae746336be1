"""Which meters signed that they measured all of a period, by the readings on the ledger."""

from collections.abc import Sequence

from chaincode.energy.oracle.readings import is_measured, whole_hours_between
from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.oracle.reports import registers_at
from chaincode.energy.world import World


async def measured_throughout(
    world: World,
    ends: Sequence[tuple[MeterReading, MeterReading]],
    *,
    from_ms: int,
    to_ms: int,
    reads_max: int,
) -> frozenset[str]:
    """The meters that measured all of a period; `ends` are their readings at both ends of it.

    Reads what stands at the whole hours in between, of which a period of one hour of the clock has
    none. None measured where that would be more than `reads_max` readings.
    """
    hours = whole_hours_between(from_ms, to_ms)
    if len(hours) * len(ends) > reads_max:
        return frozenset()
    meter_ids = [start.meter_id for start, _ in ends]
    within = [await registers_at(world, meter_ids, hour_ms, tolerance_ms=0) for hour_ms in hours]
    return frozenset(
        start.meter_id
        for at, (start, end) in enumerate(ends)
        if is_measured(start, end, [read[at] for read in within], from_ms=from_ms, to_ms=to_ms)
    )
