"""The energy a listing settles on: signed readings, and what replaces them."""

from dataclasses import dataclass

from chaincode.energy import keys
from chaincode.energy.market.records import Listing
from chaincode.energy.oracle.readings import energy_between
from chaincode.energy.oracle.reports import registers_at
from chaincode.energy.oracle.throughout import measured_throughout
from chaincode.energy.registry.records import Connection
from chaincode.energy.settlement.pool import Metered
from chaincode.energy.settlement.records import Metering, Substitute
from chaincode.energy.world import World

READINGS_READ_MAX = 9_000
"""A connection, its readings at both ends and at the whole hours in between: of 2,250 meters with
one such hour. A peer reads 10,000 keys for one call at most; beyond, nothing is `measured`."""
SILENT = Metered(imported_wh=0, exported_wh=0, metering=Metering.MISSING)


@dataclass(frozen=True, slots=True)
class Readings:
    """Energy per household, and the households of which readings are missing."""

    metered: dict[str, Metered]
    silent: frozenset[str]


async def measured(world: World, listing: Listing, *, operator_decides: bool) -> Readings:
    """Energy of every connection in the delivery period.

    What the grid operator has stated counts where readings are missing; with
    `operator_decides`, for corrections, it counts before readings too.
    """
    readings = await _from_registers(world, listing)
    metered = dict(readings.metered)
    bounds = keys.under("substitute", listing.listing_id)
    for _, substitute in await world.scan(Substitute, bounds):
        if operator_decides or substitute.idgrid not in metered:
            metered[substitute.idgrid] = Metered(
                imported_wh=substitute.imported_wh,
                exported_wh=substitute.exported_wh,
                metering=Metering.SUBSTITUTED,
            )
    return Readings(metered=metered, silent=readings.silent - metered.keys())


async def _from_registers(world: World, listing: Listing) -> Readings:
    """Differences of the registers at both ends; a household needs them of all its meters."""
    scanned = await world.scan(Connection, keys.under("connection"))
    start_ms, end_ms = listing.delivery_start_ms, listing.delivery_end_ms
    connections = [connection for _, connection in scanned if connection.measures(start_ms)]
    starts, ends = [
        await registers_at(
            world,
            [connection.meter_id for connection in connections],
            instant_ms,
            tolerance_ms=listing.reading_tolerance_ms,
        )
        for instant_ms in (start_ms, end_ms)
    ]
    throughout = await measured_throughout(
        world,
        [(start, end) for start, end in zip(starts, ends, strict=True) if start and end],
        from_ms=start_ms,
        to_ms=end_ms,
        reads_max=max(0, READINGS_READ_MAX - 3 * len(connections)),
    )
    metered: dict[str, Metered] = {}
    silent: set[str] = set()
    for connection, start, end in zip(connections, starts, ends, strict=True):
        if start is None or end is None:
            silent.add(connection.idgrid)
            continue
        period = energy_between(start, end)
        so_far = metered.get(connection.idgrid, Metered(0, 0))
        metered[connection.idgrid] = Metered(
            imported_wh=so_far.imported_wh + period.imported_wh,
            exported_wh=so_far.exported_wh + period.exported_wh,
            metering=so_far.metering if start.meter_id in throughout else Metering.ESTIMATED,
        )
    complete = {name: meter for name, meter in metered.items() if name not in silent}
    return Readings(metered=complete, silent=frozenset(silent))
