"""How far a household's orders are, from the ledger to the settlement, each with its reason. Pure.

The states follow one another: on the ledger, gate closed, matched (or not), delivering, settled. A
household reads its own orders here, so that none is ever just "pending" (E127).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chaincode.energy.market.auction_records import AuctionResult, Match
from chaincode.energy.market.records import Listing, ListingState, MarketOrder
from chaincode.energy.settlement.records import SettlementLine


class OrderState(StrEnum):
    """Where an order is."""

    OPEN = "open"
    GATE_CLOSED = "gate_closed"
    MATCHED = "matched"
    PARTLY_MATCHED = "partly_matched"
    NOT_MATCHED = "not_matched"
    DELIVERING = "delivering"
    SETTLED = "settled"
    DISPUTED = "disputed"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    INVALID = "invalid"


class Reason(StrEnum):
    """Why an order is not matched in full."""

    NONE = ""
    NOTHING_TRADED = "nothing_traded"
    BID_BELOW_PRICE = "bid_below_price"
    OFFER_ABOVE_PRICE = "offer_above_price"
    OTHERS_FIRST = "others_first"
    LINE_LIMIT = "line_limit"
    TAKEN_BACK = "taken_back"


@dataclass(frozen=True, slots=True, order=True)
class OrderPlace:
    """Where an order is among a household's; `listing:block:order` is the cursor of pages."""

    listing_id: str
    block_number: int
    order_id: str

    @classmethod
    def of_cursor(cls, text: str | None) -> "OrderPlace | None":
        """From the cursor of a page, which the first page has none of."""
        if text is None:
            return None
        listing_id, block_number, order_id = text.split(":", 2)
        return cls(listing_id, int(block_number), order_id)

    def __str__(self) -> str:
        return f"{self.listing_id}:{self.block_number}:{self.order_id}"


@dataclass(frozen=True, slots=True)
class OrderProgress:
    """An order, its place on the ledger and what became of it; `settled_wh` is the household's.

    `code` is the validation code of an order that was recorded as invalid.
    """

    listing_id: str
    order_id: str
    side: str
    energy_wh: int
    price_utoken_per_kwh: int
    block_number: int
    state: OrderState
    reason: Reason = Reason.NONE
    matched_wh: int = 0
    cleared_at_utoken_per_kwh: int | None = None
    settled_wh: int | None = None
    code: str = ""

    @property
    def place(self) -> OrderPlace:
        """By delivery hour, then by block; never the same for two."""
        return OrderPlace(self.listing_id, self.block_number, self.order_id)


_BEFORE_CLEARING = {
    ListingState.AUTHORIZE_OFFERS: OrderState.OPEN,
    ListingState.REVEALING: OrderState.GATE_CLOSED,
    ListingState.BIDS_CLOSED: OrderState.GATE_CLOSED,
    ListingState.CLEARING: OrderState.GATE_CLOSED,
    ListingState.CANCELLED: OrderState.STOPPED,
}
_AFTER_CLEARING = {
    ListingState.DELIVERING: OrderState.DELIVERING,
    ListingState.SETTLING: OrderState.DELIVERING,
    ListingState.SETTLED: OrderState.SETTLED,
    ListingState.DISPUTED: OrderState.DISPUTED,
}


def progress_of(
    order: MarketOrder,
    *,
    block_number: int,
    listing: Listing,
    result: AuctionResult | None,
    matches: Mapping[str, Match],
    line: SettlementLine | None,
) -> OrderProgress:
    """Where one order is; `matches` are the listing's by order, `line` is the household's."""
    match = matches.get(order.order_id)
    matched_wh = match.matched_wh if match is not None else 0
    state, reason = _state(order, listing, result, matched_wh)
    settled_wh = None
    if line is not None and matched_wh:
        settled_wh = line.sold_wh if order.side == "offer" else line.bought_wh
    return OrderProgress(
        listing_id=order.listing_id,
        order_id=order.order_id,
        side=order.side,
        energy_wh=order.energy_wh,
        price_utoken_per_kwh=order.price_utoken_per_kwh,
        block_number=block_number,
        state=state,
        reason=reason,
        matched_wh=matched_wh,
        cleared_at_utoken_per_kwh=result.price_utoken_per_kwh if result else None,
        settled_wh=settled_wh,
    )


def _state(
    order: MarketOrder, listing: Listing, result: AuctionResult | None, matched_wh: int
) -> tuple[OrderState, Reason]:
    before = _BEFORE_CLEARING.get(ListingState(listing.state))
    if before is not None:
        return before, Reason.NONE
    if result is None:
        return OrderState.GATE_CLOSED, Reason.NONE
    reason = Reason.NONE
    if matched_wh < order.energy_wh:
        reason = _why_not(order, listing, result)
    if not matched_wh:
        return OrderState.NOT_MATCHED, reason
    after = _AFTER_CLEARING.get(ListingState(listing.state))
    if after is None:
        after = OrderState.PARTLY_MATCHED if reason else OrderState.MATCHED
    return after, reason


def _why_not(order: MarketOrder, listing: Listing, result: AuctionResult) -> Reason:
    """The price first: who was ready to pay or take it lost only to orders before it."""
    price = result.price_utoken_per_kwh
    if price is None:
        return Reason.NOTHING_TRADED
    if order.side == "bid" and order.price_utoken_per_kwh < price:
        return Reason.BID_BELOW_PRICE
    asked = max(order.price_utoken_per_kwh, listing.floor_utoken_per_kwh)
    if order.side == "offer" and asked > price:
        return Reason.OFFER_ABOVE_PRICE
    return Reason.LINE_LIMIT if result.curtailed_wh else Reason.OTHERS_FIRST


def newest_first(found: Sequence[OrderProgress]) -> list[OrderProgress]:
    """By delivery hour, then by place on the ledger."""
    return sorted(found, key=lambda item: item.place, reverse=True)
