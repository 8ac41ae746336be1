"""What the market keeps in the world state.

Energy is Wh, price micro-tokens per kWh, time ms UTC.
"""

from dataclasses import dataclass
from enum import StrEnum


class ListingState(StrEnum):
    """Life of a listing; DISPUTED and CANCELLED are reserved."""

    AUTHORIZE_OFFERS = "AUTHORIZE_OFFERS"
    BIDS_CLOSED = "BIDS_CLOSED"
    CLEARED = "CLEARED"
    DELIVERING = "DELIVERING"
    SETTLED = "SETTLED"
    DISPUTED = "DISPUTED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class MarketOrder:
    """One offer or bid as placed. `res_id` is None for a bid."""

    order_id: str
    listing_id: str
    idgrid: str
    side: str
    energy_wh: int
    price_utoken_per_kwh: int
    res_id: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One delivery hour's market: its rule and prices are pinned when it opens.

    `k` is a fraction as text; `floor` is the feed-in tariff, `cap` the retail price.
    `opened_by_tx` is the first entry of the arrivals history and fixes its direction.
    """

    listing_id: str
    state: str
    preset: str
    rule: str
    rule_version: int
    k: str
    ration: str
    floor_utoken_per_kwh: int
    cap_utoken_per_kwh: int
    max_order_wh: int
    opens_at_ms: int
    gate_closure_ms: int
    delivery_start_ms: int
    delivery_end_ms: int
    settlement_end_ms: int
    reading_tolerance_ms: int
    opened_by_tx: str
