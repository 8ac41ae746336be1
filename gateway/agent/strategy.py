"""What a demo household offers or bids: a simple, documented rule without hidden chance.

The household expects the next hour's net energy with an error of up to 8 %, as a forecast would
have. A surplus is offered, a deficit bid for, both cut to the listing's limit. Between the feed-in
tariff (what the utility pays) and the retail price (what it charges) both sides gain from
trading, so a seller asks 5 to 55 % and a buyer bids 35 to 95 % of the way up. Where exactly is
drawn from SHA-256 over household and listing: the same every run, different every hour.
"""

from dataclasses import dataclass
from typing import Literal

from ledger.crypto.hashing import sha256

FORECAST_ERROR_PERCENT = 8
SELLER_PERCENT = (5, 55)
BUYER_PERCENT = (35, 95)
ENERGY_MIN_WH = 50
"""Less is not worth an order."""


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """What a listing pins: prices in micro-tokens per kWh and the largest order."""

    listing_id: str
    floor_utoken_per_kwh: int
    cap_utoken_per_kwh: int
    max_order_wh: int


@dataclass(frozen=True, slots=True)
class Wish:
    """An order to place."""

    side: Literal["offer", "bid"]
    energy_wh: int
    price_utoken_per_kwh: int


def wish_for(*, household: str, net_wh: int, terms: MarketTerms) -> Wish | None:
    """The order for an hour with this net energy (positive: surplus), `None` for no order."""
    error = _draw(household, terms.listing_id, "forecast", -FORECAST_ERROR_PERCENT * 100, 1600)
    expected_wh = net_wh * (10_000 + error) // 10_000
    energy_wh = min(abs(expected_wh), terms.max_order_wh)
    if energy_wh < ENERGY_MIN_WH:
        return None
    is_offer = expected_wh > 0
    low, high = SELLER_PERCENT if is_offer else BUYER_PERCENT
    share = _draw(household, terms.listing_id, "price", low * 100, (high - low) * 100)
    span = terms.cap_utoken_per_kwh - terms.floor_utoken_per_kwh
    price = terms.floor_utoken_per_kwh + span * share // 10_000
    return Wish("offer" if is_offer else "bid", energy_wh, price)


def apart_from(net_wh: int, apart_wh: int) -> int:
    """What is left of a surplus (positive) or a deficit when so much of it is kept apart."""
    left_wh = max(abs(net_wh) - apart_wh, 0)
    return left_wh if net_wh > 0 else -left_wh


def _draw(household: str, listing_id: str, what: str, least: int, span: int) -> int:
    """A number from least to least + span, the same for the same words."""
    digest = sha256(f"{household}|{listing_id}|{what}".encode())
    return least + int.from_bytes(digest[:8], "big") % (span + 1)
