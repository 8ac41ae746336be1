"""Before a listing is cleared: whether the retail price it pinned is still the one outside.

A listing keeps the price it opened with, so an alarm changes nobody's money: it is an event and a
flag, once per listing, by which the manager can stop the listing (003:354, E043).
"""

from dataclasses import dataclass, replace

from chaincode.energy import arguments, keys
from chaincode.energy.community import MARKET_OPERATORS
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.records import Listing, ListingState
from chaincode.energy.oracle.prices import RETAIL, is_stale, price_in_force
from chaincode.energy.world import World

NOT_CLEARED = (
    ListingState.AUTHORIZE_OFFERS,
    ListingState.REVEALING,
    ListingState.BIDS_CLOSED,
)
FRESH, STALE, CHEAPER_OUTSIDE = "fresh", "stale", "cheaper_outside"


@dataclass(frozen=True, slots=True)
class PriceCheck:
    """What the check of a listing found; prices in micro-tokens per kWh, times in ms.

    `verdict`: fresh; stale, nobody vouches for the price in force any more; cheaper_outside, the
    price in force is below the listing's cap.
    """

    listing_id: str
    verdict: str
    cap_utoken_per_kwh: int
    price_utoken_per_kwh: int
    valid_until_ms: int
    checked_ms: int


async def check_price(world: World, listing_id: str) -> PriceCheck:
    """Compare and, unless all is well, raise the alarm once; a repetition gives the first."""
    await world.require_role(MARKET_OPERATORS)
    key = keys.listing(arguments.identifier(listing_id, "listing_id"))
    listing = await world.get(Listing, key, Refusal.UNKNOWN_LISTING, listing_id)
    raised = await world.find(PriceCheck, keys.price_alarm(listing_id))
    if raised is not None:
        return raised
    if listing.state not in NOT_CLEARED:
        raise refused(Refusal.TOO_LATE, f"{listing_id} is {listing.state}")
    found = await _compare(world, listing)
    if found.verdict != FRESH:
        await _raise_alarm(world, listing, found)
    return found


def verdict_on(*, cap: int, price: int, is_price_stale: bool) -> str:
    """What a listing's cap is worth beside the price in force, both in micro-tokens per kWh."""
    if is_price_stale:
        return STALE
    return CHEAPER_OUTSIDE if price < cap else FRESH


async def _compare(world: World, listing: Listing) -> PriceCheck:
    point = await price_in_force(world, RETAIL, world.now_ms)
    verdict = verdict_on(
        cap=listing.cap_utoken_per_kwh,
        price=point.price_utoken_per_kwh,
        is_price_stale=is_stale(point, world.now_ms),
    )
    return PriceCheck(
        listing_id=listing.listing_id,
        verdict=verdict,
        cap_utoken_per_kwh=listing.cap_utoken_per_kwh,
        price_utoken_per_kwh=point.price_utoken_per_kwh,
        valid_until_ms=point.valid_until_ms,
        checked_ms=world.now_ms,
    )


async def _raise_alarm(world: World, listing: Listing, found: PriceCheck) -> None:
    await world.put(keys.price_alarm(listing.listing_id), found)
    if not listing.has_stale_price:
        await world.put(keys.listing(listing.listing_id), replace(listing, has_stale_price=True))
    world.announce(
        "PriceAlarm",
        {
            "listing_id": found.listing_id,
            "verdict": found.verdict,
            "cap_utoken_per_kwh": found.cap_utoken_per_kwh,
            "price_utoken_per_kwh": found.price_utoken_per_kwh,
            "valid_until_ms": found.valid_until_ms,
        },
    )
