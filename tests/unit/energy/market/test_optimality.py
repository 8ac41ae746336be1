"""The auction against linear programs (HiGHS): most welfare, then most volume, and its prices.

The programs know bids, offers and "what is sold is bought", nothing of merit orders. Every book
has many ties; energies are small enough for the solver's floating-point optimum to be exact.
"""

import random
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.optimize import linprog

from chaincode.energy.market import price_ladder
from chaincode.energy.market.book import Order
from chaincode.energy.market.clearing import ClearingResult, clear_book
from tests.unit.energy.books import random_book

FLOOR, CAP = 2000, 9000
BOOKS = 120
MANY_BOOKS = 3000
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Optimum:
    welfare: int
    volume_wh: int
    lowest_price: int
    highest_price: int


def least(objective, **program) -> float:
    """The least value of the objective under linear constraints."""
    found = linprog(objective, method="highs", **program)
    assert found.success, found.message
    return float(found.fun)


def optimum(orders: list[Order], line_limit_wh: int | None = None) -> Optimum:
    """Solve a book whose orders can all execute."""
    signs = np.array([1.0 if order.side == "bid" else -1.0 for order in orders])
    prices = np.array([float(counted(order)) for order in orders])
    sizes = np.array([float(order.energy_wh) for order in orders])
    bought = np.array([1.0 if order.side == "bid" else 0.0 for order in orders])
    bounds = [(0.0, size) for size in sizes]
    balance = {"A_eq": [signs], "b_eq": [0], "bounds": bounds}
    line = [] if line_limit_wh is None else [(bought, float(line_limit_wh))]
    welfare = -least(-signs * prices, **balance, **at_most(line))
    as_good = (-signs * prices, -(welfare - TOLERANCE))
    volume = -least(-bought, **balance, **at_most([*line, as_good]))
    low, high = (0.0, 0.0) if line else dual_face(signs, prices, sizes, welfare)
    return Optimum(round(welfare), round(volume), round(low), round(high))


def at_most(rows: list) -> dict:
    return {"A_ub": [row for row, _ in rows], "b_ub": [b for _, b in rows]} if rows else {}


def dual_face(signs, prices, sizes, welfare) -> tuple[float, float]:
    """Lowest and highest price that supports the optimum: the dual program's optimal face.

    Variables: the price, then each order's gain >= sign * (own price - price).
    """
    count = len(sizes)
    gains = np.hstack([-signs.reshape(-1, 1), -np.eye(count)])
    rows = np.vstack([gains, np.concatenate([[0.0], sizes])])
    limits = np.concatenate([-signs * prices, [welfare + TOLERANCE]])
    bounds = [(float(FLOOR), float(CAP))] + [(0.0, None)] * count
    face = {"A_ub": rows, "b_ub": limits, "bounds": bounds}
    price = np.concatenate([[1.0], np.zeros(count)])
    return least(price, **face), -least(-price, **face)


def counted(order: Order) -> int:
    price = order.price_utoken_per_kwh
    return min(price, CAP) if order.side == "bid" else max(price, FLOOR)


def executable(orders: list[Order]) -> list[Order]:
    return [
        order
        for order in orders
        if order.energy_wh
        and (
            order.price_utoken_per_kwh >= FLOOR
            if order.side == "bid"
            else order.price_utoken_per_kwh <= CAP
        )
    ]


def welfare_of(orders: list[Order], result: ClearingResult) -> int:
    by_id = {order.order_id: order for order in orders}
    return sum(
        energy_wh * counted(by_id[name]) * (1 if by_id[name].side == "bid" else -1)
        for name, energy_wh in result.allocations.items()
    )


def compare(seed: int) -> bool:
    """Whether anything traded."""
    rng = random.Random(seed)
    orders = random_book(rng, orders=rng.randrange(2, 16), ticks=12, max_energy_wh=40)
    able = executable(orders)
    result = clear_book(orders, floor_price=FLOOR, cap_price=CAP)
    if not {"bid", "offer"} <= {order.side for order in able}:
        assert result.quantity_wh == 0
        return False
    best = optimum(able)
    assert (welfare_of(orders, result), result.quantity_wh) == (best.welfare, best.volume_wh), seed
    if result.price_interval is None:
        return False
    assert result.price_interval == (best.lowest_price, best.highest_price), seed
    return True


def test_welfare_volume_and_prices_are_those_of_linear_programs() -> None:
    assert sum(compare(seed) for seed in range(BOOKS)) > BOOKS // 2


@pytest.mark.full
def test_welfare_volume_and_prices_in_many_books() -> None:
    assert sum(compare(seed) for seed in range(BOOKS, MANY_BOOKS)) > MANY_BOOKS // 2


def test_a_curtailed_auction_is_the_best_the_line_allows() -> None:
    cut = 0
    for seed in range(60):
        rng = random.Random(seed)
        orders = executable(random_book(rng, orders=14, ticks=12, max_energy_wh=40))
        limit_wh = rng.randrange(1, 60)
        options = {"floor_price": FLOOR, "cap_price": CAP}
        free = clear_book(orders, **options)
        result = clear_book(orders, line_limit_wh=limit_wh, **options)
        best = optimum(orders, limit_wh)
        assert (welfare_of(orders, result), result.quantity_wh) == (best.welfare, best.volume_wh)
        assert result.curtailed_wh == free.quantity_wh - result.quantity_wh
        assert result.price_utoken_per_kwh == free.price_utoken_per_kwh
        cut += result.curtailed_wh > 0
    assert cut > 20


@pytest.mark.parametrize("steps", [1, 4, 1024])
def test_counting_finds_the_same_as_sorting(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(300):
        rng = random.Random(seed)
        orders = random_book(rng, orders=rng.randrange(40), ticks=14, max_energy_wh=60)
        monkeypatch.setattr(price_ladder, "SORTED_AT_ONCE_MAX", 10**9)
        by_sorting = clear_book(orders, floor_price=FLOOR, cap_price=CAP)
        monkeypatch.setattr(price_ladder, "SORTED_AT_ONCE_MAX", -1)
        monkeypatch.setattr(price_ladder, "STEPS", steps)
        assert clear_book(orders, floor_price=FLOOR, cap_price=CAP) == by_sorting, seed


def test_a_large_book_with_outlying_prices_clears_as_when_sorted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = random.Random(5)
    orders = random_book(rng, orders=3000, ticks=400, max_energy_wh=9000)
    orders.append(Order("far", "bid", 10**15, 700, 3000))
    orders.append(Order("gift", "offer", 0, 700, 3001))
    counted_book = clear_book(orders)
    monkeypatch.setattr(price_ladder, "SORTED_AT_ONCE_MAX", 10**9)
    assert clear_book(orders) == counted_book
    assert counted_book.quantity_wh > 1_000_000
