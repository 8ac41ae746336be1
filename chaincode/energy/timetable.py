"""The timetable of the market: what is due now, and the one step that does it.

Any member may run a scheduler that calls `advance` for every listing; a call with nothing due, or
one that another member's scheduler was faster with, changes nothing.
"""

from dataclasses import dataclass
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.community import MARKET_OPERATORS, Role
from chaincode.energy.errors import Refused
from chaincode.energy.market import auction, listings
from chaincode.energy.market.listing_terms import (
    CAP,
    DEFAULTABLE,
    FLOOR,
    listing_from,
    preset_of,
    timing_of,
)
from chaincode.energy.market.records import Listing, ListingState, MarketDefaults
from chaincode.energy.market.timing import Timing
from chaincode.energy.settlement import fulfilment
from chaincode.energy.world import World

_EXAMPLE_HOURS = tuple(f"2026-01-15T{hour:02}" for hour in range(24))
"""Defaults are tried on the first of these hours that has a listing."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """What a call of `advance` did: `step` is open, close, clear, deliver, settle or nothing."""

    listing_id: str
    step: str


async def set_defaults(world: World, parameters: dict[str, Any]) -> MarketDefaults:
    """Community manager: parameters of all listings opened from now on.

    Without prices among them, a listing takes them from the tariffs (`oracle:publish_price`).
    """
    await world.require_role(frozenset({Role.COMMUNITY_MANAGER}))
    checked = arguments.checked_object(parameters, "parameters", DEFAULTABLE)
    _require_possible(checked)
    record = MarketDefaults(parameters=checked)
    await world.put(keys.market_defaults(), record)
    world.announce("MarketDefaultsSet", {"parameters": checked})
    return record


async def advance(world: World, listing_id: str) -> Advanced:
    """Market operator: do what is due in a listing, at most one step; opens it by the defaults."""
    await world.require_role(MARKET_OPERATORS)
    key = keys.listing(arguments.identifier(listing_id, "listing_id"))
    listing = await world.find(Listing, key)
    pinned = await listings.defaults(world) if listing is None else None
    step = due_step(listing, pinned, listing_id=listing_id, now_ms=world.now_ms)
    if step == "open":
        await listings.open_listing(world, listing_id=listing_id, parameters={})
    elif step == "close":
        await listings.close_bidding(world, listing_id)
    elif step == "clear":
        await auction.clear(world, listing_id)
    elif step == "deliver":
        await listings.start_delivery(world, listing_id)
    elif step == "settle":
        await fulfilment.settle(world, listing_id)
    return Advanced(listing_id, step)


def due_step(
    listing: Listing | None, pinned: MarketDefaults | None, *, listing_id: str, now_ms: int
) -> str:
    """The step a listing (None: not opened yet) is due for at this instant. Pure.

    Without pinned defaults (None) no listing opens by itself.
    """
    if listing is None:
        timing = default_timing(pinned, listing_id) if pinned is not None else None
        is_due = timing is not None and timing.opens_at_ms <= now_ms < timing.gate_closure_ms
        return "open" if is_due else "nothing"
    instant = {
        ListingState.AUTHORIZE_OFFERS: ("close", listing.gate_closure_ms),
        ListingState.REVEALING: ("close", listing.reveal_until_ms),
        ListingState.BIDS_CLOSED: ("clear", listing.reveal_until_ms),
        ListingState.CLEARING: ("clear", listing.reveal_until_ms),
        ListingState.CLEARED: ("deliver", listing.delivery_start_ms),
        ListingState.DELIVERING: ("settle", listing.delivery_end_ms),
        ListingState.SETTLING: ("settle", listing.delivery_end_ms),
        ListingState.DISPUTED: ("settle", listing.delivery_end_ms),
    }.get(ListingState(listing.state))
    if listing.state == ListingState.DISPUTED and listing.is_decided:
        return "nothing"
    return instant[0] if instant is not None and now_ms >= instant[1] else "nothing"


def default_timing(pinned: MarketDefaults, listing_id: str) -> Timing | None:
    """The instants of a listing by the community's defaults; None if they have none for it."""
    if preset_of(pinned.parameters) == "custom":
        return None
    try:
        return timing_of(pinned.parameters, listing_id)
    except Refused:
        return None


def _require_possible(parameters: dict[str, Any]) -> None:
    """Refuse defaults no listing could open with, whatever its hour and prices."""
    if preset_of(parameters) == "custom":
        arguments.bad("the custom schedule has no listings of its own; open them one by one")
    hours = (h for h in _EXAMPLE_HOURS if default_timing(MarketDefaults(parameters), h))
    hour = next(hours, None)
    if hour is None:
        arguments.bad("the preset has no market in any hour")
    prices = {FLOOR: 0, CAP: parameters.get(FLOOR, 0)}
    listing_from(prices | parameters, listing_id=hour, opened_by_tx="", has_stale_price=False)
