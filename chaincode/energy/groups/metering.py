"""Groups in settlement: each stands as one household with its members' energy added up."""

from collections.abc import Sequence

from chaincode.energy import keys
from chaincode.energy.groups.membership import PREFIX
from chaincode.energy.groups.splitting import merged
from chaincode.energy.market.auction_records import Match
from chaincode.energy.market.records import MarketOrder
from chaincode.energy.settlement.metering import Readings
from chaincode.energy.world import World


async def with_groups(
    world: World, listing_id: str, matches: Sequence[Match], readings: Readings
) -> tuple[Readings, tuple[str, ...]]:
    """The readings with every matched group in the place of its members.

    Also the members whose readings are missing: settlement waits for them, then counts zero.
    """
    group_ids = sorted({match.idgrid for match in matches if match.idgrid.startswith(PREFIX)})
    groups = {
        group_id: await members_ordered_for(world, listing_id, group_id) for group_id in group_ids
    }
    together = merged(readings.metered, groups)
    return Readings(metered=together.metered, silent=readings.silent), together.missing


async def members_ordered_for(world: World, listing_id: str, group_id: str) -> list[str]:
    """The households a group's orders in a listing name, by IDgrid."""
    orders = await world.scan(MarketOrder, keys.under("order", listing_id, group_id))
    return sorted({idgrid for _, order in orders for idgrid in order.members})
