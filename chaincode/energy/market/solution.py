"""A clearing computed elsewhere, checked cheaply. Pure.

A solver hands in a price and the energy of every matched order. The check needs no sorting: with
one price for all, a solution has the most welfare exactly if every order that is better than the
price trades in full and none that is worse trades at all (complementary slackness), and the most
volume if at the price itself no bid and offer are both left over. Then the price and the sharing
of the marginal level are compared with the listing's rule. What passes is what `clear_book` gives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from chaincode.energy.market.book import Book, OrderSide
from chaincode.energy.market.clearing import Ration
from chaincode.energy.market.rationing import first_come, largest_remainder


@dataclass(frozen=True, slots=True)
class Solution:
    """`price_utoken_per_kwh` is None where nothing trades; `allocations`: order -> Wh."""

    price_utoken_per_kwh: int | None
    allocations: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Side:
    """One side with the Wh the solution gives each row."""

    orders: OrderSide
    given_wh: list[int]

    @property
    def quantity_wh(self) -> int:
        return sum(self.given_wh)

    def worst_given(self) -> int:
        """Rank of the last accepted order."""
        return max(rank for rank, wh in zip(self.orders.ranks, self.given_wh, strict=True) if wh)

    def best_left(self) -> int | None:
        """Rank of the best order with energy left; None: no such."""
        rows = zip(self.orders.ranks, self.given_wh, self.orders.energies_wh, strict=True)
        return min((rank for rank, wh, energy_wh in rows if wh < energy_wh), default=None)


def problem_with(solution: Solution, book: Book, *, k: Fraction, ration: Ration) -> str | None:
    """Why this is not the clearing of the book under the rule `crossing`; None if it is."""
    known = {*book.bids.order_ids, *book.offers.order_ids}
    strangers = [name for name in solution.allocations if name not in known]
    if strangers:
        return f"{strangers[0]} is no executable order of the listing"
    bids = _side(book.bids, solution.allocations)
    offers = _side(book.offers, solution.allocations)
    for side in (bids, offers):
        rows = zip(side.orders.order_ids, side.given_wh, side.orders.energies_wh, strict=True)
        for name, wh, energy_wh in rows:
            if not 0 <= wh <= energy_wh:
                return f"{name} gets {wh} Wh of {energy_wh}"
    if bids.quantity_wh != offers.quantity_wh:
        return f"{bids.quantity_wh} Wh are bought and {offers.quantity_wh} Wh sold"
    if not bids.quantity_wh:
        return _problem_with_nothing(solution, book)
    return _problem_with_price(solution, bids, offers, k) or _problem_with_shares(
        bids, offers, ration
    )


def _problem_with_nothing(solution: Solution, book: Book) -> str | None:
    if solution.price_utoken_per_kwh is not None:
        return "nothing trades, so there is no price"
    best_bid, best_offer = book.bids.best_price, book.offers.best_price
    if best_bid is not None and best_offer is not None and best_bid >= best_offer:
        return "nothing trades, but a bid covers an offer"
    return None


def interval_of(solution: Solution, book: Book) -> tuple[int, int] | None:
    """Lowest and highest price that fit all orders; None where nothing trades."""
    if not any(solution.allocations.values()):
        return None
    bids = _side(book.bids, solution.allocations)
    offers = _side(book.offers, solution.allocations)
    return _interval(bids, offers)


def _interval(bids: _Side, offers: _Side) -> tuple[int, int]:
    low, high = offers.worst_given(), -bids.worst_given()
    bid_left, offer_left = bids.best_left(), offers.best_left()
    return (
        low if bid_left is None else max(low, -bid_left),
        high if offer_left is None else min(high, offer_left),
    )


def _problem_with_price(solution: Solution, bids: _Side, offers: _Side, k: Fraction) -> str | None:
    """Optimal exactly if a price fits all orders; then it must be the one the rule chooses."""
    bid_left, offer_left = bids.best_left(), offers.best_left()
    if bid_left is not None and offer_left is not None and -bid_left >= offer_left:
        return f"a bid at {-bid_left} and an offer at {offer_left} are left over"
    low, high = _interval(bids, offers)
    if low > high:
        return f"no price fits all orders: it must be at least {low} and at most {high}"
    price = low + (high - low) * k.numerator // k.denominator
    if solution.price_utoken_per_kwh != price:
        return f"the price is {price}, not {solution.price_utoken_per_kwh}"
    return None


def _problem_with_shares(bids: _Side, offers: _Side, ration: Ration) -> str | None:
    """The marginal level of each side must be shared out as the listing says."""
    share_out = first_come if ration == "fifo" else largest_remainder
    for side in (bids, offers):
        marginal = side.worst_given()
        rows = [row for row, rank in enumerate(side.orders.ranks) if rank == marginal]
        given = [side.given_wh[row] for row in rows]
        claims = [side.orders.energies_wh[row] for row in rows]
        if given != share_out(claims=claims, total=sum(given)):
            return f"the level at {abs(marginal)} is not shared by {ration}"
    return None


def _side(orders: OrderSide, allocations: Mapping[str, int]) -> _Side:
    return _Side(orders, [allocations.get(name, 0) for name in orders.order_ids])
