"""A standing order to propose, and what it would have done in past hours. Pure.

The proposal takes the household's own week: a bid for what it usually imports, at most at the
retail price, so that it never pays more than the utility asks; an offer of what it usually
exports, at least at the feed-in tariff. A household without such hours begins with a round amount
at the same prices. The look back keeps each past hour's price as it was and
the household's own metered energy: an estimate, since one more order could have moved the price.
Energy in Wh, prices in micro-tokens per kWh, money in micro-tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

HOURS_PER_WEEK = 168
WH_PER_KWH = 1_000
STEP_WH = 100
"""Energy is proposed in tenths of a kWh."""
DAYS_AHEAD = 30
DAY_MS = 86_400_000
BUDGET_UTOKEN_MIN = 1
FIRST_WH = 1_000
"""What a household begins with that has no hours of its own yet."""
PRICE_UTOKEN_MIN = 1


@dataclass(frozen=True, slots=True)
class PastHour:
    """A settled hour of the household; `price` is None where nothing traded."""

    price_utoken_per_kwh: int | None
    retail_utoken_per_kwh: int
    feed_in_utoken_per_kwh: int
    imported_wh: int
    exported_wh: int


@dataclass(frozen=True, slots=True)
class StandingWish:
    """What the order says: side, energy and price limit for every listing."""

    side: str
    energy_wh: int
    price_utoken_per_kwh: int


@dataclass(frozen=True, slots=True)
class LookBack:
    """What a wish would have done: hours it traded in, energy, money and gain over the utility."""

    hours: int
    traded_hours: int
    energy_wh: int
    amount_utoken: int
    gain_utoken: int


def proposed(side: str, past: Sequence[PastHour]) -> StandingWish | None:
    """The proposal for a side; None for a household without such energy in these hours."""
    flows = [hour.imported_wh if side == "bid" else hour.exported_wh for hour in past]
    flowing = [energy_wh for energy_wh in flows if energy_wh]
    if not flowing:
        return None
    usual_wh = sum(flowing) // len(flowing)
    energy_wh = max(STEP_WH, usual_wh // STEP_WH * STEP_WH)
    newest = past[0]
    price = newest.retail_utoken_per_kwh if side == "bid" else newest.feed_in_utoken_per_kwh
    return StandingWish(side, energy_wh, price)


def first_wish(side: str, price_utoken_per_kwh: int) -> StandingWish:
    """Where a newcomer begins: a round amount at the utility's price for this side."""
    return StandingWish(side, FIRST_WH, max(PRICE_UTOKEN_MIN, price_utoken_per_kwh))


def look_back(wish: StandingWish, past: Sequence[PastHour]) -> LookBack:
    """What the wish would have done in these hours."""
    traded_hours = energy = amount = gain = 0
    for hour in past:
        traded_wh = _traded_wh(wish, hour)
        price = hour.price_utoken_per_kwh
        if price is None or not traded_wh:
            continue
        per_kwh = (
            hour.retail_utoken_per_kwh - price
            if wish.side == "bid"
            else price - hour.feed_in_utoken_per_kwh
        )
        traded_hours += 1
        energy += traded_wh
        amount += traded_wh * price // WH_PER_KWH
        gain += traded_wh * per_kwh // WH_PER_KWH
    return LookBack(len(past), traded_hours, energy, amount, gain)


def _traded_wh(wish: StandingWish, hour: PastHour) -> int:
    price = hour.price_utoken_per_kwh
    if price is None:
        return 0
    if wish.side == "bid":
        return min(wish.energy_wh, hour.imported_wh) if price <= wish.price_utoken_per_kwh else 0
    return min(wish.energy_wh, hour.exported_wh) if price >= wish.price_utoken_per_kwh else 0


def contract_argument(
    wish: StandingWish, *, res_id: str, now_ms: int, listings_per_day: int
) -> dict[str, Any]:
    """The argument of `standing:place` for the next 30 days."""
    listings_max = listings_per_day * DAYS_AHEAD
    per_listing = -(-wish.energy_wh * wish.price_utoken_per_kwh // WH_PER_KWH)
    return {
        "side": wish.side,
        "energy_wh": wish.energy_wh,
        "price_utoken_per_kwh": wish.price_utoken_per_kwh,
        "res_id": res_id if wish.side == "offer" else "",
        "from_ms": now_ms,
        "until_ms": now_ms + DAYS_AHEAD * DAY_MS,
        "listings_max": listings_max,
        "budget_utoken": max(BUDGET_UTOKEN_MIN, per_listing * listings_max),
    }
