"""Random communities that live through a day of the market by the pure rules alone.

Prices come from few ticks so that ties are common; energies, readings and funds are drawn so
that shortage, glut, missing money, over-delivery and silent producers all occur.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from chaincode.energy.market.book import Order
from chaincode.energy.market.clearing import RATIONS, ClearingResult, Ration, Rule, clear_book
from chaincode.energy.market.matching import RULES
from chaincode.energy.market.rationing import amount_rounded_up
from chaincode.energy.settlement.pool import (
    Metered,
    Position,
    Settlement,
    Tariff,
    settle_pool,
)

HOURS = 24
ORDERS_EACH_MAX = 3
ENERGY_WH_MAX = 10_000
PLACES_IN_INTERVAL = (Fraction(0), Fraction(1, 3), Fraction(1, 2), Fraction(1))


@dataclass(frozen=True, slots=True)
class Rules:
    """What a community has agreed on; prices in micro-tokens per kWh."""

    rule: Rule
    ration: Ration
    k: Fraction
    floor: int
    cap: int
    tick: int
    fixed_price: int | None
    line_limit_wh: int | None
    network_charge: int
    pool_share_permille: int

    def clear(self, orders: Iterable[Order]) -> ClearingResult:
        """The auction under these rules."""
        return clear_book(
            orders,
            rule=self.rule,
            k=self.k,
            ration=self.ration,
            floor_price=self.floor,
            cap_price=self.cap,
            fixed_price=self.fixed_price,
            line_limit_wh=self.line_limit_wh,
        )

    def lock(self, energy_wh: int, price: int) -> int:
        """What a bid locks: its energy and the network charge, each rounded up."""
        prices = (price, self.network_charge)
        return sum(
            amount_rounded_up(energy_wh=energy_wh, price_utoken_per_kwh=one) for one in prices
        )


@dataclass(slots=True)
class Community:
    """Balances in micro-tokens, of the households, the grid operator and the common pool."""

    rules: Rules
    balance: dict[str, int]
    grid_utoken: int = 0
    pool_utoken: int = 0

    @property
    def households(self) -> list[str]:
        return list(self.balance)


@dataclass(frozen=True, slots=True)
class Hour:
    """Everything that is known of one hour once it is settled. Energy Wh, money micro-tokens."""

    rules: Rules
    owner: dict[str, str]
    """Order id -> household."""
    orders: dict[str, Order]
    locked: dict[str, int]
    """Order id -> what the bid locked when it was accepted."""
    kept: dict[str, int]
    """Order id -> what stayed locked after clearing."""
    cleared: ClearingResult
    metered: dict[str, Metered]
    settlement: Settlement
    balance_before: dict[str, int]
    balance_after: dict[str, int]


@dataclass(slots=True)
class _Book:
    orders: list[Order] = field(default_factory=list)
    owner: dict[str, str] = field(default_factory=dict)
    locked: dict[str, int] = field(default_factory=dict)


def random_community(rng: random.Random) -> Community:
    """2 to 9 households under rules of their own; some have hardly any money."""
    tick = rng.choice((1, 137, 1_000, 10_000))
    floor = tick * rng.randrange(0, 3)
    rule = rng.choice(RULES)
    cap = floor + tick * rng.randrange(2, 12)
    rules = Rules(
        rule=rule,
        ration=rng.choice(RATIONS),
        k=rng.choice(PLACES_IN_INTERVAL),
        floor=floor,
        cap=cap,
        tick=tick,
        fixed_price=rng.randrange(max(floor, 1), cap + 1) if rule == "fixed_price" else None,
        line_limit_wh=rng.choice((None, None, 4_000)),
        network_charge=rng.choice((0, 0, 7_003)),
        pool_share_permille=rng.choice((0, 0, 33, 1_000)),
    )
    households = rng.randrange(2, 10)
    purse = rng.choice((20_000, 10**7, 10**9, 10**9))
    return Community(rules, {f"h{number}": purse for number in range(households)})


def live_one_hour(community: Community, rng: random.Random) -> Hour:
    """Orders, clearing, delivery and settlement of one hour; moves the balances."""
    rules, before = community.rules, dict(community.balance)
    book = _orders(community, rng)
    cleared = rules.clear(book.orders)
    kept = _release(community, book, cleared)
    metered = _metered(community, book, cleared, rng)
    tariff = Tariff(
        clearing_price_utoken_per_kwh=cleared.price_utoken_per_kwh or 0,
        retail_price_utoken_per_kwh=rules.cap,
        feed_in_tariff_utoken_per_kwh=rules.floor,
        network_charge_utoken_per_kwh=rules.network_charge,
        pool_share_permille=rules.pool_share_permille,
    )
    settlement = settle_pool(_positions(book, cleared, kept), metered, tariff)
    for line in settlement.lines:
        community.balance[line.idgrid] += line.credit_utoken
        community.grid_utoken += line.network_charge_utoken
        community.pool_utoken += line.pool_share_utoken
    return Hour(
        rules=rules,
        owner=book.owner,
        orders={order.order_id: order for order in book.orders},
        locked=book.locked,
        kept=kept,
        cleared=cleared,
        metered=metered,
        settlement=settlement,
        balance_before=before,
        balance_after=dict(community.balance),
    )


def _orders(community: Community, rng: random.Random) -> _Book:
    """Each household sells, buys or rests; a bid it cannot pay for is not accepted."""
    book, rules = _Book(), community.rules
    arriving = [
        (name, side)
        for name in community.households
        for side in [rng.choice(("bid", "offer", None))]
        for _ in range(rng.randrange(1, ORDERS_EACH_MAX + 1))
        if side is not None
    ]
    rng.shuffle(arriving)
    for sequence, (name, side) in enumerate(arriving):
        price = max(1, rules.floor + rules.tick * rng.randrange(-1, 10))
        energy_wh = rng.choice((1, 999, 1_000, rng.randrange(1, ENERGY_WH_MAX)))
        order = Order(f"{name}.{sequence}", side, price, energy_wh, sequence)
        if side == "bid":
            lock = rules.lock(energy_wh, min(price, rules.cap))
            if lock > community.balance[name]:
                continue
            community.balance[name] -= lock
            book.locked[order.order_id] = lock
        book.orders.append(order)
        book.owner[order.order_id] = name
    return book


def _release(community: Community, book: _Book, cleared: ClearingResult) -> dict[str, int]:
    """Keep locked what a matched bid may cost, give the rest back."""
    price, matched = cleared.price_utoken_per_kwh or 0, cleared.allocations
    kept = {
        order_id: community.rules.lock(matched.get(order_id, 0), price) for order_id in book.locked
    }
    for order_id, locked in book.locked.items():
        community.balance[book.owner[order_id]] += locked - kept[order_id]
    return kept


def _positions(book: _Book, cleared: ClearingResult, kept: dict[str, int]) -> list[Position]:
    found: dict[str, Position] = {}
    for order in book.orders:
        matched_wh = cleared.allocations.get(order.order_id)
        if matched_wh is None:
            continue
        name = book.owner[order.order_id]
        so_far = found.get(name) or Position(name, 0, 0, 0)
        sells = order.side == "offer"
        found[name] = Position(
            idgrid=name,
            matched_sell_wh=so_far.matched_sell_wh + (matched_wh if sells else 0),
            matched_buy_wh=so_far.matched_buy_wh + (0 if sells else matched_wh),
            locked_utoken=so_far.locked_utoken + kept.get(order.order_id, 0),
        )
    return list(found.values())


def _metered(
    community: Community, book: _Book, cleared: ClearingResult, rng: random.Random
) -> dict[str, Metered]:
    """What really flowed: as matched, nothing, less, or more; everybody has a meter."""
    matched = dict.fromkeys(community.households, 0)
    for order_id, energy_wh in cleared.allocations.items():
        matched[book.owner[order_id]] += energy_wh
    metered = {}
    for name, energy_wh in matched.items():
        flows = [
            rng.choice((energy_wh, 0, rng.randrange(energy_wh + 1), energy_wh + 777))
            for _ in range(2)
        ]
        metered[name] = Metered(imported_wh=flows[0], exported_wh=flows[1])
    return metered
