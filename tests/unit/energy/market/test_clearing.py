"""The price rule: worked cases, an independent brute force, and what must hold in every book."""

import dataclasses
import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from chaincode.energy.market.book import Order, build_book
from chaincode.energy.market.clearing import (
    RATIONS,
    Ration,
    clear_book,
    other_rule_price,
)
from chaincode.energy.market.matching import RULES, Rule
from tests.unit.energy.books import clear_by_units, random_book

GOLDEN = Path(__file__).parents[3] / "vectors" / "clearing-golden.json"
CASES: list[dict[str, Any]] = json.loads(GOLDEN.read_text())["cases"]
FLOOR, CAP = 2000, 9000


def bid(name: str, price: int, energy_wh: int, sequence: int) -> Order:
    return Order(name, "bid", price, energy_wh, sequence)


def offer(name: str, price: int, energy_wh: int, sequence: int) -> Order:
    return Order(name, "offer", price, energy_wh, sequence)


def rule_options(rule: Rule) -> dict[str, Any]:
    """The rule, with the price it may need."""
    return {"rule": rule} | ({"fixed_price": 5000} if rule == "fixed_price" else {})


def orders_of(case: dict[str, Any]) -> list[Order]:
    return [Order(o["id"], o["side"], o["price"], o["qty"], o["seq"]) for o in case["orders"]]


