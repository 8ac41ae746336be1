"""Where demand and supply meet, without sorting a large book.

Orders are counted into steps of equal price width between the best offer and the best bid. The
energies of the steps, added up, tell in which step the curves cross; only the orders around it
are sorted. What is better than that stretch trades in full, what is worse not at all.
"""

from collections.abc import Sequence
from itertools import accumulate

from chaincode.energy.market.book import Book, MeritOrder, OrderSide

STEPS = 1024
SORTED_AT_ONCE_MAX = 500
"""Orders of a book for which sorting everything costs less than counting."""


def around_crossing(book: Book) -> tuple[MeritOrder, MeritOrder]:
    """Bids and offers around the crossing, best first.

    Each stretch holds the order in which the matched quantity ends and the first beyond it that
    could trade with any order of the other side.
    """
    bids, offers = book.bids, book.offers
    if len(bids.ranks) + len(offers.ranks) <= SORTED_AT_ONCE_MAX:
        return bids.merit_order(), offers.merit_order()
    return counted_stretches(book)


def counted_stretches(book: Book) -> tuple[MeritOrder, MeritOrder]:
    """`around_crossing` for books of any size."""
    bids, offers = book.bids, book.offers
    dearest, cheapest = bids.best_price, offers.best_price
    if dearest is None or cheapest is None or dearest < cheapest:
        return bids.merit_order([]), offers.merit_order([])
    shift = ((dearest - cheapest) // STEPS).bit_length()
    wanted_wh = _steps_of_bids(bids, cheapest, shift)
    offered_wh = _steps_of_offers(offers, cheapest, dearest, shift)
    above_wh = list(accumulate(reversed(wanted_wh), initial=0))  # [n]: the n highest steps
    upto_wh = list(accumulate(offered_wh))
    last = len(wanted_wh) - 1
    crossing = next(
        step for step in range(len(wanted_wh)) if above_wh[last - step] <= upto_wh[step]
    )
    low, high = _nearest(wanted_wh, crossing)
    bid_rows = _rows(bids, -(cheapest + (high + 1 << shift)) + 1, -(cheapest + (low << shift)))
    demand = bids.merit_order(bid_rows, before_wh=above_wh[last - high])
    low, high = _nearest(offered_wh, crossing)
    offer_rows = _rows(offers, cheapest + (low << shift), cheapest + (high + 1 << shift) - 1)
    supply = offers.merit_order(offer_rows, before_wh=upto_wh[low] - offered_wh[low])
    return demand, supply


def _steps_of_bids(bids: OrderSide, cheapest: int, shift: int) -> list[int]:
    """Wh per step from the cheapest offer up; bids below it cannot trade."""
    top = -cheapest
    steps = [0] * ((top - min(bids.ranks) >> shift) + 1)
    for rank, energy_wh in zip(bids.ranks, bids.energies_wh, strict=True):
        if rank <= top:
            steps[top - rank >> shift] += energy_wh
    return steps


def _steps_of_offers(offers: OrderSide, cheapest: int, dearest: int, shift: int) -> list[int]:
    """Wh per step up to the dearest bid; offers above it cannot trade."""
    steps = [0] * ((dearest - cheapest >> shift) + 1)
    for rank, energy_wh in zip(offers.ranks, offers.energies_wh, strict=True):
        if rank <= dearest:
            steps[rank - cheapest >> shift] += energy_wh
    return steps


def _nearest(steps: Sequence[int], step: int) -> tuple[int, int]:
    """The nearest steps below and above with anything in them; the step itself if none."""
    below = (at for at in range(step - 1, -1, -1) if steps[at])
    above = (at for at in range(step + 1, len(steps)) if steps[at])
    return next(below, step), next(above, step)


def _rows(side: OrderSide, best: int, worst: int) -> list[int]:
    return [row for row, rank in enumerate(side.ranks) if best <= rank <= worst]
