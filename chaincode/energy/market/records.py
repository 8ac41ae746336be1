"""What the market keeps in the world state.

Energy is Wh, price micro-tokens per kWh, time ms UTC.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ListingState(StrEnum):
    """Life of a listing.

    CLEARING: a large book is decided, its escrows are being released (`auction_pages.py`).
    REVEALING: the gate of a sealed listing has closed, orders are being revealed. CANCELLED: by an
    emergency stop (`stop.py`).
    SETTLING: the settlement is decided, its pages are being paid. DISPUTED: readings are missing
    after their time, or a party disputes what was settled.
    """

    AUTHORIZE_OFFERS = "AUTHORIZE_OFFERS"
    REVEALING = "REVEALING"
    BIDS_CLOSED = "BIDS_CLOSED"
    CLEARING = "CLEARING"
    CLEARED = "CLEARED"
    DELIVERING = "DELIVERING"
    SETTLING = "SETTLING"
    SETTLED = "SETTLED"
    DISPUTED = "DISPUTED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class MarketOrder:
    """One offer or bid as placed. `res_id` is None for a bid.

    `order_id` is the transaction that placed it; of a sealed order the one that committed to it.
    `idgrid` is the household, or the id of the group that orders for its `members`.
    `preferred`: RESids or IDgrids a bid would rather be supplied by, a tie-break only.
    `source` tells what made it: order, standing, profile, sealed or group.
    """

    order_id: str
    listing_id: str
    idgrid: str
    side: str
    energy_wh: int
    price_utoken_per_kwh: int
    res_id: str | None
    preferred: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    source: str = "order"


@dataclass(frozen=True, slots=True)
class SealedOrder:
    """A commitment to an order nobody can read yet; `commitment` is a SHA-256 in hex."""

    order_id: str
    listing_id: str
    idgrid: str
    commitment: str


@dataclass(frozen=True, slots=True)
class OwnOrders:
    """A household's orders in one listing, added up; written by its own orders only.

    `side` is "offer", "bid" or "sealed", all orders are of one side. `group_id` names the group
    that ordered for the household, else it is empty.
    """

    side: str
    energy_wh: int
    order_count: int
    group_id: str = ""


@dataclass(frozen=True, slots=True)
class Promised:
    """Energy a battery has promised: listing -> [Wh, end of delivery in ms]."""

    listings: dict[str, list[int]] = field(default_factory=dict)

    @property
    def energy_wh(self) -> int:
        """All of it."""
        return sum(energy_wh for energy_wh, _ in self.listings.values())

    def changed(self, listing_id: str, *, by_wh: int, until_ms: int) -> "Promised":
        """With more or less promised in one listing; an empty entry is left out."""
        before_wh = self.listings.get(listing_id, [0, until_ms])[0]
        others = {name: entry for name, entry in self.listings.items() if name != listing_id}
        left_wh = before_wh + by_wh
        return Promised(others | {listing_id: [left_wh, until_ms]} if left_wh > 0 else others)


@dataclass(frozen=True, slots=True)
class Listing:
    """One delivery hour's market: its rule and prices are pinned when it opens.

    `k` is a fraction as text; `floor` is the feed-in tariff, `cap` the retail price.
    `fixed_price` is that of the rule of this name; `priority_consumers` (IDgrids) are served first
    at the `regulated_price`; `line_limit_wh` is the most that may be matched.
    Without `allows_direct_trade` offers are fed in and bids refused (`direct_trade.py`).
    `sealed_forfeit_orders`: a hidden order costs the largest gain of so many orders.
    `opened_by_tx` is the first entry of the arrivals history and fixes its direction.
    Settlement (docs/settlement.md): `network_charge` is paid by buyers on top of the price,
    `pool_share` is the thousandth part of the sellers' proceeds that goes to the community pool;
    after `readings_due_ms` a silent meter counts as zero; `dispute_window_ms` runs from the
    settlement. `is_decided` once there is one: then DISPUTED is about what was settled.
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
    is_sealed: bool = False
    reveal_until_ms: int = 0
    clock_members: int = 1
    has_stale_price: bool = False
    network_charge_utoken_per_kwh: int = 0
    pool_share_permille: int = 0
    readings_due_ms: int = 0
    dispute_window_ms: int = 0
    is_decided: bool = False
    fixed_price_utoken_per_kwh: int | None = None
    regulated_price_utoken_per_kwh: int | None = None
    line_limit_wh: int | None = None
    priority_consumers: list[str] = field(default_factory=list)
    allows_direct_trade: bool = True
    sealed_forfeit_orders: int = 1


@dataclass(frozen=True, slots=True)
class MarketDefaults:
    """Parameters of `open_listing` a community has pinned for all its listings."""

    parameters: dict[str, Any]
