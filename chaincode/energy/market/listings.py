"""Opening a listing and moving it through its phases up to delivery."""

from dataclasses import replace
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.community import MARKET_OPERATORS, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.direct_trade import require_within_law
from chaincode.energy.market.ledger_time import seen_by_enough
from chaincode.energy.market.listing_terms import CAP, FLOOR, PARAMETERS, listing_from, timing_of
from chaincode.energy.market.placing import ARRIVED
from chaincode.energy.market.records import Listing, ListingState, MarketDefaults
from chaincode.energy.oracle.prices import FEED_IN, RETAIL, is_stale, price_in_force
from chaincode.energy.world import World

OPENERS = frozenset({Role.COMMUNITY_MANAGER, Role.SCHEDULER})
_DELIVERY_STARTED = frozenset(
    {
        ListingState.DELIVERING,
        ListingState.SETTLING,
        ListingState.SETTLED,
        ListingState.DISPUTED,
    }
)
_CLOSING_EVENTS = {
    ListingState.REVEALING: "BiddingEnded",
    ListingState.BIDS_CLOSED: "BidsClosed",
}
_SERIES_OF = {CAP: RETAIL, FLOOR: FEED_IN}


async def open_listing(
    world: World, *, listing_id: str, parameters: dict[str, Any], event: str = "WindowStarted"
) -> Listing:
    """Open the market of one delivery hour; its rule, prices and times never change afterwards.

    `parameters` come on top of the community's defaults (`listing_terms.py`). A retail price or
    feed-in tariff named by neither is the one its series has for the start of delivery; one its
    source no longer vouches for is used and the listing flagged.
    """
    checked = arguments.checked_object(parameters, "parameters", PARAMETERS)
    role = await world.require_role(OPENERS if checked else MARKET_OPERATORS)
    pinned = await defaults(world)
    parameters = pinned.parameters if pinned is not None else {}
    require_within_law(checked, parameters)
    if role != Role.COMMUNITY_MANAGER:
        _require_as_pinned(checked, parameters)
    given = parameters | checked
    prices, has_stale_price = await _prices(world, given, listing_id)
    listing = listing_from(
        given | prices,
        listing_id=listing_id,
        opened_by_tx=world.tx_id,
        has_stale_price=has_stale_price,
    )
    if world.now_ms >= listing.gate_closure_ms:
        raise refused(Refusal.TOO_LATE, f"the gate of {listing_id} has closed already")
    await world.add(keys.listing(listing_id), listing, listing_id)
    await world.stub.put_state(keys.arrivals(listing_id), ARRIVED)
    world.announce(event, invitation(listing))
    return listing


def invitation(listing: Listing) -> dict[str, object]:
    """What everybody is told when a listing opens: phase, prices, how long and how much."""
    return {
        "listing_id": listing.listing_id,
        "state": listing.state,
        "floor_utoken_per_kwh": listing.floor_utoken_per_kwh,
        "cap_utoken_per_kwh": listing.cap_utoken_per_kwh,
        "has_stale_price": listing.has_stale_price,
        "max_order_wh": listing.max_order_wh,
        "is_sealed": listing.is_sealed,
        "opens_at_ms": listing.opens_at_ms,
        "gate_closure_ms": listing.gate_closure_ms,
        "reveal_until_ms": listing.reveal_until_ms,
        "delivery_start_ms": listing.delivery_start_ms,
        "delivery_end_ms": listing.delivery_end_ms,
        "settlement_end_ms": listing.settlement_end_ms,
        "bidding_duration_ms": listing.gate_closure_ms - listing.opens_at_ms,
        "delivery_duration_ms": listing.delivery_end_ms - listing.delivery_start_ms,
        # Names of the source documents (003:768, 002:338): the same facts once more.
        "listingid": listing.listing_id,
        "RetailPrice": listing.cap_utoken_per_kwh,
    }


async def defaults(world: World) -> MarketDefaults | None:
    """What the community has pinned for its listings."""
    return await world.find(MarketDefaults, keys.market_defaults())


def _require_as_pinned(given: dict[str, Any], pinned: dict[str, Any]) -> None:
    """A scheduler cannot open a listing with other terms than the community has pinned."""
    other = sorted(name for name in given if name in pinned and given[name] != pinned[name])
    if other:
        raise refused(Refusal.ROLE_NOT_ALLOWED, f"the community has pinned {other[0]}")


async def _prices(
    world: World, given: dict[str, Any], listing_id: str
) -> tuple[dict[str, int], bool]:
    """Prices from their series where none is given, and whether one of them is stale."""
    missing = [name for name in (CAP, FLOOR) if name not in given]
    if not missing:
        return {}, False
    delivery_ms = timing_of(given, listing_id).delivery_start_ms
    points = {name: await price_in_force(world, _SERIES_OF[name], delivery_ms) for name in missing}
    prices = {name: point.price_utoken_per_kwh for name, point in points.items()}
    return prices, any(is_stale(point, world.now_ms) for point in points.values())


async def close_bidding(world: World, listing_id: str) -> Listing:
    """End the time for orders, and of a sealed listing later the time to reveal them.

    Each of the two happens once; a repetition changes nothing. With `clock_members` above one the
    first callers are only noted, until so many members have seen the instant pass.
    """
    await world.require_role(MARKET_OPERATORS)
    listing = await get_listing(world, listing_id)
    if listing.state == ListingState.AUTHORIZE_OFFERS:
        if world.now_ms < listing.gate_closure_ms:
            raise refused(Refusal.TOO_EARLY, f"the gate of {listing_id} closes later")
        following = ListingState.REVEALING if listing.is_sealed else ListingState.BIDS_CLOSED
    elif listing.state == ListingState.REVEALING and world.now_ms >= listing.reveal_until_ms:
        following = ListingState.BIDS_CLOSED
    else:
        return listing
    if not await seen_by_enough(world, listing):
        return listing
    return await move_to(world, listing, following, event=_CLOSING_EVENTS[following])


async def start_delivery(world: World, listing_id: str) -> Listing:
    """Mark that delivery runs. A second call changes nothing; settlement does not need it."""
    await world.require_role(MARKET_OPERATORS)
    listing = await get_listing(world, listing_id)
    if listing.state in _DELIVERY_STARTED:
        return listing
    if listing.state != ListingState.CLEARED:
        require_not_cancelled(listing)
        raise refused(Refusal.NOT_CLEARED, f"{listing_id} is {listing.state}")
    if world.now_ms < listing.delivery_start_ms:
        raise refused(Refusal.TOO_EARLY, f"delivery of {listing_id} begins later")
    return await move_to(world, listing, ListingState.DELIVERING, event="DeliveryStarted")


async def get_listing(world: World, listing_id: str) -> Listing:
    """Header and state of a listing."""
    key = keys.listing(arguments.identifier(listing_id, "listing_id"))
    return await world.get(Listing, key, Refusal.UNKNOWN_LISTING, listing_id)


def require_not_cancelled(listing: Listing) -> None:
    """Refuse a listing that was stopped."""
    if listing.state == ListingState.CANCELLED:
        raise refused(Refusal.LISTING_CANCELLED, listing.listing_id)


async def move_to(
    world: World, listing: Listing, state: ListingState, *, event: str | None = None
) -> Listing:
    """Write the listing in its next state."""
    moved = replace(listing, state=state)
    await world.put(keys.listing(listing.listing_id), moved)
    if event is not None:
        world.announce(event, {"listing_id": listing.listing_id, "state": state})
    return moved
