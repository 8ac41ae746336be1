"""What the auction shows afterwards: price and sums to all, matches to who owns them (E012)."""

from dataclasses import asdict, replace

from chaincode.energy import arguments, keys
from chaincode.energy.community import PARTICIPANTS, STAFF
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


async def result_seen(world: World, listing_id: str) -> AuctionResult:
    """Price, sums and curves for everybody; a participant sees its own matches only."""
    result = await get_result(world, listing_id)
    if world.caller.role not in PARTICIPANTS:
        await world.require_role(STAFF)
        return result
    own = await matches_of_household(world, result, (await world.caller_is_registered()).idgrid)
    return replace(result, matches=[asdict(match) for match in own], pages=[])


async def get_matches(world: World, listing_id: str, idgrid: str) -> list[Match]:
    """Matches in ledger order; of all households if none is named, for staff."""
    await _may_see(world, idgrid)
    result = await get_result(world, listing_id)
    if not idgrid:
        return await matches_of(world, result)
    return await matches_of_household(world, result, idgrid)


async def get_trades(world: World, listing_id: str, idgrid: str) -> list[Trade]:
    """Who serves whom; all trades for staff, those of one household for itself too.

    Reads the whole book.
    """
    await _may_see(world, idgrid)
    result = await get_result(world, listing_id)
    trades = trades_of(result, await _placed(world, result), await matches_of(world, result))
    return [trade for trade in trades if not idgrid or idgrid in (trade.seller, trade.buyer)]


async def _may_see(world: World, idgrid: str) -> None:
    if idgrid:
        await world.require_own_or_staff(arguments.identifier(idgrid, "idgrid"))
    else:
        await world.require_role(STAFF)


async def _placed(world: World, result: AuctionResult) -> list[MarketOrder]:
    """The orders of a listing, from the pages of a large book."""
    if result.pages:
        return [order for page, _ in await read_pages(world, result) for order in page.orders()]
    bounds = keys.under("order", result.listing_id)
    return [order for _, order in await world.scan(MarketOrder, bounds)]
