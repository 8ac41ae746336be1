"""How much trades at which price: the price rules.

Definition (docs/market.md, "Price rule"). Each rule looks at the two merit orders of a book and
gives the volume, the price, and the orders of each side that compete for the volume.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from chaincode.energy.market.book import Book, MeritOrder, OrderSide
from chaincode.energy.market.price_ladder import around_crossing

Rule = Literal["crossing", "average_bid", "fixed_price"]
RULES: tuple[Rule, ...] = ("crossing", "average_bid", "fixed_price")

BID_BELOW_AVERAGE = "bid below average price"
OFFER_ABOVE_AVERAGE = "offer above average price"
BID_BELOW_FIXED = "bid below fixed price"
OFFER_ABOVE_FIXED = "offer above fixed price"

Named = tuple[tuple[str, str], ...]
"""(order id, reason) pairs."""


@dataclass(frozen=True, slots=True)
class Match:
    """Volume, price, and the orders of each side that compete for the volume.

    `margins` are the stretches of bids and offers in which the volume ends.
    """

    quantity_wh: int
    price_utoken_per_kwh: int
    price_interval: tuple[int, int]
    bids: OrderSide
    offers: OrderSide
    margins: tuple[MeritOrder, MeritOrder]
    excluded: Named = ()


def match_by(
    rule: Rule, book: Book, *, k: Fraction, fixed_price: int | None = None
) -> Match | None:
    """What the rule makes of the book; None if nothing trades.

    Raises `ValueError` if `fixed_price` is missing for the rule of that name.
    """
    if rule == "crossing":
        return _match_crossing(book, k)
    if rule == "average_bid":
        return _match_average_bid(book)
    if fixed_price is None:
        raise ValueError("the rule fixed_price needs a price")
    return _match_at(book, fixed_price, BID_BELOW_FIXED, OFFER_ABOVE_FIXED, bids_equal=True)


def curtailed(match: Match, line_limit_wh: int | None) -> Match | None:
    """The match cut to what the line carries; its price stays, and the better prices go first."""
    if line_limit_wh is None or match.quantity_wh <= line_limit_wh:
        return match
    if not line_limit_wh:
        return None
    margins = (match.bids.merit_order(), match.offers.merit_order())
    return replace(match, quantity_wh=line_limit_wh, margins=margins)


def _match_crossing(book: Book, k: Fraction) -> Match | None:
    """The largest volume with bid >= offer throughout, and the prices that clear exactly it."""
    bids, offers = around_crossing(book)
    quantity_wh = _crossing_volume(bids, offers)
    if not quantity_wh:
        return None
    low, high = offers.last_price(quantity_wh), bids.last_price(quantity_wh)
    unfilled_bid, unfilled_offer = bids.next_price(quantity_wh), offers.next_price(quantity_wh)
    if unfilled_bid is not None:
        low = max(low, unfilled_bid)
    if unfilled_offer is not None:
        high = min(high, unfilled_offer)
    return Match(
        quantity_wh=quantity_wh,
        price_utoken_per_kwh=low + (high - low) * k.numerator // k.denominator,
        price_interval=(low, high),
        bids=book.bids,
        offers=book.offers,
        margins=(bids, offers),
    )


def _crossing_volume(bids: MeritOrder, offers: MeritOrder) -> int:
    """Max over all prices of min(demand, supply) at it.

    Down the bids demand grows and supply at the bid's price shrinks, so the best bid is the first
    whose demand reaches that supply, or the one before it.
    """

    def supply_wh(at: int) -> int:
        return offers.energy_at(-bids.ranks[at])

    count = len(bids.ranks)
    first = bisect_left(
        range(count),
        True,  # noqa: FBT003 - what bisect_left looks for
        key=lambda at: bids.cumulative_wh[at] >= supply_wh(at),
    )
    near = [at for at in (first - 1, first) if 0 <= at < count]
    return max((min(bids.cumulative_wh[at], supply_wh(at)) for at in near), default=0)


def _match_average_bid(book: Book) -> Match | None:
    """The mean of the executable bids; each bid counts once, whatever its energy.

    Buyers keep price priority; all admitted sellers rank equal, because this rule serves
    them in the order they came, not by reserve price.
    """
    ranks = book.bids.ranks
    if not ranks:
        return None
    price = -sum(ranks) // len(ranks)
    return _match_at(book, price, BID_BELOW_AVERAGE, OFFER_ABOVE_AVERAGE, bids_equal=False)


def _match_at(
    book: Book, price: int, bid_reason: str, offer_reason: str, *, bids_equal: bool
) -> Match | None:
    """Everybody who would trade at a given price; sellers rank equal, buyers on demand."""
    bids = book.bids.admitted(price, all_equal=bids_equal)
    offers = book.offers.admitted(price, all_equal=True)
    quantity_wh = min(bids.energy_wh, offers.energy_wh)
    if not quantity_wh:
        return None
    return Match(
        quantity_wh=quantity_wh,
        price_utoken_per_kwh=price,
        price_interval=(price, price),
        bids=bids,
        offers=offers,
        margins=(bids.merit_order(), offers.merit_order()),
        excluded=(
            *_named(book.bids.shut_out(price), bid_reason),
            *_named(book.offers.shut_out(price), offer_reason),
        ),
    )


def _named(order_ids: Iterable[str], reason: str) -> Iterable[tuple[str, str]]:
    return ((order_id, reason) for order_id in order_ids)
