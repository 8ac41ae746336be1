"""What the auction shows afterwards: matches and trades, of one household or of all."""

from chaincode.energy import arguments, keys
from chaincode.energy.market.auction_records import AuctionResult, Match
from chaincode.energy.market.matches import (
    get_result,
    matches_of,
    matches_of_household,
    read_pages,
)
from chaincode.energy.market.records import MarketOrder
from chaincode.energy.market.trades import Trade, trades_of
from chaincode.energy.world import World


async def get_matches(world: World, listing_id: str, idgrid: str) -> list[Match]:
    """Matches in ledger order; of all households if none is named."""
    result = await get_result(world, listing_id)
    if not idgrid:
        return await matches_of(world, result)
    return await matches_of_household(world, result, arguments.identifier(idgrid, "idgrid"))


async def get_trades(world: World, listing_id: str, idgrid: str) -> list[Trade]:
    """Who serves whom; only the trades of one household if it is named. Reads the whole book."""
    result = await get_result(world, listing_id)
    trades = trades_of(result, await _placed(world, result), await matches_of(world, result))
    return [trade for trade in trades if not idgrid or idgrid in (trade.seller, trade.buyer)]


async def _placed(world: World, result: AuctionResult) -> list[MarketOrder]:
    """The orders of a listing, from the pages of a large book."""
    if result.pages:
        return [order for page, _ in await read_pages(world, result) for order in page.orders()]
    bounds = keys.under("order", result.listing_id)
    return [order for _, order in await world.scan(MarketOrder, bounds)]
