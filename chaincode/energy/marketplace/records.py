"""What the marketplace keeps in the world state.

Energy in Wh, money in micro-tokens, prices in micro-tokens per kWh, time in ms UTC.
"""

from dataclasses import dataclass
from enum import StrEnum


class PostKind(StrEnum):
    """Who posted: a seller offers, a buyer requests."""

    OFFER = "offer"
    REQUEST = "request"


class PostState(StrEnum):
    """Life of an offer or request; the last four are final but for DISPUTED.

    RESERVED: an offer somebody wants to buy, or a request somebody asked to sell to.
    PURCHASED: an offer is bought; SOLD: a request is served; both wait for delivery.
    DISPUTED: readings were missing when they were due.
    """

    OPEN = "OPEN"
    RESERVED = "RESERVED"
    PURCHASED = "PURCHASED"
    SOLD = "SOLD"
    DISPUTED = "DISPUTED"
    SETTLED = "SETTLED"
    REFUNDED = "REFUNDED"
    EXPIRED = "EXPIRED"
    DELETED = "DELETED"


DEALT = frozenset({PostState.PURCHASED, PostState.SOLD, PostState.DISPUTED})
"""Both parties are bound, the money is locked, delivery is not settled."""


class Delivery(StrEnum):
    """How it was found out what was delivered."""

    METERED = "metered"
    CONFIRMED = "confirmed"
    DECIDED = "decided"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Post:
    """An offer or a request, and the deal it becomes. `price_utoken` is for the whole lot.

    `seller_idgrid` and `buyer_idgrid` are both kept to the end; while the post is open one of
    them is None. `escrow_id` is the transaction that locked the buyer's money, None if none is
    locked. The two deadlines: missing readings make the deal DISPUTED from `settle_by_ms` on, and
    from `refund_from_ms` on the buyer gets the money back.
    `is_charge_checked` is False for an offer nobody compared with a battery; it is shown so.
    `needs_acceptance`: the buyer decides who may serve its request. Where readings are missing,
    `admitted_wh` is what the buyer says came, `claimed_wh` what the seller asks to be paid for.
    """

    post_id: str
    kind: str
    state: str
    hour: str
    owner_idgrid: str
    energy_wh: int
    price_utoken: int
    unit_price_utoken_per_kwh: int
    res_id: str | None
    is_charge_checked: bool
    needs_acceptance: bool
    seller_idgrid: str | None
    buyer_idgrid: str | None
    reserved_until_ms: int
    escrow_id: str | None
    delivery_start_ms: int
    delivery_end_ms: int
    reading_tolerance_ms: int
    settle_by_ms: int
    refund_from_ms: int
    delivered_wh: int | None = None
    paid_utoken: int | None = None
    delivery: str | None = None
    admitted_wh: int | None = None
    claimed_wh: int | None = None


@dataclass(frozen=True, slots=True)
class OwnPost:
    """Index entry: energy a household offers or requests for an hour."""

    kind: str
    energy_wh: int


SELL, BUY = "sell", "buy"


@dataclass(frozen=True, slots=True)
class Deal:
    """Index entry: energy a household has sold or bought in an hour; `side` is sell or buy."""

    side: str
    energy_wh: int
