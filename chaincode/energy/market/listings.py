"""Opening a listing and moving it through its phases up to delivery."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import ENERGY_WH_MAX, PRICE_UTOKEN_PER_KWH_MAX, bad
from chaincode.energy.community import MARKET_OPERATORS, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.clearing import RATIONS, RULE_VERSION, RULES
from chaincode.energy.market.orders import ARRIVED
from chaincode.energy.market.records import Listing, ListingState
from chaincode.energy.market.settlement_terms import SETTLEMENT_TERMS, settlement_terms
from chaincode.energy.market.timing import PRESETS, TIME_MS_MAX, Timing, preset_timing
from chaincode.energy.world import World

DEFAULT_MAX_ORDER_WH = 10_000
DEFAULT_READING_TOLERANCE_MS = 60_000
READING_TOLERANCE_MS_MAX = 15 * 60_000
DEFAULT_K = "1/2"
MARGINAL_BID = "1"

_OPENERS = frozenset({Role.COMMUNITY_MANAGER, Role.SCHEDULER})
_DELIVERY_STARTED = frozenset(
    {
        ListingState.DELIVERING,
        ListingState.SETTLING,
        ListingState.SETTLED,
        ListingState.DISPUTED,
    }
)
_INSTANTS = (
    "opens_at_ms",
    "gate_closure_ms",
    "delivery_start_ms",
    "delivery_end_ms",
    "settlement_end_ms",
)
_PARAMETERS = frozenset(
    {
        "preset",
        "utc_offset_minutes",
        "rule",
        "k",
        "ration",
        "floor_utoken_per_kwh",
        "cap_utoken_per_kwh",
        "max_order_wh",
        "reading_tolerance_ms",
        *SETTLEMENT_TERMS,
        *_INSTANTS,
    }
)


async def open_listing(world: World, *, listing_id: str, parameters: dict[str, Any]) -> Listing:
    """Open the market of one delivery hour; its rule, prices and times never change afterwards.

    `parameters`: `floor_utoken_per_kwh` (feed-in tariff) and
    `cap_utoken_per_kwh` (retail price) are required, the rest has defaults (docs/market.md).
    """
    await world.require_role(_OPENERS)
    given = arguments.checked_object(parameters, "parameters", _PARAMETERS)
    preset = arguments.one_of(given.get("preset", "hourly"), "preset", PRESETS)
    timing = _timing(given, preset, listing_id)
    listing = _listing(world, given, listing_id=listing_id, preset=preset, timing=timing)
    if world.now_ms >= listing.gate_closure_ms:
        raise refused(Refusal.TOO_LATE, f"the gate of {listing_id} has closed already")
    await world.add(keys.listing(listing_id), listing, listing_id)
    await world.stub.put_state(keys.arrivals(listing_id), ARRIVED)
    world.announce(
        "WindowStarted",
        {
            "listing_id": listing_id,
            "state": listing.state,
            "floor_utoken_per_kwh": listing.floor_utoken_per_kwh,
            "cap_utoken_per_kwh": listing.cap_utoken_per_kwh,
            "max_order_wh": listing.max_order_wh,
            "opens_at_ms": listing.opens_at_ms,
            "gate_closure_ms": listing.gate_closure_ms,
            "delivery_start_ms": listing.delivery_start_ms,
            "delivery_end_ms": listing.delivery_end_ms,
        },
    )
    return listing


async def close_bidding(world: World, listing_id: str) -> Listing:
    """End the time for orders; afterwards none is accepted. A second call changes nothing."""
    await world.require_role(MARKET_OPERATORS)
    listing = await get_listing(world, listing_id)
    if listing.state != ListingState.AUTHORIZE_OFFERS:
        return listing
    if world.now_ms < listing.gate_closure_ms:
        raise refused(Refusal.TOO_EARLY, f"the gate of {listing_id} closes later")
    return await move_to(world, listing, ListingState.BIDS_CLOSED, event="BidsClosed")


async def start_delivery(world: World, listing_id: str) -> Listing:
    """Mark that delivery runs. A second call changes nothing; settlement does not need it."""
    await world.require_role(MARKET_OPERATORS)
    listing = await get_listing(world, listing_id)
    if listing.state in _DELIVERY_STARTED:
        return listing
    if listing.state != ListingState.CLEARED:
        raise refused(Refusal.NOT_CLEARED, f"{listing_id} is {listing.state}")
    if world.now_ms < listing.delivery_start_ms:
        raise refused(Refusal.TOO_EARLY, f"delivery of {listing_id} begins later")
    return await move_to(world, listing, ListingState.DELIVERING, event="DeliveryStarted")


async def get_listing(world: World, listing_id: str) -> Listing:
    """Header and state of a listing."""
    key = keys.listing(arguments.identifier(listing_id, "listing_id"))
    return await world.get(Listing, key, Refusal.UNKNOWN_LISTING, listing_id)


async def move_to(
    world: World, listing: Listing, state: ListingState, *, event: str | None = None
) -> Listing:
    """Write the listing in its next state."""
    moved = replace(listing, state=state)
    await world.put(keys.listing(listing.listing_id), moved)
    if event is not None:
        world.announce(event, {"listing_id": listing.listing_id, "state": state})
    return moved


def _listing(
    world: World, given: dict[str, Any], *, listing_id: str, preset: str, timing: Timing
) -> Listing:
    floor = _price(given, "floor_utoken_per_kwh")
    cap = _price(given, "cap_utoken_per_kwh")
    if floor > cap:
        bad("floor_utoken_per_kwh is above cap_utoken_per_kwh")
    max_order_wh = arguments.number_in(given, "max_order_wh", DEFAULT_MAX_ORDER_WH)
    tolerance_ms = arguments.number_in(given, "reading_tolerance_ms", DEFAULT_READING_TOLERANCE_MS)
    default_k = MARGINAL_BID if preset == "energy_auction" else DEFAULT_K
    return Listing(
        listing_id=listing_id,
        state=ListingState.AUTHORIZE_OFFERS,
        preset=preset,
        rule=arguments.one_of(given.get("rule", "crossing"), "rule", RULES),
        rule_version=RULE_VERSION,
        k=arguments.fraction(given.get("k", default_k), "k"),
        ration=arguments.one_of(given.get("ration", "fifo"), "ration", RATIONS),
        floor_utoken_per_kwh=floor,
        cap_utoken_per_kwh=cap,
        max_order_wh=arguments.positive(max_order_wh, "max_order_wh", at_most=ENERGY_WH_MAX),
        opens_at_ms=timing.opens_at_ms,
        gate_closure_ms=timing.gate_closure_ms,
        delivery_start_ms=timing.delivery_start_ms,
        delivery_end_ms=timing.delivery_end_ms,
        settlement_end_ms=timing.settlement_end_ms,
        reading_tolerance_ms=arguments.not_negative(
            tolerance_ms, "reading_tolerance_ms", at_most=READING_TOLERANCE_MS_MAX
        ),
        opened_by_tx=world.tx_id,
        **settlement_terms(given, settlement_end_ms=timing.settlement_end_ms),
    )


def _price(given: dict[str, Any], name: str) -> int:
    price = arguments.number_in(given, name)
    return arguments.not_negative(price, name, at_most=PRICE_UTOKEN_PER_KWH_MAX)


def _timing(given: dict[str, Any], preset: str, listing_id: str) -> Timing:
    """The preset's instants, each replaced by the one given explicitly."""
    offset = arguments.number_in(given, "utc_offset_minutes", 0)
    try:
        default = preset_timing(preset, listing_id, utc_offset_minutes=offset)
    except ValueError as error:
        bad(str(error))
    chosen = {
        name: arguments.not_negative(
            arguments.number_in(given, name, getattr(default, name)), name, at_most=TIME_MS_MAX
        )
        for name in _INSTANTS
    }
    timing = Timing(**chosen)
    if not timing.in_order:
        bad("the phases of the listing are not in order")
    return timing


def k_of(listing: Listing) -> Fraction:
    """Place in the price interval."""
    return Fraction(listing.k)
