"""Reading what an auction decided, whether the book fitted into one transaction or not."""

from dataclasses import replace

from chaincode.energy import arguments, keys
from chaincode.energy.errors import Refusal
from chaincode.energy.market.auction_records import AuctionResult, FillsPage, Match, TallyPage
from chaincode.energy.market.deciding import keeps_locked
from chaincode.energy.market.listings import get_listing
from chaincode.energy.market.records import Listing
from chaincode.energy.records import decode
from chaincode.energy.world import World


async def get_result(world: World, listing_id: str) -> AuctionResult:
    """The stored result of a cleared listing; a large book's matches are in its pages."""
    key = keys.result(arguments.identifier(listing_id, "listing_id"))
    return await world.get(AuctionResult, key, Refusal.NOT_CLEARED, listing_id)


async def matches_of(world: World, result: AuctionResult) -> list[Match]:
    """All matches of a listing in ledger order: what settlement and reports go by."""
    if not result.pages:
        return result.typed_matches()
    listing = await get_listing(world, result.listing_id)
    found: list[Match] = []
    for tally, fills in await read_pages(world, result):
        found += page_matches(listing, result, tally, fills)
    return sorted(found, key=lambda match: match.position)


async def matches_of_household(world: World, result: AuctionResult, idgrid: str) -> list[Match]:
    """A household's matches in ledger order; reads one page of a large book."""
    if not result.pages:
        return [match for match in result.typed_matches() if match.idgrid == idgrid]
    listing = await get_listing(world, result.listing_id)
    wanted = keys.order(result.listing_id, idgrid, "")
    at = max(
        number
        for number, first in enumerate(result.pages)
        if not first or keys.order(result.listing_id, first, "") <= wanted
    )
    page = await read_pages(world, replace(result, pages=[result.pages[at]]))
    found = page_matches(listing, result, *page[0])
    own = [match for match in found if match.idgrid == idgrid]
    return sorted(own, key=lambda match: match.position)


def split_matches(listing: Listing, matches: list[Match]) -> tuple[list[Match], list[Match]]:
    """The regulated part and the auction part of matches, each with its own energy and money."""
    first: list[Match] = []
    rest: list[Match] = []
    for match in matches:
        locked = keeps_locked(
            listing, match.side, price=0, auction_wh=0, regulated_wh=match.regulated_wh
        )
        if match.regulated_wh:
            first.append(
                replace(
                    match,
                    matched_wh=match.regulated_wh,
                    amount_utoken=match.regulated_utoken,
                    locked_utoken=locked,
                )
            )
        if match.matched_wh > match.regulated_wh:
            rest.append(
                replace(
                    match,
                    matched_wh=match.matched_wh - match.regulated_wh,
                    amount_utoken=match.amount_utoken - match.regulated_utoken,
                    locked_utoken=match.locked_utoken - locked,
                    regulated_wh=0,
                    regulated_utoken=0,
                )
            )
    return first, rest


async def read_pages(world: World, result: AuctionResult) -> list[tuple[TallyPage, FillsPage]]:
    """Orders and fills of the pages of a large book, in one request."""
    firsts, count = result.pages, len(result.pages)
    raw = await world.stub.get_states(
        [keys.tally(result.listing_id, first) for first in firsts]
        + [keys.fills(result.listing_id, first) for first in firsts]
    )
    return [
        (decode(TallyPage, tally), decode(FillsPage, fills))
        for tally, fills in zip(raw[:count], raw[count:], strict=True)
    ]


def page_matches(
    listing: Listing, result: AuctionResult, tally: TallyPage, fills: FillsPage
) -> list[Match]:
    """The matches of one page, in the order of its households. Pure."""
    none = [0] * len(fills.positions)
    rows = zip(
        tally.order_ids,
        tally.idgrids,
        tally.is_bid,
        fills.positions,
        fills.matched_wh,
        fills.amounts_utoken,
        fills.regulated_wh or none,
        fills.regulated_utoken or none,
        strict=True,
    )
    found = []
    for order_id, idgrid, is_bid, position, matched_wh, amount, first_wh, first_utoken in rows:
        if not matched_wh:
            continue
        side = "bid" if is_bid else "offer"
        locked = keeps_locked(
            listing,
            side,
            price=result.price_utoken_per_kwh or 0,
            auction_wh=matched_wh - first_wh,
            regulated_wh=first_wh,
        )
        match = Match(
            order_id=order_id,
            idgrid=idgrid,
            side=side,
            matched_wh=matched_wh,
            amount_utoken=amount,
            locked_utoken=locked,
            position=position,
            regulated_wh=first_wh,
            regulated_utoken=first_utoken,
        )
        found.append(match)
    return found
