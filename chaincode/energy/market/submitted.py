"""Clearing with a solution from off the chain: refused unless it is the right one."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

from chaincode.energy import arguments
from chaincode.energy.arguments import ENERGY_WH_MAX, bad
from chaincode.energy.community import MARKET_OPERATORS
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market import auction_pages
from chaincode.energy.market.auction import finish, orders_of
from chaincode.energy.market.auction_records import AuctionResult
from chaincode.energy.market.book import build_book
from chaincode.energy.market.clearing import Ration, result_from
from chaincode.energy.market.ledger_positions import positions_of
from chaincode.energy.market.listings import get_listing
from chaincode.energy.market.outcome import Outcome, auction_orders
from chaincode.energy.market.records import Listing, ListingState, MarketOrder
from chaincode.energy.market.solution import Solution, interval_of, problem_with
from chaincode.energy.world import World

_MEMBERS = frozenset({"price_utoken_per_kwh", "allocations"})
SOLVED_OFF_CHAIN = "submitted"


async def submit_solution(world: World, listing_id: str, given: dict[str, Any]) -> AuctionResult:
    """Clear a closed listing with a solver's answer; the result is what `clear` would write.

    `given`: {"price_utoken_per_kwh": number or null, "allocations": {order id: Wh}}. For listings
    under the rule `crossing` without regulated price, line limit and wishes, of one page.
    """
    await world.require_role(MARKET_OPERATORS)
    listing = await get_listing(world, listing_id)
    if listing.state != ListingState.BIDS_CLOSED:
        raise refused(Refusal.NOT_CLOSED, f"{listing_id} is {listing.state}")
    placed = await orders_of(world, listing_id)
    _require_checkable(listing, placed)
    positions = await positions_of(world, listing, placed)
    placed.sort(key=lambda order: positions[order.order_id])
    book = build_book(
        auction_orders(placed, positions),
        floor_price=listing.floor_utoken_per_kwh,
        cap_price=listing.cap_utoken_per_kwh,
    )
    solution = _solution(given)
    ration = cast("Ration", listing.ration)
    problem = problem_with(solution, book, k=Fraction(listing.k), ration=ration)
    if problem is not None:
        raise refused(Refusal.WRONG_SOLUTION, problem)
    cleared = result_from(
        book,
        price=solution.price_utoken_per_kwh,
        price_interval=interval_of(solution, book),
        allocations=solution.allocations,
    )
    outcome = Outcome(book=book, auction=cleared, regulated=None)
    return await finish(world, listing, placed, positions, outcome, solved_by=SOLVED_OFF_CHAIN)


def _require_checkable(listing: Listing, placed: list[MarketOrder]) -> None:
    if len(placed) > auction_pages.PAGE_ORDERS:
        raise refused(
            Refusal.BOOK_TOO_LARGE, f"a solution covers up to {auction_pages.PAGE_ORDERS} orders"
        )
    plain = listing.regulated_price_utoken_per_kwh is None and listing.line_limit_wh is None
    wishes = any(order.preferred for order in placed)
    if listing.rule != "crossing" or not plain or wishes:
        bad("solutions are checked for plain listings under the rule crossing")


def _solution(given: Mapping[str, Any]) -> Solution:
    members = arguments.checked_object(given, "solution", _MEMBERS)
    allocations = members.get("allocations")
    if not isinstance(allocations, dict):
        bad("allocations must be a JSON object")
    checked = {
        name: arguments.not_negative(
            arguments.number_in(allocations, name), name, at_most=ENERGY_WH_MAX
        )
        for name in allocations
    }
    price = members.get("price_utoken_per_kwh")
    if price is not None:
        price = arguments.number_in(members, "price_utoken_per_kwh")
    return Solution(price, {name: wh for name, wh in checked.items() if wh})
