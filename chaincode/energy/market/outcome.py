"""What a listing's terms make of its orders: the regulated part first, then the auction. Pure.

A listing may name priority consumers and a regulated price. Their bids that would pay it are
served first, at that price, by the offers that would take it; what is left of them and all
others meet in the auction under the listing's rule (docs/market.md, "Priority consumers").
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from chaincode.energy.market.book import Book, Order, Side, build_book
from chaincode.energy.market.clearing import ClearingResult, Ration, clear_book
from chaincode.energy.market.matching import Rule
from chaincode.energy.market.preferences import Preferences
from chaincode.energy.market.records import Listing, MarketOrder


@dataclass(frozen=True, slots=True)
class Outcome:
    """`book` holds all orders; `regulated` is None where nobody was served at that price."""

    book: Book
    auction: ClearingResult
    regulated: ClearingResult | None

    @property
    def matched_wh(self) -> int:
        """Energy matched in both parts."""
        return self.auction.quantity_wh + (self.regulated.quantity_wh if self.regulated else 0)

    @property
    def curtailed_wh(self) -> int:
        """What the line limit kept from trading, in both parts."""
        return self.auction.curtailed_wh + (self.regulated.curtailed_wh if self.regulated else 0)

    @property
    def total_utoken(self) -> int:
        """Money of both parts."""
        return self.auction.total_utoken + (self.regulated.total_utoken if self.regulated else 0)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a listing fixes about its clearing; prices in micro-tokens per kWh."""

    rule: Rule
    k: Fraction
    ration: Ration
    floor_price: int | None
    cap_price: int | None
    fixed_price: int | None = None
    line_limit_wh: int | None = None
    regulated_price: int | None = None

    @classmethod
    def of(cls, listing: Listing) -> "Terms":
        """Those of a listing."""
        fixed = listing.rule == "fixed_price"
        return cls(
            rule=cast("Rule", listing.rule),
            k=Fraction(listing.k),
            ration=cast("Ration", listing.ration),
            floor_price=listing.floor_utoken_per_kwh,
            cap_price=listing.cap_utoken_per_kwh,
            fixed_price=listing.fixed_price_utoken_per_kwh if fixed else None,
            line_limit_wh=listing.line_limit_wh,
            regulated_price=listing.regulated_price_utoken_per_kwh,
        )


def decide(
    listing: Listing, placed: Sequence[MarketOrder], positions: Mapping[str, int]
) -> Outcome:
    """Clear the orders of a listing. `positions`: place of each order in the ledger."""
    priority = frozenset(listing.priority_consumers)
    return clear_in_parts(
        auction_orders(placed, positions),
        Terms.of(listing),
        first={order.order_id for order in placed if order.idgrid in priority},
        preferences=preferences_of(placed),
    )


def clear_in_parts(
    orders: Sequence[Order],
    terms: Terms,
    *,
    first: Collection[str],
    preferences: Preferences | None,
) -> Outcome:
    """Clear one book; bids named in `first` meet the offers before, at the regulated price."""
    regulated = _regulated(orders, terms, first, preferences)
    rest = orders
    line_limit_wh = terms.line_limit_wh
    if regulated is not None:
        rest = _rest(orders, regulated.allocations)
        if line_limit_wh is not None:
            line_limit_wh -= regulated.quantity_wh
    auction = clear_book(
        rest,
        rule=terms.rule,
        k=terms.k,
        ration=terms.ration,
        floor_price=terms.floor_price,
        cap_price=terms.cap_price,
        fixed_price=terms.fixed_price,
        line_limit_wh=line_limit_wh,
        preferences=preferences,
    )
    book = auction.book
    if regulated is not None:
        book = build_book(orders, floor_price=terms.floor_price, cap_price=terms.cap_price)
    return Outcome(book=book, auction=auction, regulated=regulated)


def auction_orders(placed: Sequence[MarketOrder], positions: Mapping[str, int]) -> list[Order]:
    """The orders as the price rule wants them."""
    return [
        Order(
            order_id=order.order_id,
            side=cast("Side", order.side),
            price_utoken_per_kwh=order.price_utoken_per_kwh,
            energy_wh=order.energy_wh,
            sequence=positions[order.order_id],
        )
        for order in placed
    ]


def _regulated(
    orders: Sequence[Order],
    terms: Terms,
    first: Collection[str],
    preferences: Preferences | None,
) -> ClearingResult | None:
    """Priority consumers' bids against all offers, at the regulated price."""
    if terms.regulated_price is None or not first:
        return None
    result = clear_book(
        [order for order in orders if order.side == "offer" or order.order_id in first],
        rule="fixed_price",
        fixed_price=terms.regulated_price,
        ration=terms.ration,
        floor_price=terms.floor_price,
        cap_price=terms.cap_price,
        line_limit_wh=terms.line_limit_wh,
        preferences=preferences,
    )
    return result if result.quantity_wh else None


def _rest(orders: Sequence[Order], served: Mapping[str, int]) -> list[Order]:
    """The orders without what is served already; those served in full drop out."""
    return [
        order._replace(energy_wh=order.energy_wh - served.get(order.order_id, 0))
        for order in orders
        if order.energy_wh > served.get(order.order_id, 0)
    ]


def preferences_of(placed: Sequence[MarketOrder]) -> Preferences | None:
    """Wishes of the bids for producers or sources; None if there are none."""
    wanted = {order.order_id: order.preferred for order in placed if order.preferred}
    if not wanted:
        return None
    sources = {
        order.order_id: [name for name in (order.res_id, order.idgrid) if name]
        for order in placed
        if order.side == "offer"
    }
    return Preferences(sources=sources, wanted=wanted)
