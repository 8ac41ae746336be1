"""Clearing a listing: the book from the ledger, the price rule, the result and the escrows.

A book of up to `PAGE_ORDERS` orders clears in one transaction. For a larger one each call of
`clear` does the next step of `auction_pages`, so whoever calls it until the listing is CLEARED
needs to know nothing of pages; `steps` tells who wants to do several at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from chaincode.energy import keys
from chaincode.energy.community import MARKET_OPERATORS, STAFF
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market import auction_pages
from chaincode.energy.market.announcing import announce_result
from chaincode.energy.market.auction_records import AuctionResult
from chaincode.energy.market.deciding import matches_of_outcome, result_of, with_details
from chaincode.energy.market.escrow_release import release_escrows
from chaincode.energy.market.ledger_positions import positions_of
from chaincode.energy.market.listings import get_listing, move_to
from chaincode.energy.market.matches import get_result
from chaincode.energy.market.outcome import Outcome, decide
from chaincode.energy.market.records import Listing, ListingState, MarketOrder
from chaincode.energy.market.trades import trades_of
from chaincode.energy.world import World

_OPEN = frozenset({ListingState.AUTHORIZE_OFFERS, ListingState.REVEALING})


async def clear(world: World, listing_id: str) -> dict[str, object]:
    """Clear a closed listing and release what matched bids do not need.

    The answer is the `AuctionResult`, or of a large book not yet decided its `listing_id` and
    how many pages are `tallied`. A call after the end returns the result and changes nothing.
    """
    await world.require_role(MARKET_OPERATORS)
    listing = await get_listing(world, listing_id)
    if listing.state in _OPEN:
        raise refused(Refusal.TOO_EARLY, f"bidding in {listing_id} is still open")
    if listing.state == ListingState.CLEARING:
        return asdict(await _go_on_releasing(world, listing))
    if listing.state != ListingState.BIDS_CLOSED:
        return asdict(await get_result(world, listing_id))
    pages, following = await auction_pages.next_untallied(world, listing_id)
    if following is None:
        return asdict(await auction_pages.decide_pages(world, listing, pages))
    if not pages:
        placed = await orders_of(world, listing_id)
        if len(placed) <= auction_pages.PAGE_ORDERS:
            return asdict(await _clear_at_once(world, listing, placed))
    await auction_pages.tally(world, listing_id, following)
    return {"listing_id": listing_id, "tallied": len(pages) + 1}


async def orders_of(world: World, listing_id: str) -> list[MarketOrder]:
    """The orders of a listing in key order, at most one more than a transaction clears."""
    bounds = keys.under("order", listing_id)
    return [
        order
        for _, order in await world.scan(MarketOrder, bounds, limit=auction_pages.PAGE_ORDERS + 1)
    ]


async def finish(
    world: World,
    listing: Listing,
    placed: Sequence[MarketOrder],
    positions: Mapping[str, int],
    outcome: Outcome,
    *,
    solved_by: str = "contract",
) -> AuctionResult:
    """Write the result of a book that fits into one transaction. `placed` in ledger order."""
    matches = matches_of_outcome(listing, outcome, placed, positions)
    result = with_details(result_of(listing, outcome, solved_by=solved_by), outcome, matches)
    await world.put(keys.result(listing.listing_id), result)
    kept = {match.order_id: match.locked_utoken for match in matches}
    await release_escrows(world, listing, placed, kept)
    await move_to(world, listing, ListingState.CLEARED)
    announce_result(world, result, matches, trades_of(result, placed, matches))
    return result


async def steps(world: World, listing_id: str) -> list[list[str]]:
    """Calls that are due to clear a listing, each a function and its arguments.

    They may be sent together; then ask again, until none is left. Only for a query: it reads the
    sums of as many households as a peer allows, and names the first of each page; for staff.
    """
    await world.require_role(STAFF)
    listing = await get_listing(world, listing_id)
    if listing.state == ListingState.CLEARING:
        result = await get_result(world, listing_id)
        left = await auction_pages.next_unreleased(world, result)
        calls = [["auction:release", listing_id, first] for first in left]
        return calls or [["market:clear", listing_id]]
    if listing.state != ListingState.BIDS_CLOSED:
        return []
    pages, start = await auction_pages.next_untallied(world, listing_id)
    if start is None:
        return [["market:clear", listing_id]]
    starts = await auction_pages.page_starts(world, listing_id, start)
    if not pages and len(starts) == 1:
        return [["market:clear", listing_id]]
    return [["auction:tally", listing_id, first] for first in starts]


async def _clear_at_once(
    world: World, listing: Listing, placed: list[MarketOrder]
) -> AuctionResult:
    positions = await positions_of(world, listing, placed)
    placed.sort(key=lambda order: positions[order.order_id])
    outcome = decide(listing, placed, positions)
    return await finish(world, listing, placed, positions, outcome)


async def _go_on_releasing(world: World, listing: Listing) -> AuctionResult:
    """Release the next page of a decided book, or end clearing when none is left."""
    result = await get_result(world, listing.listing_id)
    left = await auction_pages.next_unreleased(world, result)
    if left:
        await auction_pages.release(world, listing.listing_id, left[0])
    else:
        await move_to(world, listing, ListingState.CLEARED, event="Cleared")
    return result
