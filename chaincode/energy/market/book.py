"""One order book as frozen data: orders, merit orders, supply and demand curves.

Units: energy in Wh, price in micro-tokens per kWh, `sequence` is the position on the ledger
(block, then transaction), never a clock. A book holds columns of numbers, so a hundred thousand
orders are added up and shared out without touching each of them again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress, islice
from operator import attrgetter, lt
from typing import Literal, NamedTuple

Side = Literal["bid", "offer"]
CurvePoint = tuple[int, int]
"""(price in micro-tokens per kWh, cumulative energy in Wh)."""

ZERO_QUANTITY = "zero quantity"
BID_UNDER_FLOOR = "bid under floor"
OFFER_ABOVE_CAP = "offer above cap"
BUY, SELL = -1, 1
"""Sign of a side: a rank is a price times this, so the smaller rank is the better one."""


class Order(NamedTuple):
    """One bid (buy at most at this price) or offer (sell at least at this price).

    A tuple, because a list of tuples turns into columns at once.
    """

    order_id: str
    side: Side
    price_utoken_per_kwh: int
    energy_wh: int
    sequence: int


@dataclass(frozen=True, slots=True)
class MeritOrder:
    """Rows of one side, best rank first, equal ranks in ledger order, and the energy up to each.

    It may be a stretch of the side: what is better is then counted in `cumulative_wh` already.
    """

    sign: int
    rows: Sequence[int]
    ranks: Sequence[int]
    cumulative_wh: Sequence[int]

    def energy_at(self, price: int) -> int:
        """Energy of the orders that would trade at `price`, if it ends in this stretch."""
        count = bisect_right(self.ranks, self.sign * price)
        return self.cumulative_wh[count - 1] if count else 0

    def last_price(self, quantity_wh: int) -> int:
        """Price of the order in which the best `quantity_wh` (at least 1) end."""
        return self.sign * self.ranks[bisect_left(self.cumulative_wh, quantity_wh)]

    def next_price(self, quantity_wh: int) -> int | None:
        """Price of the first order with energy beyond the best `quantity_wh`; None: no such."""
        at = bisect_right(self.cumulative_wh, quantity_wh)
        return self.sign * self.ranks[at] if at < len(self.ranks) else None


@dataclass(frozen=True, slots=True)
class OrderSide:
    """All bids or all offers as columns in ledger order.

    A rank is the price an order counts with (its limit, cut to cap or floor), negative for bids.
    """

    sign: int
    order_ids: list[str]
    ranks: list[int]
    energies_wh: list[int]

    @property
    def energy_wh(self) -> int:
        """Energy of all orders of this side."""
        return sum(self.energies_wh)

    @property
    def best_price(self) -> int | None:
        """Price of the best order; None if there is none."""
        return self.sign * min(self.ranks) if self.ranks else None

    def merit_order(self, rows: Sequence[int] | None = None, *, before_wh: int = 0) -> MeritOrder:
        """All rows sorted, or those of a stretch with `before_wh` of better orders before it."""
        chosen = range(len(self.ranks)) if rows is None else rows
        ordered = sorted(chosen, key=self.ranks.__getitem__)  # stable: equal ranks stay in order
        energies = [self.energies_wh[row] for row in ordered]
        return MeritOrder(
            sign=self.sign,
            rows=ordered,
            ranks=[self.ranks[row] for row in ordered],
            cumulative_wh=list(islice(accumulate(energies, initial=before_wh), 1, None)),
        )

    def curve(self) -> tuple[CurvePoint, ...]:
        """Cumulative energy at each price, best price first: the demand or supply curve."""
        merit = self.merit_order()
        levels = dict(zip(merit.ranks, merit.cumulative_wh, strict=True))
        return tuple((self.sign * rank, energy_wh) for rank, energy_wh in levels.items())

    def admitted(self, price: int, *, all_equal: bool) -> "OrderSide":
        """The orders that would trade at `price`; `all_equal`: none ranks before another."""
        worst = self.sign * price
        keep = [rank <= worst for rank in self.ranks]
        ranks = list(compress(self.ranks, keep))
        return OrderSide(
            sign=self.sign,
            order_ids=list(compress(self.order_ids, keep)),
            ranks=[worst] * len(ranks) if all_equal else ranks,
            energies_wh=list(compress(self.energies_wh, keep)),
        )

    def shut_out(self, price: int) -> list[str]:
        """The orders that would not trade at `price`, best first."""
        worst = self.sign * price
        rows = [row for row, rank in enumerate(self.ranks) if rank > worst]
        return [self.order_ids[row] for row in self.merit_order(rows).rows]


@dataclass(frozen=True, slots=True)
class Book:
    """The executable part of an order book: bids are the demand, offers the supply.

    A bid above the cap counts as the cap, an offer under the floor as the floor.
    `not_executable` lists (order id, reason) in the order given.
    """

    bids: OrderSide
    offers: OrderSide
    not_executable: tuple[tuple[str, str], ...]


def build_book(orders: Iterable[Order], *, floor_price: int | None, cap_price: int | None) -> Book:
    """Columns of what can execute; set aside what never can.

    `floor_price` (feed-in tariff) and `cap_price` (retail price) are micro-tokens per kWh or
    None. The result does not depend on the order of `orders`, apart from `not_executable`.
    """
    given = list(orders)
    ordered = in_ledger_order(given)
    bids, offers = _sides(ordered)
    set_aside: tuple[tuple[str, str], ...] = ()
    if not (_all_fit(bids, floor_price) and _all_fit(offers, cap_price)):
        set_aside = tuple(_unfit(given, floor_price=floor_price, cap_price=cap_price))
        names = dict(set_aside)
        bids, offers = _sides([order for order in ordered if order.order_id not in names])
    return Book(
        bids=_cut(bids, cap_price), offers=_cut(offers, floor_price), not_executable=set_aside
    )


def in_ledger_order(orders: list[Order]) -> list[Order]:
    """Ties go by ledger position; the id only decides if two orders claim one position."""
    positions = [order.sequence for order in orders]
    if all(map(lt, positions, islice(positions, 1, None))):
        return orders
    return sorted(orders, key=attrgetter("sequence", "order_id"))


def _sides(orders: list[Order]) -> tuple[OrderSide, OrderSide]:
    """Bids and offers as columns. One plain loop: unpacking a tuple is the cheapest read."""
    bids, offers = OrderSide(BUY, [], [], []), OrderSide(SELL, [], [], [])
    bid_ids, demand, wanted_wh = bids.order_ids, bids.ranks, bids.energies_wh
    offer_ids, supply, offered_wh = offers.order_ids, offers.ranks, offers.energies_wh
    for order_id, side, price, energy_wh, _ in orders:
        if side == "bid":
            bid_ids.append(order_id)
            demand.append(-price)
            wanted_wh.append(energy_wh)
        else:
            offer_ids.append(order_id)
            supply.append(price)
            offered_wh.append(energy_wh)
    return bids, offers


def _all_fit(side: OrderSide, worst_price: int | None) -> bool:
    """Whether no order has zero energy or is beyond the price at which none can execute."""
    if 0 in side.energies_wh:
        return False
    return worst_price is None or not side.ranks or max(side.ranks) <= side.sign * worst_price


def _cut(side: OrderSide, best_price: int | None) -> OrderSide:
    """No order ranks before the cap (bids) or the floor (offers)."""
    if best_price is None or not side.ranks or min(side.ranks) >= side.sign * best_price:
        return side
    best = side.sign * best_price
    ranks = [max(rank, best) for rank in side.ranks]
    return OrderSide(side.sign, side.order_ids, ranks, side.energies_wh)


def _unfit(
    orders: list[Order], *, floor_price: int | None, cap_price: int | None
) -> Iterable[tuple[str, str]]:
    for order in orders:
        price = order.price_utoken_per_kwh
        if not order.energy_wh:
            yield order.order_id, ZERO_QUANTITY
        elif order.side == "bid" and floor_price is not None and price < floor_price:
            yield order.order_id, BID_UNDER_FLOOR
        elif order.side == "offer" and cap_price is not None and price > cap_price:
            yield order.order_id, OFFER_ABOVE_CAP
