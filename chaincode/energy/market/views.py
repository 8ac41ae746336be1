"""What the market shows while it runs: listings, the open book in totals, one's own orders."""

from dataclasses import dataclass, replace
from typing import cast

from chaincode.energy import arguments, keys
from chaincode.energy.market.book import Order, Side, build_book
from chaincode.energy.market.listings import get_listing
from chaincode.energy.market.records import Listing, MarketOrder
from chaincode.energy.sight import Sight, sight_of
from chaincode.energy.world import World

LISTINGS_PER_PAGE_MAX = 200


@dataclass(frozen=True, slots=True)
class BookView:
    """The order book of a listing without names: totals, best prices, both curves."""

    listing_id: str
    state: str
    gate_closure_ms: int
    offer_count: int
    bid_count: int
    available_wh: int
    wanted_wh: int
    best_offer_utoken_per_kwh: int | None
    best_bid_utoken_per_kwh: int | None
    demand_curve: list[list[int]]
    supply_curve: list[list[int]]


async def get_book(world: World, listing_id: str) -> BookView:
    """Totals, best prices and curves of the orders placed so far."""
    listing = await get_listing(world, listing_id)
    placed = await world.scan(MarketOrder, keys.under("order", listing_id))
    orders = [
        Order(
            order_id=order.order_id,
            side=cast("Side", order.side),
            price_utoken_per_kwh=order.price_utoken_per_kwh,
            energy_wh=order.energy_wh,
            sequence=0,
        )
        for _, order in placed
    ]
    book = build_book(
        orders, floor_price=listing.floor_utoken_per_kwh, cap_price=listing.cap_utoken_per_kwh
    )
    return BookView(
        listing_id=listing_id,
        state=listing.state,
        gate_closure_ms=listing.gate_closure_ms,
        offer_count=len(book.offers.order_ids),
        bid_count=len(book.bids.order_ids),
        available_wh=book.offers.energy_wh,
        wanted_wh=book.bids.energy_wh,
        best_offer_utoken_per_kwh=book.offers.best_price,
        best_bid_utoken_per_kwh=book.bids.best_price,
        demand_curve=[list(point) for point in book.bids.curve()],
        supply_curve=[list(point) for point in book.offers.curve()],
    )


async def get_orders(world: World, *, listing_id: str, idgrid: str) -> list[MarketOrder]:
    """A household's orders in a listing; for itself and for staff."""
    await world.require_own_or_staff(arguments.idgrid(idgrid))
    listing = await get_listing(world, listing_id)
    bounds = keys.under("order", listing.listing_id, idgrid)
    return [order for _, order in await world.scan(MarketOrder, bounds)]


async def list_listings(world: World, *, from_id: str, to_id: str) -> list[Listing]:
    """Listings of the hours from_id <= id < to_id in time order, at most one page."""
    bounds = (
        keys.listing(arguments.identifier(from_id, "from_id")),
        keys.listing(arguments.identifier(to_id, "to_id")),
    )
    found = await world.scan(Listing, bounds, limit=LISTINGS_PER_PAGE_MAX)
    sight = await sight_of(world)
    return [listing_as_seen(listing, sight) for _, listing in found]


async def listing_shown(world: World, listing_id: str) -> Listing:
    """Header and state of a listing, as the caller sees it."""
    return listing_as_seen(await get_listing(world, listing_id), await sight_of(world))


def listing_as_seen(listing: Listing, sight: Sight) -> Listing:
    """A listing; of its priority consumers only whom this caller is shown. Pure."""
    named = [idgrid for idgrid in listing.priority_consumers if sight.names(idgrid)]
    return replace(listing, priority_consumers=named)
