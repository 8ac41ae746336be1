"""CPU time of the price rule beside a plain NumPy sort-and-cumsum, in the same run.

Both get the same book: the rule a list of orders, NumPy arrays made of it beforehand. They take
turns, so that whatever else the machine does hits both; medians count.
"""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaincode.energy.market.book import Order, Side
from chaincode.energy.market.clearing import clear_book

if TYPE_CHECKING:
    import numpy as np

SEED = 1
LOWEST_PRICE, HIGHEST_PRICE = 20_000, 102_000
LARGEST_ORDER_WH = 10_000
MILLISECONDS = 1_000
SLOWER_THAN_NUMPY_MAX = 6
TARGETS_MS = {10_000: 5.0, 100_000: 80.0}
"""Orders in a book -> CPU milliseconds the rule may take."""
REPETITIONS = {10_000: 31, 100_000: 11}


@dataclass(frozen=True, slots=True)
class ClearingTime:
    """Median CPU times of one size of book."""

    orders: int
    rule_ms: float
    numpy_ms: float
    ratio: float
    target_ms: float

    @property
    def is_met(self) -> bool:
        """Whether both goals are met: the time, and the multiple of NumPy's."""
        return self.rule_ms <= self.target_ms and self.ratio <= SLOWER_THAN_NUMPY_MAX


def measure_clearing() -> list[ClearingTime]:
    """Every size of `TARGETS_MS`. ImportError if NumPy is not installed."""
    return [_measure(orders) for orders in TARGETS_MS]


def random_book(count: int) -> list[Order]:
    """Bids and offers in turn, prices and energies evenly spread."""
    rng = random.Random(SEED)  # noqa: S311 - the same book in every run
    sides: tuple[Side, Side] = ("offer", "bid")
    return [
        Order(
            order_id=f"{number:064x}",
            side=sides[number % 2],
            price_utoken_per_kwh=rng.randrange(LOWEST_PRICE, HIGHEST_PRICE),
            energy_wh=rng.randrange(1, LARGEST_ORDER_WH + 1),
            sequence=number,
        )
        for number in range(count)
    ]


def clearing_table(times: list[ClearingTime]) -> str:
    """For people."""
    head = f"{'orders':>8} {'rule ms':>9} {'NumPy ms':>9} {'times':>6}   goal"
    lines = [
        f"{one.orders:>8} {one.rule_ms:>9.2f} {one.numpy_ms:>9.2f} {one.ratio:>6.2f}"
        f"   {one.target_ms:g} ms, {SLOWER_THAN_NUMPY_MAX} times: {_verdict(one)}"
        for one in times
    ]
    return "\n".join(["price rule, CPU medians", head, *lines])


def _verdict(one: ClearingTime) -> str:
    return "met" if one.is_met else "missed"


def _measure(count: int) -> ClearingTime:
    orders = random_book(count)
    columns = columns_of(orders)
    if clear_book(orders).quantity_wh != numpy_volume(*columns):
        raise ArithmeticError("the rule and the NumPy reference disagree about the volume")
    rule_s, numpy_s = [], []
    for _ in range(REPETITIONS[count]):
        rule_s.append(_cpu_s(lambda: clear_book(orders)))
        numpy_s.append(_cpu_s(lambda: numpy_volume(*columns)))
    rule_ms, numpy_ms = (statistics.median(s) * MILLISECONDS for s in (rule_s, numpy_s))
    return ClearingTime(
        orders=count,
        rule_ms=round(rule_ms, 3),
        numpy_ms=round(numpy_ms, 3),
        ratio=round(rule_ms / numpy_ms, 2),
        target_ms=TARGETS_MS[count],
    )


def _cpu_s(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def columns_of(orders: list[Order]) -> "tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]":
    """Prices and energies of the bids, then of the offers."""
    import numpy as np

    def column(side: Side, name: str) -> "np.ndarray":
        return np.array([getattr(order, name) for order in orders if order.side == side])

    return (
        column("bid", "price_utoken_per_kwh"),
        column("bid", "energy_wh"),
        column("offer", "price_utoken_per_kwh"),
        column("offer", "energy_wh"),
    )


def numpy_volume(
    bid_prices: "np.ndarray",
    bid_wh: "np.ndarray",
    offer_prices: "np.ndarray",
    offer_wh: "np.ndarray",
) -> int:
    """Matched volume, and the energy of every order: sort, cumulate, compare at every step."""
    import numpy as np

    by_price = np.argsort(-bid_prices, kind="stable")
    bid_prices, bid_wh = bid_prices[by_price], bid_wh[by_price]
    by_price = np.argsort(offer_prices, kind="stable")
    offer_prices, offer_wh = offer_prices[by_price], offer_wh[by_price]
    demand, supply = np.cumsum(bid_wh), np.cumsum(offer_wh)
    steps = np.sort(np.concatenate([demand, supply]))
    steps = steps[steps <= min(demand[-1], supply[-1])]
    bid_at = np.searchsorted(demand, steps)
    offer_at = np.searchsorted(supply, steps)
    matched = steps[bid_prices[bid_at] >= offer_prices[offer_at]]
    volume_wh = int(matched[-1]) if len(matched) else 0
    np.clip(volume_wh - (demand - bid_wh), 0, bid_wh)
    np.clip(volume_wh - (supply - offer_wh), 0, offer_wh)
    return volume_wh
