"""Random order books, and a clearing by brute force that shares no code with the shipped one."""

import random
from dataclasses import dataclass

from chaincode.energy.market.book import Order


def random_book(rng: random.Random, *, orders: int, ticks: int, max_energy_wh: int) -> list[Order]:
    """Few ticks give many ties; zero energies and prices outside 2..ticks-2 occur on purpose."""
    return [
        Order(
            order_id=f"o{index}",
            side=rng.choice(("bid", "offer")),
            price_utoken_per_kwh=rng.randrange(ticks) * 1000 + rng.choice((0, 0, 137)),
            energy_wh=rng.randrange(max_energy_wh + 1),
            sequence=index,
        )
        for index in range(orders)
    ]


@dataclass(frozen=True)
class BruteForce:
    """Every Wh is its own unit, so no order is ever cut."""

    quantity_wh: int
    clearing_prices: range
    fifo: dict[str, int]


def clear_by_units(orders: list[Order], *, floor: int, cap: int) -> BruteForce:
    """Expand to single Wh, pair best with best, then try every price between floor and cap."""
    bids = sorted(
        (-min(o.price_utoken_per_kwh, cap), o.sequence, o.order_id)
        for o in orders
        if o.side == "bid" and o.price_utoken_per_kwh >= floor
        for _ in range(o.energy_wh)
    )
    offers = sorted(
        (max(o.price_utoken_per_kwh, floor), o.sequence, o.order_id)
        for o in orders
        if o.side == "offer" and o.price_utoken_per_kwh <= cap
        for _ in range(o.energy_wh)
    )
    quantity = sum(-b[0] >= s[0] for b, s in zip(bids, offers, strict=False))
    prices = [p for p in range(floor, cap + 1) if _clears(bids, offers, quantity, p)]
    fifo: dict[str, int] = {}
    for _, _, order_id in bids[:quantity] + offers[:quantity]:
        fifo[order_id] = fifo.get(order_id, 0) + 1
    found = range(prices[0], prices[-1] + 1) if prices and quantity else range(0)
    assert not quantity or len(found) == len(prices)
    return BruteForce(quantity_wh=quantity, clearing_prices=found, fifo=fifo)


def _clears(
    bids: list[tuple[int, int, str]], offers: list[tuple[int, int, str]], quantity: int, price: int
) -> bool:
    """At a clearing price everybody strictly inside trades and nobody strictly outside does."""
    must_buy = sum(-b[0] > price for b in bids)
    may_buy = sum(-b[0] >= price for b in bids)
    must_sell = sum(s[0] < price for s in offers)
    may_sell = sum(s[0] <= price for s in offers)
    return must_buy <= quantity <= may_buy and must_sell <= quantity <= may_sell
