"""One order book as frozen data: orders, merit orders, supply and demand curves.

Units: energy in Wh, price in micro-tokens per kWh, `sequence` is the position on the ledger
(block, then transaction), never a clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter
from typing import Literal

Side = Literal["bid", "offer"]
CurvePoint = tuple[int, int]
"""(price in micro-tokens per kWh, cumulative energy in Wh)."""

ZERO_QUANTITY = "zero quantity"
BID_UNDER_FLOOR = "bid under floor"
OFFER_ABOVE_CAP = "offer above cap"


@dataclass(frozen=True, slots=True)
class Order:
    """One bid (buy at most at this price) or offer (sell at least at this price)."""

    order_id: str
    side: Side
    price_utoken_per_kwh: int
    energy_wh: int
    sequence: int


@dataclass(frozen=True, slots=True)
class MeritOrder:
    """One side of a book, best price first, equal prices in ledger order.

    `prices[i]` is the price `orders[i]` counts with: its limit, cut to cap or floor.
    """

    orders: tuple[Order, ...]
    prices: tuple[int, ...]

    @property
    def energy_wh(self) -> int:
        """Energy of all orders of this side."""
        return sum(order.energy_wh for order in self.orders)

    def curve(self) -> tuple[CurvePoint, ...]:
        """Cumulative energy at each price, best price first: the demand or supply curve."""
        cumulative = accumulate(order.energy_wh for order in self.orders)
        return tuple(dict(zip(self.prices, cumulative, strict=True)).items())

    def admitted(self, count: int) -> "MeritOrder":
        """The best `count` orders."""
        return MeritOrder(orders=self.orders[:count], prices=self.prices[:count])


@dataclass(frozen=True, slots=True)
class Book:
    """The executable part of an order book: bids are the demand, offers the supply.

    A bid above the cap counts as the cap, an offer under the floor as the floor.
    `not_executable` lists (order id, reason) in the order given.
    """

    bids: MeritOrder
    offers: MeritOrder
    not_executable: tuple[tuple[str, str], ...]


def build_book(orders: Iterable[Order], *, floor_price: int | None, cap_price: int | None) -> Book:
    """Sort orders into the two merit orders; set aside what can never execute.

    `floor_price` (feed-in tariff) and `cap_price` (retail price) are micro-tokens per kWh or
    None. The result does not depend on the order of `orders`, apart from `not_executable`.
    """
    bids: list[Order] = []
    offers: list[Order] = []
    set_aside: list[tuple[str, str]] = []
    for order in orders:
        price = order.price_utoken_per_kwh
        if order.energy_wh == 0:
            set_aside.append((order.order_id, ZERO_QUANTITY))
        elif order.side == "bid":
            if floor_price is not None and price < floor_price:
                set_aside.append((order.order_id, BID_UNDER_FLOOR))
            else:
                bids.append(order)
        elif cap_price is not None and price > cap_price:
            set_aside.append((order.order_id, OFFER_ABOVE_CAP))
        else:
            offers.append(order)
    return Book(
        bids=_demand(bids, cap_price),
        offers=_supply(offers, floor_price),
        not_executable=tuple(set_aside),
    )


def in_ledger_order(orders: Iterable[Order]) -> list[Order]:
    """Ties go by ledger position; the id only decides if two orders claim one position."""
    return sorted(orders, key=attrgetter("sequence", "order_id"))


def _demand(bids: list[Order], cap_price: int | None) -> MeritOrder:
    def counted_price(order: Order) -> int:
        price = order.price_utoken_per_kwh
        return price if cap_price is None or price < cap_price else cap_price

    orders = sorted(in_ledger_order(bids), key=lambda order: -counted_price(order))
    return MeritOrder(orders=tuple(orders), prices=tuple(map(counted_price, orders)))


def _supply(offers: list[Order], floor_price: int | None) -> MeritOrder:
    def counted_price(order: Order) -> int:
        price = order.price_utoken_per_kwh
        return price if floor_price is None or price > floor_price else floor_price

    orders = sorted(in_ledger_order(offers), key=counted_price)
    return MeritOrder(orders=tuple(orders), prices=tuple(map(counted_price, orders)))
