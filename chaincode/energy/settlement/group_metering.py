"""Groups in settlement: each stands as one household with its members' energy added up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaincode.energy import keys
from chaincode.energy.idgrid import GROUP_PREFIX
from chaincode.energy.market.auction_records import Match
from chaincode.energy.market.rationing import largest_remainder
from chaincode.energy.market.records import Listing, MarketOrder, OwnOrders
from chaincode.energy.settlement.metering import SILENT, Readings, measured
from chaincode.energy.settlement.pool import Metered
from chaincode.energy.settlement.records import SettlementLine, least_trustworthy
from chaincode.energy.world import World


@dataclass(frozen=True, slots=True)
class Merged:
    """Energy per household and group, and the members whose readings are missing."""

    metered: dict[str, Metered]
    missing: tuple[str, ...]


def merged(metered: Mapping[str, Metered], groups: Mapping[str, Sequence[str]]) -> Merged:
    """Put each group in the place of its members: their energy added up under the group's id.

    `groups`: group id -> members it ordered for. A member without readings counts as zero, in the
    label as missing, and is named, so that settlement waits for it as long as for any household.
    """
    result = dict(metered)
    missing: list[str] = []
    for group_id, members in groups.items():
        missing += [idgrid for idgrid in members if idgrid not in metered]
        meters = [result.pop(idgrid, SILENT) for idgrid in members]
        result[group_id] = Metered(
            imported_wh=sum(meter.imported_wh for meter in meters),
            exported_wh=sum(meter.exported_wh for meter in meters),
            metering=least_trustworthy(meter.metering for meter in meters),
        )
    return Merged(metered=result, missing=tuple(sorted(missing)))


async def with_groups(
    world: World, listing_id: str, matches: Sequence[Match], readings: Readings
) -> tuple[Readings, tuple[str, ...]]:
    """The readings with every matched group in the place of its members.

    Also the members whose readings are missing: settlement waits for them, then counts zero.
    """
    group_ids = sorted(
        {match.idgrid for match in matches if match.idgrid.startswith(GROUP_PREFIX)}
    )
    groups = {
        group_id: await members_ordered_for(world, listing_id, group_id) for group_id in group_ids
    }
    together = merged(readings.metered, groups)
    return Readings(metered=together.metered, silent=readings.silent), together.missing


async def members_ordered_for(world: World, listing_id: str, group_id: str) -> list[str]:
    """The households a group's orders in a listing name, by IDgrid."""
    orders = await world.scan(MarketOrder, keys.under("order", listing_id, group_id))
    return sorted({idgrid for _, order in orders for idgrid in order.members})


def shared_energy(
    line: SettlementLine, meters: Sequence[Metered]
) -> tuple[Sequence[int], Sequence[int]]:
    """Wh sold and bought of a group's line, per member, in proportion to what its meter shows."""
    sold = largest_remainder(claims=[meter.exported_wh for meter in meters], total=line.sold_wh)
    bought = largest_remainder(
        claims=[meter.imported_wh for meter in meters], total=line.bought_wh
    )
    return sold, bought


async def energy_through_group(world: World, listing: Listing, idgrid: str) -> tuple[int, int]:
    """Wh a household sold and bought in a settled listing through the group that ordered for it.

    (0, 0) if none did, or nothing of the group was settled.
    """
    own = await world.find(OwnOrders, keys.own_orders(listing.listing_id, idgrid))
    group_id = own.group_id if own is not None else ""
    key = keys.settlement_line(group_id, listing.listing_id)
    line = await world.find(SettlementLine, key) if group_id else None
    if line is None:
        return 0, 0
    names = await members_ordered_for(world, listing.listing_id, group_id)
    metered = (await measured(world, listing, operator_decides=False)).metered
    sold, bought = shared_energy(line, [metered.get(name, SILENT) for name in names])
    at = names.index(idgrid)
    return sold[at], bought[at]
