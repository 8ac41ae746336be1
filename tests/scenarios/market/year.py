"""A year of 17 real homes through the pure rules: 8,760 hours, exact in every one.

Each home sells what its PV has left and buys what it lacks, hour by hour, as its meter recorded
it. It names a limit price between its two alternatives: the retail price of the hour and the
feed-in tariff. What it pays with the community is compared with what it pays without.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from chaincode.energy.market.book import Order
from chaincode.energy.market.clearing import ClearingResult, clear_book
from chaincode.energy.market.rationing import amount_rounded_up
from chaincode.energy.settlement.pool import Metered, Position, Settlement, Tariff, settle_pool
from gateway.hems.profiles import Profiles

FEED_IN_UTOKEN_PER_KWH = 50_000
"""0.05 $: the floor of every hour's price."""
SEED = 2016
Limits = Literal["random", "own alternatives"]


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of all homes: what each needs (positive) or has left, in Wh, and the tariff."""

    index: int
    net_wh: tuple[int, ...]
    retail_utoken_per_kwh: int

    @property
    def surplus_wh(self) -> int:
        """All that homes have left."""
        return -sum(wh for wh in self.net_wh if wh < 0)

    @property
    def deficit_wh(self) -> int:
        """All that homes need."""
        return sum(wh for wh in self.net_wh if wh > 0)

    @property
    def tradable_wh(self) -> int:
        """The most that can change hands."""
        return min(self.surplus_wh, self.deficit_wh)


@dataclass(slots=True)
class Year:
    """Totals. Money in micro-tokens (one token is one dollar), energy in Wh, per home by index."""

    without: list[int]
    with_community: list[int]
    bought_wh: list[int]
    sold_wh: list[int]
    needed_wh: int = 0
    hours_with_both: int = 0
    trading_hours: int = 0
    tradable_wh: int = 0
    traded_wh: int = 0
    turnover_utoken: int = 0

    @property
    def benefit_utoken(self) -> int:
        """What all homes together save."""
        return sum(self.without) - sum(self.with_community)


def hours_of(profiles: Profiles) -> Iterator[Hour]:
    """Every hour of the data set."""
    for index, retail in enumerate(profiles.retail_price_utoken_per_kwh):
        net = tuple(home.load_wh[index] - home.pv_wh[index] for home in profiles.homes)
        yield Hour(index, net, retail)


def replay(
    profiles: Profiles,
    limits: Limits,
    check: Callable[[Hour, ClearingResult, Settlement], None],
) -> Year:
    """Clear and settle every hour; `check` sees each of them and raises if a law is broken."""
    rng = random.Random(SEED)
    count = len(profiles.homes)
    year = Year([0] * count, [0] * count, [0] * count, [0] * count)
    for hour in hours_of(profiles):
        orders = list(_orders(hour, limits, rng))
        cleared = clear_book(
            orders,
            floor_price=FEED_IN_UTOKEN_PER_KWH,
            cap_price=hour.retail_utoken_per_kwh,
        )
        settlement = _settle(hour, orders, cleared)
        check(hour, cleared, settlement)
        _count(year, hour, settlement)
    return year


def _orders(hour: Hour, limits: Limits, rng: random.Random) -> Iterator[Order]:
    floor, cap = FEED_IN_UTOKEN_PER_KWH, hour.retail_utoken_per_kwh
    for home, net_wh in enumerate(hour.net_wh):
        chosen = rng.randint(floor, cap)
        if not net_wh:
            continue
        is_bid = net_wh > 0
        if limits == "own alternatives":
            chosen = cap if is_bid else floor
        yield Order(str(home), "bid" if is_bid else "offer", chosen, abs(net_wh), home)


def _settle(hour: Hour, orders: list[Order], cleared: ClearingResult) -> Settlement:
    price = cleared.price_utoken_per_kwh or 0
    positions = [
        _position(order, cleared.allocations[order.order_id], price)
        for order in orders
        if order.order_id in cleared.allocations
    ]
    metered = {
        str(home): Metered(imported_wh=max(net_wh, 0), exported_wh=max(-net_wh, 0))
        for home, net_wh in enumerate(hour.net_wh)
    }
    tariff = Tariff(
        clearing_price_utoken_per_kwh=price,
        retail_price_utoken_per_kwh=hour.retail_utoken_per_kwh,
        feed_in_tariff_utoken_per_kwh=FEED_IN_UTOKEN_PER_KWH,
    )
    return settle_pool(positions, metered, tariff)


def _position(order: Order, matched_wh: int, price: int) -> Position:
    if order.side == "offer":
        return Position(order.order_id, matched_wh, 0, 0)
    locked = amount_rounded_up(energy_wh=matched_wh, price_utoken_per_kwh=price)
    return Position(order.order_id, 0, matched_wh, locked)


def _count(year: Year, hour: Hour, settlement: Settlement) -> None:
    year.hours_with_both += hour.tradable_wh > 0
    year.trading_hours += settlement.settled_wh > 0
    year.tradable_wh += hour.tradable_wh
    year.needed_wh += hour.deficit_wh
    year.traded_wh += settlement.settled_wh
    year.turnover_utoken += settlement.total_utoken
    for home, net_wh in enumerate(hour.net_wh):
        tariff = hour.retail_utoken_per_kwh if net_wh > 0 else FEED_IN_UTOKEN_PER_KWH
        year.without[home] += net_wh * tariff // 1000
    for line in settlement.lines:
        home = int(line.idgrid)
        year.with_community[home] += (
            line.owed_to_utility_utoken
            - line.owed_by_utility_utoken
            + line.paid_utoken
            - line.received_utoken
        )
        year.bought_wh[home] += line.bought_wh
        year.sold_wh[home] += line.sold_wh
