"""Standing orders and hourly profiles: what was signed once, and what it allows. Pure.

Energy in Wh, prices in micro-tokens per kWh, money in micro-tokens, instants in ms UTC.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaincode.energy import arguments
from chaincode.energy.arguments import AMOUNT_UTOKEN_MAX, ENERGY_WH_MAX, PRICE_UTOKEN_PER_KWH_MAX
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.hours import DAY_MS, HOUR_MS, TIME_MS_MAX, delivery_hour_ms
from chaincode.energy.market.placing import BID, OFFER, Wish, preferences, require_positive
from chaincode.energy.market.records import Listing

HOURS_PER_DAY = 24
LISTINGS_MAX = 100_000
_FIELDS = frozenset(
    {
        "side",
        "energy_wh",
        "price_utoken_per_kwh",
        "res_id",
        "preferred",
        "hours_utc",
        "from_ms",
        "until_ms",
        "listings_max",
        "budget_utoken",
    }
)


@dataclass(frozen=True, slots=True)
class StandingOrder:
    """One order in every listing that its limits allow.

    `hours_utc`: the hours of the day in which delivery may start; empty means all. Listings count
    whose delivery starts in from_ms <= time < until_ms. At most `listings_max` orders are made,
    and bids lock at most `budget_utoken` in all; what they lock counts, whatever they cost in the
    end.
    """

    standing_id: str
    idgrid: str
    side: str
    energy_wh: int
    price_utoken_per_kwh: int
    res_id: str
    preferred: list[str]
    hours_utc: list[int]
    from_ms: int
    until_ms: int
    listings_max: int
    budget_utoken: int


@dataclass(frozen=True, slots=True)
class StandingUse:
    """How much of a standing order's limits is used up."""

    listings: int = 0
    locked_utoken: int = 0


@dataclass(frozen=True, slots=True)
class HourlyProfile:
    """What a household expects to order in 24 hours, one entry an hour: [side, Wh, price].

    An entry of 0 Wh is no order. `revision` counts submissions for the same first hour from 1.
    """

    idgrid: str
    first_listing_id: str
    revision: int
    res_id: str
    submitted_at_ms: int
    hours: list[list[Any]] = field(default_factory=list)

    def entry(self, listing_id: str) -> tuple[str, int, int] | None:
        """(side, Wh, price) for one hour; None if the profile has no order for it."""
        begin_ms = delivery_hour_ms(self.first_listing_id)
        index = (delivery_hour_ms(listing_id) - begin_ms) // HOUR_MS
        if not 0 <= index < len(self.hours):
            return None
        side, energy_wh, price = self.hours[index]
        return (side, energy_wh, price) if energy_wh else None


def standing_from(given: object, *, idgrid: str, standing_id: str) -> StandingOrder:
    """A checked standing order from its JSON object."""
    members = arguments.checked_object(given, "a standing order", _FIELDS)
    wish = _wish(members, side=arguments.text_in(members, "side"))
    until_ms = arguments.number_in(members, "until_ms")
    from_ms = arguments.number_in(members, "from_ms", 0)
    if not 0 <= from_ms < until_ms <= TIME_MS_MAX:
        arguments.bad("a standing order ends after it begins")
    budget = arguments.number_in(members, "budget_utoken", AMOUNT_UTOKEN_MAX)
    listings_max = arguments.number_in(members, "listings_max", LISTINGS_MAX)
    return StandingOrder(
        standing_id=standing_id,
        idgrid=idgrid,
        side=wish.side,
        energy_wh=wish.energy_wh,
        price_utoken_per_kwh=wish.price_utoken_per_kwh,
        res_id=wish.res_id,
        preferred=list(wish.preferred),
        hours_utc=_hours(members.get("hours_utc", [])),
        from_ms=from_ms,
        until_ms=until_ms,
        listings_max=arguments.positive(listings_max, "listings_max", at_most=LISTINGS_MAX),
        budget_utoken=arguments.positive(budget, "budget_utoken", at_most=AMOUNT_UTOKEN_MAX),
    )


def problem_with(standing: StandingOrder, use: StandingUse, listing: Listing) -> str | None:
    """Why the standing order makes no order in this listing; None if it makes one."""
    start_ms = listing.delivery_start_ms
    if not standing.from_ms <= start_ms < standing.until_ms:
        return "delivery is outside its period"
    if standing.hours_utc and start_ms % DAY_MS // HOUR_MS not in standing.hours_utc:
        return "not in this hour of the day"
    if use.listings >= standing.listings_max:
        return f"made {use.listings} orders already"
    return None


def used_after(standing: StandingOrder, use: StandingUse, *, locked_utoken: int) -> StandingUse:
    """The use with one more order; refuses a bid beyond the budget."""
    locked = use.locked_utoken + locked_utoken
    if locked > standing.budget_utoken:
        raise refused(Refusal.STANDING_LIMIT, f"{locked} of a budget of {standing.budget_utoken}")
    return StandingUse(listings=use.listings + 1, locked_utoken=locked)


def wish_of(standing: StandingOrder, listing_id: str) -> Wish:
    """The order a standing order makes in a listing."""
    return Wish(
        listing_id=listing_id,
        side=standing.side,
        energy_wh=standing.energy_wh,
        price_utoken_per_kwh=standing.price_utoken_per_kwh,
        res_id=standing.res_id,
        preferred=tuple(standing.preferred),
        source="standing",
    )


def profile_hours(given: Sequence[object]) -> list[list[Any]]:
    """24 checked entries [side, Wh, price] from {side, energy_wh, price_utoken_per_kwh} each."""
    if len(given) != HOURS_PER_DAY:
        arguments.bad(f"a profile has {HOURS_PER_DAY} hours, not {len(given)}")
    return [_hour(entry) for entry in given]


def _hour(entry: object) -> list[Any]:
    known = frozenset({"side", "energy_wh", "price_utoken_per_kwh"})
    members = arguments.checked_object(entry, "an hour", known)
    side = arguments.one_of(members.get("side", BID), "side", (OFFER, BID))
    energy_wh, price = (
        arguments.not_negative(arguments.number_in(members, name, 0), name, at_most=at_most)
        for name, at_most in (
            ("energy_wh", ENERGY_WH_MAX),
            ("price_utoken_per_kwh", PRICE_UTOKEN_PER_KWH_MAX),
        )
    )
    if energy_wh and not price:
        arguments.bad("an hour with energy needs a price")
    return [side, energy_wh, price]


def _wish(members: Mapping[str, Any], *, side: str) -> Wish:
    arguments.one_of(side, "side", (OFFER, BID))
    res_id = arguments.text_in(members, "res_id", "")
    if (side == OFFER) != bool(res_id):
        arguments.bad("an offer names its source, a bid none")
    preferred = members.get("preferred", [])
    if not isinstance(preferred, list):
        arguments.bad("preferred must be a list")
    wish = Wish(
        listing_id="",
        side=side,
        energy_wh=arguments.number_in(members, "energy_wh"),
        price_utoken_per_kwh=arguments.number_in(members, "price_utoken_per_kwh"),
        res_id=arguments.identifier(res_id, "res_id") if res_id else "",
        preferred=preferences(preferred),
    )
    require_positive(wish)
    return wish


def _hours(given: object) -> list[int]:
    if not isinstance(given, list) or len(given) > HOURS_PER_DAY:
        arguments.bad("hours_utc must be a list of at most 24 hours")
    hours = {arguments.number_in({"hour": hour}, "hour") for hour in given}
    if any(not 0 <= hour < HOURS_PER_DAY for hour in hours):
        arguments.bad("hours_utc are numbers from 0 to 23")
    return sorted(hours)
