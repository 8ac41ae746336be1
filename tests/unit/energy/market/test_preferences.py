"""Wishes for a source decide ties and pairs, never price or quantity."""

import random

import pytest

from chaincode.energy.market.book import Order
from chaincode.energy.market.clearing import RATIONS, Ration, clear_book
from chaincode.energy.market.preferences import Pair, Preferences, pair_up
from tests.unit.energy.books import random_book


def tied(*, wanted: dict[str, tuple[str, ...]], ration: Ration = "fifo") -> dict[str, int]:
    """Two sellers at one price, more energy than is wanted; matched Wh of each order."""
    orders = [
        Order("roof", "offer", 40_000, 5000, 1),
        Order("wind", "offer", 40_000, 5000, 2),
        Order("anna", "bid", 60_000, 3000, 3),
        Order("boris", "bid", 60_000, 2000, 4),
    ]
    preferences = Preferences(sources={"roof": ("X",), "wind": ("Y", "owner")}, wanted=wanted)
    return clear_book(orders, ration=ration, preferences=preferences).allocations


def test_at_equal_prices_the_wished_source_sells_first() -> None:
    assert tied(wanted={}) == {"roof": 5000, "anna": 3000, "boris": 2000}
    served = {"anna": 3000, "boris": 2000}
    assert tied(wanted={"anna": ("Y",)}) == {"roof": 2000, "wind": 3000} | served
    assert tied(wanted={"boris": ("owner",)}) == {"roof": 3000, "wind": 2000} | served


def test_pro_rata_shares_what_is_not_wished_for() -> None:
    allocations = tied(wanted={"anna": ("Y",)}, ration="pro_rata")
    # 3000 of 5000 Wh are wished from wind; 2000 are shared 5000 : 2000 by what is left of both.
    assert (allocations["roof"], allocations["wind"]) == (1429, 3571)


def test_a_wish_does_not_beat_a_better_price() -> None:
    orders = [
        Order("dear", "offer", 50_000, 1000, 1),
        Order("cheap", "offer", 40_000, 1000, 2),
        Order("anna", "bid", 60_000, 1000, 3),
    ]
    preferences = Preferences(sources={"dear": ("X",)}, wanted={"anna": ("X",)})
    assert clear_book(orders, preferences=preferences).allocations == {"cheap": 1000, "anna": 1000}


def test_pairs_follow_wishes_first_and_ledger_order_then() -> None:
    preferences = Preferences(
        sources={"s1": ("X",), "s2": ("Y",)}, wanted={"b2": ("Y", "X"), "b1": ()}
    )
    pairs = pair_up(preferences, [("b1", 700), ("b2", 500)], [("s1", 900), ("s2", 300)])
    assert pairs == [
        Pair("b2", "s2", 300),
        Pair("b2", "s1", 200),
        Pair("b1", "s1", 700),
    ]


@pytest.mark.parametrize("ration", RATIONS)
def test_wishes_change_neither_price_nor_quantity_nor_buyers(ration: Ration) -> None:
    changed = 0
    for seed in range(300):
        rng = random.Random(seed)
        orders = random_book(rng, orders=30, ticks=6, max_energy_wh=900)
        offers = [order.order_id for order in orders if order.side == "offer"]
        bids = [order.order_id for order in orders if order.side == "bid"]
        preferences = Preferences(
            sources={name: (rng.choice("XYZ"),) for name in offers},
            wanted={name: tuple(rng.sample("XYZ", rng.randrange(4))) for name in bids},
        )
        plain = clear_book(orders, ration=ration)
        wished = clear_book(orders, ration=ration, preferences=preferences)
        assert wished.price_utoken_per_kwh == plain.price_utoken_per_kwh
        assert wished.quantity_wh == plain.quantity_wh
        assert wished.buyer_pays_utoken == plain.buyer_pays_utoken
        sold = {name: wh for name, wh in wished.allocations.items() if name in offers}
        assert sum(sold.values()) == plain.quantity_wh
        changed += wished.allocations != plain.allocations
        bought = [(name, wh) for name, wh in wished.allocations.items() if name in bids]
        pairs = pair_up(preferences, bought, list(sold.items()))
        for name, energy_wh in bought:
            assert sum(pair.energy_wh for pair in pairs if pair.bid_id == name) == energy_wh
        for name, energy_wh in sold.items():
            assert sum(pair.energy_wh for pair in pairs if pair.offer_id == name) == energy_wh
    assert changed > 10
