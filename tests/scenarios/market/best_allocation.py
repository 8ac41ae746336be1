"""The most any allocation of a year could save: one linear program over all hours (HiGHS).

It knows nothing of orders or prices. In every hour each home may give at most what it has left
and take at most what it needs; what is given is taken. A Wh that changes hands saves the
difference between the retail price and the feed-in tariff.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from tests.scenarios.market.year import FEED_IN_UTOKEN_PER_KWH, Hour


@dataclass(frozen=True, slots=True)
class BestAllocation:
    """Energy that changes hands, and what that saves, in Wh and micro-tokens."""

    energy_wh: float
    benefit_utoken: float


def best_allocation(hours: Sequence[Hour]) -> BestAllocation:
    """Solve it; an hour in which nobody has anything left, or needs anything, is left out."""
    used = [hour for hour in hours if hour.tradable_wh]
    net = np.array([hour.net_wh for hour in used], dtype=float)
    rows, homes = np.nonzero(net)
    flows = net[rows, homes]
    gives = flows < 0
    margins = np.array([hour.retail_utoken_per_kwh - FEED_IN_UTOKEN_PER_KWH for hour in used])
    saved_per_wh = np.where(gives, 0.0, margins[rows] / 1000)
    balance = csr_array(
        (np.where(gives, 1.0, -1.0), (rows, np.arange(len(rows)))), shape=(len(used), len(rows))
    )
    solved = linprog(
        -saved_per_wh,
        A_eq=balance,
        b_eq=np.zeros(len(used)),
        bounds=np.column_stack([np.zeros(len(flows)), np.abs(flows)]),
        method="highs",
    )
    if not solved.success:
        raise ArithmeticError(f"the linear program was not solved: {solved.message}")
    return BestAllocation(
        energy_wh=float(solved.x[~gives].sum()), benefit_utoken=float(-solved.fun)
    )
