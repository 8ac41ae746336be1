"""Where the orders of a listing stand in the ledger."""

from collections.abc import Sequence

from chaincode.energy.arrivals import IncompleteHistory
from chaincode.energy.market.records import Listing, MarketOrder
from chaincode.energy.world import World


async def positions_of(
    world: World, listing: Listing, placed: Sequence[MarketOrder]
) -> dict[str, int]:
    """Place of every order among the arrivals; a history that lacks one is an error."""
    positions = await world.positions(listing.listing_id, opened_by_tx=listing.opened_by_tx)
    if unknown := [order.order_id for order in placed if order.order_id not in positions]:
        raise IncompleteHistory(f"the history of the listing lacks order {unknown[0]}")
    return positions