@pytest.mark.row("E039")
@pytest.mark.parametrize("ration", RATIONS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_worked_cases(case: dict[str, Any], ration: Ration) -> None:
    result = clear_book(
        orders_of(case),
        ration=ration,
        floor_price=case["floor_price"],
        cap_price=case["cap_price"],
    )
    expected = case["expected"][f"midpoint_{ration}"]
    interval = case["price_interval"]
    assert result.price_utoken_per_kwh == expected["price"]
    assert result.quantity_wh == expected["quantity"]
    assert result.allocations == expected["allocations"]
    assert result.buyer_pays_utoken == expected["buyer_pays_utoken"]
    assert result.seller_gets_utoken == expected["seller_gets_utoken"]
    assert result.total_utoken == expected["total_utoken"]
    assert result.price_interval == (tuple(interval) if interval else None)
    assert [list(entry) for entry in result.not_executable] == case["not_executable"]


def test_agrees_with_brute_force_on_books_full_of_ties() -> None:
    for seed in range(250):
        rng = random.Random(seed)
        orders = random_book(rng, orders=rng.randrange(12), ticks=12, max_energy_wh=6)
        result = clear_book(orders, floor_price=FLOOR, cap_price=CAP)
        reference = clear_by_units(orders, floor=FLOOR, cap=CAP)
        assert result.quantity_wh == reference.quantity_wh, seed
        assert result.allocations == reference.fifo, seed
        if result.price_interval is not None:
            low, high = result.price_interval
            assert range(low, high + 1) == reference.clearing_prices, seed
            assert result.price_utoken_per_kwh == (low + high) // 2, seed
        else:
            assert reference.quantity_wh == 0


@pytest.mark.row("E042")
@pytest.mark.parametrize("ration", RATIONS)
@pytest.mark.parametrize("rule", RULES)
def test_nobody_trades_at_a_loss_and_money_is_conserved(rule: Rule, ration: Ration) -> None:
    traded = 0
    for seed in range(1000):
        rng = random.Random(seed)
        orders = random_book(rng, orders=rng.randrange(2, 40), ticks=12, max_energy_wh=900)
        by_id = {order.order_id: order for order in orders}
        result = clear_book(
            orders, ration=ration, floor_price=FLOOR, cap_price=CAP, **rule_options(rule)
        )
        price = result.price_utoken_per_kwh
        if price is None:
            assert (result.quantity_wh, result.allocations, result.total_utoken) == (0, {}, 0)
            continue
        traded += 1
        assert FLOOR <= price <= CAP
        bought = sold = 0
        for order_id, energy_wh in result.allocations.items():
            order = by_id[order_id]
            assert 0 < energy_wh <= order.energy_wh
            if order.side == "bid":
                assert price <= order.price_utoken_per_kwh
                bought += energy_wh
            else:
                assert price >= order.price_utoken_per_kwh
                sold += energy_wh
        assert bought == sold == result.quantity_wh
        paid = sum(result.buyer_pays_utoken.values())
        assert paid == sum(result.seller_gets_utoken.values()) == result.total_utoken
        assert result.total_utoken == result.quantity_wh * price // 1000
    assert traded > 500


def test_k_chooses_inside_the_price_interval() -> None:
    orders = [bid("b", 300_000, 1000, 0), offer("s", 100_000, 1000, 1)]
    prices = {
        k: clear_book(orders, k=k).price_utoken_per_kwh
        for k in (Fraction(0), Fraction(1, 2), Fraction(1, 3), Fraction(1))
    }
    assert prices == {
        Fraction(0): 100_000,
        Fraction(1, 2): 200_000,
        Fraction(1, 3): 166_666,
        Fraction(1): 300_000,
    }


@pytest.mark.row("E041")
def test_highest_bid_first_then_the_earlier_ledger_position() -> None:
    orders = [
        bid("late", 54_000, 5000, 9),
        bid("early", 54_000, 5000, 4),
        bid("best", 60_000, 1000, 12),
        offer("sun", 40_000, 7000, 1),
    ]
    fifo = clear_book(orders).allocations
    assert fifo == {"sun": 7000, "early": 5000, "late": 1000, "best": 1000}
    pro_rata = clear_book(orders, ration="pro_rata").allocations
    assert pro_rata == {"sun": 7000, "early": 3000, "late": 3000, "best": 1000}


def test_retail_price_caps_and_feed_in_tariff_floors() -> None:
    dear = [bid("b", 90_000, 1000, 0), offer("s", 49_000, 1000, 1), offer("x", 51_000, 1, 2)]
    result = clear_book(dear, k=Fraction(1), floor_price=10_000, cap_price=50_000)
    assert result.price_utoken_per_kwh == 50_000
    assert result.not_executable == (("x", "offer above cap"),)
    gift = [bid("b", 20_000, 1000, 0), offer("s", 0, 1000, 1)]
    assert clear_book(gift, k=Fraction(0), floor_price=10_000).price_utoken_per_kwh == 10_000
    assert clear_book(gift, k=Fraction(0)).price_utoken_per_kwh == 0


@pytest.mark.row("E040")
def test_average_bid_is_the_mean_of_the_bids_and_shuts_out_who_would_lose() -> None:
    orders = [
        bid("b60", 60, 1000, 0),
        bid("b50", 50, 1000, 1),
        bid("b40", 40, 1000, 2),
        offer("late", 10, 500, 9),
        offer("early", 50, 1200, 3),
        offer("dear", 51, 5000, 4),
    ]
    result = clear_book(orders, rule="average_bid")
    assert (result.rule, result.price_utoken_per_kwh) == ("average_bid", 50)
    assert result.allocations == {"b60": 1000, "b50": 700, "early": 1200, "late": 500}
    assert result.excluded == (
        ("b40", "bid below average price"),
        ("dear", "offer above average price"),
    )


def test_average_bid_serves_sellers_by_arrival() -> None:
    orders = [bid("b", 50, 600, 5), offer("cheap", 10, 500, 9), offer("first", 50, 500, 3)]
    allocations = clear_book(orders, rule="average_bid").allocations
    assert allocations == {"b": 600, "first": 500, "cheap": 100}


def test_the_figure_of_the_other_rule_is_known() -> None:
    orders = [bid("b", 60, 1000, 0), bid("c", 50, 1000, 1), offer("s", 10, 2000, 2)]
    book = build_book(orders, floor_price=None, cap_price=None)
    assert other_rule_price(book, rule="crossing") == ("average_bid", 55)
    assert other_rule_price(book, rule="average_bid") == ("crossing", 30)


def test_curves_and_totals_are_sums_of_the_orders() -> None:
    orders = [
        bid("b1", 300, 400, 0),
        bid("b2", 300, 100, 1),
        bid("b3", 200, 250, 2),
        offer("s1", 100, 600, 3),
        offer("s2", 250, 50, 4),
    ]
    result = clear_book(orders)
    assert result.demand_curve == ((300, 500), (200, 750))
    assert result.supply_curve == ((100, 600), (250, 650))
    assert (result.wanted_wh, result.available_wh) == (750, 650)


def test_the_order_of_the_input_does_not_matter() -> None:
    rng = random.Random(7)
    orders = random_book(rng, orders=60, ticks=12, max_energy_wh=900)
    for rule in RULES:
        for ration in RATIONS:
            options = {"ration": ration, **rule_options(rule)}
            first = clear_book(orders, **options)
            shuffled = rng.sample(orders, len(orders))
            again = clear_book(shuffled, **options)
            given = first.not_executable
            book = dataclasses.replace(again.book, not_executable=given)
            assert dataclasses.replace(again, not_executable=given, book=book) == first


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rule": "vickrey"}, "unknown rule"),
        ({"ration": "lottery"}, "unknown rule or ration"),
        ({"k": Fraction(3, 2)}, "k must lie"),
        ({"floor_price": 2, "cap_price": 1}, "above the cap"),
        ({"rule": "fixed_price"}, "fixed_price goes with"),
        ({"fixed_price": 5}, "fixed_price goes with"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        clear_book([], **options)


def test_at_a_fixed_price_whoever_agrees_trades_in_ledger_order() -> None:
    orders = [
        bid("first", 50_000, 2000, 1),
        bid("eager", 90_000, 2000, 2),
        bid("low", 49_999, 2000, 3),
        offer("sun", 10_000, 1500, 4),
        offer("roof", 50_000, 1500, 5),
        offer("dear", 50_001, 1500, 6),
    ]
    result = clear_book(orders, rule="fixed_price", fixed_price=50_000)
    assert result.price_utoken_per_kwh == 50_000
    assert result.allocations == {"first": 2000, "eager": 1000, "sun": 1500, "roof": 1500}
    assert dict(result.excluded) == {
        "low": "bid below fixed price",
        "dear": "offer above fixed price",
    }
    pro_rata = clear_book(orders, rule="fixed_price", fixed_price=50_000, ration="pro_rata")
    assert (pro_rata.allocations["first"], pro_rata.allocations["eager"]) == (1500, 1500)
    assert (
        other_rule_price(build_book(orders, floor_price=0, cap_price=None), rule="fixed_price")[0]
        == "crossing"
    )


@pytest.mark.parametrize("limit_wh", [0, 1, 1999, 2000, 3000, 3001])
def test_a_line_limit_curtails_and_says_how_much(limit_wh: int) -> None:
    orders = [
        bid("b1", 90_000, 2000, 1),
        bid("b2", 70_000, 2000, 2),
        offer("s1", 20_000, 1000, 3),
        offer("s2", 30_000, 2000, 4),
    ]
    free = clear_book(orders)
    cut = clear_book(orders, line_limit_wh=limit_wh)
    assert free.quantity_wh == 3000
    assert cut.quantity_wh == min(limit_wh, 3000)
    assert cut.curtailed_wh == 3000 - cut.quantity_wh
    assert cut.price_utoken_per_kwh == (free.price_utoken_per_kwh if limit_wh else None)
    assert cut.allocations.get("b1", 0) == min(limit_wh, 2000)
    assert cut.allocations.get("s1", 0) == min(limit_wh, 1000)
