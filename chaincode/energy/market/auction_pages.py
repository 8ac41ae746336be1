"""Clearing a book that outgrows one transaction, page by page (docs/market.md, "Large books").

1. `tally`: the orders of some households become one compact record. Pages follow one another in
   the order of the state's keys and end where a household ends; where one begins and what it
   holds follows from the closed book alone, so anybody may write any of them, again and again.
2. `decide_pages`: once the pages reach from the first household to the last, one transaction
   reads them, decides, and writes the result and the fills of every page.
3. `release`: per page, the escrows are paid out as far as they are not needed, once.

The pages of a step touch no common key, so all may stand in one block.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chaincode.energy import arguments, keys
from chaincode.energy.community import MARKET_OPERATORS
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.announcing import announce_decision, announce_page
from chaincode.energy.market.auction_records import (
    AuctionResult,
    FillsPage,
    ReleasedPage,
    TallyPage,
)
from chaincode.energy.market.deciding import matches_of_outcome, result_of
from chaincode.energy.market.escrow_release import release_escrows
from chaincode.energy.market.ledger_positions import positions_of
from chaincode.energy.market.listings import get_listing, move_to
from chaincode.energy.market.matches import get_result, page_matches, read_pages
from chaincode.energy.market.outcome import decide
from chaincode.energy.market.placing import SEALED
from chaincode.energy.market.records import Listing, ListingState, MarketOrder, OwnOrders
from chaincode.energy.world import World

PAGE_ORDERS = 1000
"""Orders a transaction tallies or releases at most: half a MiB of a transaction's 1 MiB."""
PAGES_MAX = 30
"""Pages of a listing: what `decide_pages` writes grows with the book, 30,000 orders in all."""
PLANNED_HOUSEHOLDS_MAX = 9_000
"""Households looked ahead at in one query: a peer reads 10,000 keys for one call at most."""
END = ""


async def tally(world: World, listing_id: str, from_idgrid: str) -> TallyPage:
    """Write the page of a closed book that begins with this household ("": the first)."""
    await world.require_role(MARKET_OPERATORS)
    listing = await get_listing(world, listing_id)
    if listing.state != ListingState.BIDS_CLOSED:
        raise refused(Refusal.NOT_CLOSED, f"{listing_id} is {listing.state}")
    if from_idgrid:
        arguments.identifier(from_idgrid, "from_idgrid")
    page = await _page_from(world, listing_id, from_idgrid)
    await world.put(keys.tally(listing_id, from_idgrid), page)
    return page


async def next_untallied(world: World, listing_id: str) -> tuple[list[TallyPage], str | None]:
    """Pages from the first household on, and where the next begins; None: the book is covered."""
    found = await world.scan(TallyPage, keys.under("tally", listing_id))
    by_start = {page.from_idgrid: page for _, page in found}
    pages: list[TallyPage] = []
    start = ""
    while (page := by_start.get(start)) is not None:
        pages.append(page)
        start = page.to_idgrid
        if start == END:
            return pages, None
    return pages, start


async def decide_pages(
    world: World, listing: Listing, pages: Sequence[TallyPage]
) -> AuctionResult:
    """Decide a tallied book; writes the result and the fills, moves the listing to CLEARING."""
    if len(pages) > PAGES_MAX:
        raise refused(Refusal.BOOK_TOO_LARGE, f"{len(pages)} pages, at most {PAGES_MAX}")
    placed = [order for page in pages for order in page.orders()]
    positions = await positions_of(world, listing, placed)
    placed.sort(key=lambda order: positions[order.order_id])
    outcome = decide(listing, placed, positions)
    header = result_of(listing, outcome)
    result = replace(header, pages=[page.from_idgrid for page in pages])
    await world.put(keys.result(listing.listing_id), result)
    matches = {m.order_id: m for m in matches_of_outcome(listing, outcome, placed, positions)}
    for page in pages:
        found = [matches.get(order_id) for order_id in page.order_ids]
        has_regulated = any(match is not None and match.regulated_wh for match in found)
        fills = FillsPage(
            listing_id=listing.listing_id,
            from_idgrid=page.from_idgrid,
            positions=[positions[order_id] for order_id in page.order_ids],
            matched_wh=[match.matched_wh if match else 0 for match in found],
            amounts_utoken=[match.amount_utoken if match else 0 for match in found],
            regulated_wh=[m.regulated_wh if m else 0 for m in found] if has_regulated else [],
            regulated_utoken=[m.regulated_utoken if m else 0 for m in found]
            if has_regulated
            else [],
        )
        await world.put(keys.fills(listing.listing_id, page.from_idgrid), fills)
    await move_to(world, listing, ListingState.CLEARING)
    announce_decision(world, result)
    return result


