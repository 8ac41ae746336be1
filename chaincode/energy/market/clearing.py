"""Pay-as-clear: one order book in, one price and the matched energy of every order out.

Definition (docs/market.md, "Price rule"): the quantity is the largest volume at which bid >=
offer still holds on the merged merit orders; the price lies in the interval of prices at which
exactly this volume clears; price priority decides who is matched, and only the marginal price
level of one side is rationed. Pure functions on frozen data, whole numbers only.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Literal

from chaincode.energy.market.book import (
    Book,
    CurvePoint,
    MeritOrder,
    Order,
    build_book,
    in_ledger_order,
)
from chaincode.energy.market.rationing import first_come, largest_remainder, split_amount

Rule = Literal["crossing", "average_bid"]
Ration = Literal["fifo", "pro_rata"]
RULES: tuple[Rule, ...] = ("crossing", "average_bid")
RATIONS: tuple[Ration, ...] = ("fifo", "pro_rata")
RULE_VERSION = 1
MIDPOINT = Fraction(1, 2)

BID_BELOW_AVERAGE = "bid below average price"
OFFER_ABOVE_AVERAGE = "offer above average price"


@dataclass(frozen=True, slots=True)
class ClearingResult:
    """What the auction decided. Maps hold only orders with an allocation, in ledger order.

    `price_utoken_per_kwh` and `price_interval` are None when nothing trades. `not_executable`
    are orders outside floor and cap (or of zero energy); `excluded` are orders which the
    average-bid price shut out, so that nobody trades at a loss (always empty for `crossing`).
    """

    rule: Rule
    price_utoken_per_kwh: int | None
    quantity_wh: int
    price_interval: tuple[int, int] | None
    allocations: dict[str, int]
    buyer_pays_utoken: dict[str, int]
    seller_gets_utoken: dict[str, int]
    total_utoken: int
    not_executable: tuple[tuple[str, str], ...]
    excluded: tuple[tuple[str, str], ...]
    demand_curve: tuple[CurvePoint, ...]
    supply_curve: tuple[CurvePoint, ...]
    wanted_wh: int
    available_wh: int


@dataclass(frozen=True, slots=True)
class _Match:
    """Volume, price, and the orders of each side that compete for the volume."""

    quantity_wh: int
    price_utoken_per_kwh: int
    price_interval: tuple[int, int]
    bids: MeritOrder
    offers: MeritOrder
    excluded: tuple[tuple[str, str], ...] = ()


def clear_book(
    orders: Iterable[Order],
    *,
    rule: Rule = "crossing",
    k: Fraction = MIDPOINT,
    ration: Ration = "fifo",
    floor_price: int | None = None,
    cap_price: int | None = None,
) -> ClearingResult:
    """Clear one book.

    `rule`: `crossing` takes low + floor(k * (high - low)) of the price interval, 0 <= k <= 1;
    `average_bid` takes the mean of the executable bids rounded down (k is not used) and shuts
    out bids below and offers above it. `ration`: how the marginal level shares what is left.
    Raises `ValueError` for an unknown rule or ration, k outside 0..1, or floor above cap.
    """
    if rule not in RULES or ration not in RATIONS:
        raise ValueError(f"unknown rule or ration: {rule}, {ration}")
    if not 0 <= k <= 1:
        raise ValueError(f"k must lie between 0 and 1, not {k}")
    if floor_price is not None and cap_price is not None and floor_price > cap_price:
        raise ValueError(f"the floor price {floor_price} is above the cap price {cap_price}")
    book = build_book(orders, floor_price=floor_price, cap_price=cap_price)
    match = _match_crossing(book, k) if rule == "crossing" else _match_average_bid(book)
    return _result(book, rule=rule, match=match, ration=ration)


def other_rule_price(book: Book, *, rule: Rule, k: Fraction = MIDPOINT) -> tuple[Rule, int | None]:
    """The figure the rule *not* used would have given, published beside the result."""
    other: Rule = "average_bid" if rule == "crossing" else "crossing"
    match = _match_crossing(book, k) if other == "crossing" else _match_average_bid(book)
    return other, match.price_utoken_per_kwh if match is not None else None


def _match_crossing(book: Book, k: Fraction) -> _Match | None:
    """The volume at which bid >= offer still holds, and the prices that clear exactly it."""
    quantity_wh, bids_done, offers_done = _walk(book.bids, book.offers)
    if not quantity_wh:
        return None
    low = book.offers.prices[_last_accepted(book.offers, quantity_wh)]
    high = book.bids.prices[_last_accepted(book.bids, quantity_wh)]
    if bids_done < len(book.bids.orders):
        low = max(low, book.bids.prices[bids_done])
    if offers_done < len(book.offers.orders):
        high = min(high, book.offers.prices[offers_done])
    return _Match(
        quantity_wh=quantity_wh,
        price_utoken_per_kwh=low + (high - low) * k.numerator // k.denominator,
        price_interval=(low, high),
        bids=book.bids,
        offers=book.offers,
    )


def _walk(bids: MeritOrder, offers: MeritOrder) -> tuple[int, int, int]:
    """Merge both sides while the bid covers the offer.

    Returns the matched Wh and, per side, the index of the best order with any unfilled Wh.
    """
    quantity_wh = bid_left = offer_left = 0
    bid_at = offer_at = -1
    while True:
        if not bid_left:
            bid_at += 1
            bid_left = bids.orders[bid_at].energy_wh if bid_at < len(bids.orders) else 0
        if not offer_left:
            offer_at += 1
            offer_left = offers.orders[offer_at].energy_wh if offer_at < len(offers.orders) else 0
        if not bid_left or not offer_left or bids.prices[bid_at] < offers.prices[offer_at]:
            return quantity_wh, bid_at, offer_at
        step_wh = min(offer_left, bid_left)
        quantity_wh += step_wh
        bid_left -= step_wh
        offer_left -= step_wh


def _last_accepted(side: MeritOrder, quantity_wh: int) -> int:
    """Index of the order in which the cumulative energy reaches the matched quantity."""
    return bisect_left(_cumulative(side), quantity_wh)


def _cumulative(side: MeritOrder) -> list[int]:
    return list(accumulate(order.energy_wh for order in side.orders))


def _match_average_bid(book: Book) -> _Match | None:
    """The mean of the executable bids; each bid counts once, whatever its energy.

    Buyers keep price priority; all admitted sellers rank equal, because this rule serves
    them in the order they came, not by reserve price.
    """
    if not book.bids.orders:
        return None
    price = sum(book.bids.prices) // len(book.bids.prices)
    bids = book.bids.admitted(sum(bid >= price for bid in book.bids.prices))
    offers = book.offers.admitted(sum(offer <= price for offer in book.offers.prices))
    quantity_wh = min(bids.energy_wh, offers.energy_wh)
    if not quantity_wh:
        return None
    by_arrival = tuple(in_ledger_order(offers.orders))
    return _Match(
        quantity_wh=quantity_wh,
        price_utoken_per_kwh=price,
        price_interval=(price, price),
        bids=bids,
        offers=MeritOrder(orders=by_arrival, prices=(price,) * len(by_arrival)),
        excluded=(
            *_named(book.bids.orders[len(bids.orders) :], BID_BELOW_AVERAGE),
            *_named(book.offers.orders[len(offers.orders) :], OFFER_ABOVE_AVERAGE),
        ),
    )


def _named(orders: Iterable[Order], reason: str) -> Iterable[tuple[str, str]]:
    return ((order.order_id, reason) for order in orders)


def _result(book: Book, *, rule: Rule, match: _Match | None, ration: Ration) -> ClearingResult:
    buyers = _allocate(match.bids, match.quantity_wh, ration) if match else []
    sellers = _allocate(match.offers, match.quantity_wh, ration) if match else []
    price = match.price_utoken_per_kwh if match else None
    quantity_wh = match.quantity_wh if match else 0
    return ClearingResult(
        rule=rule,
        price_utoken_per_kwh=price,
        quantity_wh=quantity_wh,
        price_interval=match.price_interval if match else None,
        allocations={order.order_id: wh for order, wh in buyers + sellers},
        buyer_pays_utoken=_amounts(buyers, price or 0),
        seller_gets_utoken=_amounts(sellers, price or 0),
        total_utoken=quantity_wh * (price or 0) // 1000,
        not_executable=book.not_executable,
        excluded=match.excluded if match else (),
        demand_curve=book.bids.curve(),
        supply_curve=book.offers.curve(),
        wanted_wh=book.bids.energy_wh,
        available_wh=book.offers.energy_wh,
    )


def _allocate(side: MeritOrder, quantity_wh: int, ration: Ration) -> list[tuple[Order, int]]:
    """Matched Wh per order, in ledger order; only the last price level reached is rationed."""
    cumulative = _cumulative(side)
    marginal_price = side.prices[bisect_left(cumulative, quantity_wh)]
    level_from = side.prices.index(marginal_price)
    level_to = level_from + side.prices.count(marginal_price)
    level = side.orders[level_from:level_to]
    rest_wh = quantity_wh - (cumulative[level_from - 1] if level_from else 0)
    share_out = first_come if ration == "fifo" else largest_remainder
    shares = share_out(claims=[order.energy_wh for order in level], total=rest_wh)
    filled = [(order, order.energy_wh) for order in side.orders[:level_from]]
    filled.extend((order, wh) for order, wh in zip(level, shares, strict=True) if wh)
    filled.sort(key=lambda entry: (entry[0].sequence, entry[0].order_id))
    return filled


def _amounts(filled: list[tuple[Order, int]], price: int) -> dict[str, int]:
    amounts = split_amount(energies_wh=[wh for _, wh in filled], price_utoken_per_kwh=price)
    return {order.order_id: amount for (order, _), amount in zip(filled, amounts, strict=True)}