async def release(world: World, listing_id: str, from_idgrid: str) -> ReleasedPage:
    """Pay out what the bids of one page do not need any more; a second call changes nothing."""
    await world.require_role(MARKET_OPERATORS)
    listing = await get_listing(world, listing_id)
    done = await world.find(ReleasedPage, keys.released(listing_id, from_idgrid))
    if done is not None:
        return done
    if listing.state != ListingState.CLEARING:
        raise refused(Refusal.NOT_CLEARED, f"{listing_id} is {listing.state}")
    result = await get_result(world, listing_id)
    if from_idgrid not in result.pages:
        raise refused(Refusal.UNKNOWN_PAGE, f"{listing_id}, {from_idgrid!r}")
    [(page, fills)] = await read_pages(world, replace(result, pages=[from_idgrid]))
    matches = page_matches(listing, result, page, fills)
    placed = page.orders()
    kept = {match.order_id: match.locked_utoken for match in matches}
    released = ReleasedPage(
        listing_id=listing_id,
        from_idgrid=from_idgrid,
        order_count=len(placed),
        released_utoken=await release_escrows(world, listing, placed, kept),
    )
    await world.put(keys.released(listing_id, from_idgrid), released)
    announce_page(world, result, matches)
    return released


async def next_unreleased(world: World, result: AuctionResult) -> list[str]:
    """Pages of a decided book whose escrows are not released yet."""
    found = await world.scan(ReleasedPage, keys.under("released", result.listing_id))
    done = {page.from_idgrid for _, page in found}
    return [first for first in result.pages if first not in done]


async def _page_from(world: World, listing_id: str, from_idgrid: str) -> TallyPage:
    """The page that begins here: whole households, at most `PAGE_ORDERS` orders."""
    start, end = keys.under("order", listing_id)
    if from_idgrid:
        start = keys.order(listing_id, from_idgrid, "")
    found = await world.scan(MarketOrder, (start, end), limit=PAGE_ORDERS + 1)
    orders = [order for _, order in found]
    following = END
    if len(orders) > PAGE_ORDERS:
        following = orders[-1].idgrid
        orders = [order for order in orders if order.idgrid != following]
    return TallyPage.of(listing_id, from_idgrid, following, orders)


async def page_starts(world: World, listing_id: str, start: str) -> list[str]:
    """Where pages begin from `start` on, by the households' sums: a plan for a query.

    What a page holds and where the next begins is decided by the orders when it is written; a
    page that was planned wrongly is ignored, and the next plan begins behind the right ones.
    """
    first, end = keys.under("own", listing_id)
    if start:
        first = keys.own_orders(listing_id, start)
    found = await world.scan(OwnOrders, (first, end), limit=PLANNED_HOUSEHOLDS_MAX)
    sums = [(keys.last_part(key), own) for key, own in found]
    counts = [
        (idgrid, own.order_count)
        for idgrid, own in sums
        if own.side != SEALED and own.group_id in ("", idgrid)
    ]
    counts.sort(key=lambda entry: keys.order(listing_id, entry[0], ""))
    return starts_by(counts, start)


def starts_by(counts: Iterable[tuple[str, int]], start: str) -> list[str]:
    """Cut households with so many orders each, in the order of the keys, into pages. Pure."""
    starts, held = [start], 0
    for idgrid, count in counts:
        if held + count > PAGE_ORDERS:
            starts.append(idgrid)
            held = 0
        held += count
    return starts
