"""Pay-as-clear: one order book in, one price and the matched energy of every order out.

Definition (docs/market.md, "Price rule"): the rule gives volume and price (`matching`); price
priority decides who is matched, and only the marginal price level of a side is rationed. Pure
functions on frozen data, whole numbers only.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import chain, compress
from operator import itemgetter
from typing import Literal

from chaincode.energy.market.book import (
    Book,
    CurvePoint,
    MeritOrder,
    Order,
    OrderSide,
    build_book,
)
from chaincode.energy.market.matching import RULES, Match, Named, Rule, curtailed, match_by
from chaincode.energy.market.preferences import Preferences, favoured_wh
from chaincode.energy.market.rationing import first_come, largest_remainder, split_amount

Ration = Literal["fifo", "pro_rata"]
RATIONS: tuple[Ration, ...] = ("fifo", "pro_rata")
RULE_VERSION = 1
MIDPOINT = Fraction(1, 2)

_OTHER_RULE: dict[Rule, Rule] = {
    "crossing": "average_bid",
    "average_bid": "crossing",
    "fixed_price": "crossing",
}


@dataclass(frozen=True, slots=True)
class Fills:
    """Matched orders of one side in ledger order: columns of id, Wh and micro-tokens."""

    order_ids: list[str]
    energies_wh: list[int]
    amounts_utoken: list[int]

    def entries(self) -> Iterable[tuple[str, int]]:
        """(order id, Wh)."""
        return zip(self.order_ids, self.energies_wh, strict=True)

    def amounts(self) -> dict[str, int]:
        """Order -> micro-tokens."""
        return dict(zip(self.order_ids, self.amounts_utoken, strict=True))


@dataclass(frozen=True)  # no slots: the maps are made when somebody looks at them
class ClearingResult:
    """What the auction decided. Maps hold only orders with an allocation, in ledger order.

    `price_utoken_per_kwh` and `price_interval` are None when nothing trades. `not_executable`
    are orders outside floor and cap (or of zero energy); `excluded` are orders which the price of
    `average_bid` or `fixed_price` shut out, so that nobody trades at a loss (always empty for
    `crossing`). `curtailed_wh` is what the line limit kept from trading.
    """

    rule: Rule
    price_utoken_per_kwh: int | None
    quantity_wh: int
    curtailed_wh: int
    price_interval: tuple[int, int] | None
    buyers: Fills
    sellers: Fills
    total_utoken: int
    excluded: Named
    not_executable: Named
    book: Book

    @cached_property
    def allocations(self) -> dict[str, int]:
        """Order -> matched Wh, buyers first."""
        return dict(chain(self.buyers.entries(), self.sellers.entries()))

    @cached_property
    def buyer_pays_utoken(self) -> dict[str, int]:
        """Bid -> what it pays."""
        return self.buyers.amounts()

    @cached_property
    def seller_gets_utoken(self) -> dict[str, int]:
        """Offer -> what it gets."""
        return self.sellers.amounts()

    @property
    def demand_curve(self) -> tuple[CurvePoint, ...]:
        """Energy wanted at each price or better, best price first."""
        return self.book.bids.curve()

    @property
    def supply_curve(self) -> tuple[CurvePoint, ...]:
        """Energy available at each price or better, best price first."""
        return self.book.offers.curve()

    @property
    def wanted_wh(self) -> int:
        """Energy of all executable bids."""
        return self.book.bids.energy_wh

    @property
    def available_wh(self) -> int:
        """Energy of all executable offers."""
        return self.book.offers.energy_wh


def clear_book(
    orders: Iterable[Order],
    *,
    rule: Rule = "crossing",
    k: Fraction = MIDPOINT,
    ration: Ration = "fifo",
    floor_price: int | None = None,
    cap_price: int | None = None,
    fixed_price: int | None = None,
    line_limit_wh: int | None = None,
    preferences: Preferences | None = None,
) -> ClearingResult:
    """Clear one book.

    `rule`: `crossing` takes low + floor(k * (high - low)) of the price interval, 0 <= k <= 1;
    `average_bid` takes the mean of the executable bids rounded down (k is not used) and shuts
    out bids below and offers above it; `fixed_price` does the same with `fixed_price`.
    `ration`: how the marginal level shares what is left; offers that matched buyers prefer go
    first in it. `line_limit_wh`: the most that may be matched. Raises `ValueError` for an unknown
    rule or ration, k outside 0..1, floor above cap, a missing or useless fixed price.
    """
    if rule not in RULES or ration not in RATIONS:
        raise ValueError(f"unknown rule or ration: {rule}, {ration}")
    if not 0 <= k <= 1:
        raise ValueError(f"k must lie between 0 and 1, not {k}")
    if floor_price is not None and cap_price is not None and floor_price > cap_price:
        raise ValueError(f"the floor price {floor_price} is above the cap price {cap_price}")
    if (fixed_price is None) == (rule == "fixed_price"):
        raise ValueError("fixed_price goes with the rule of that name")
    book = build_book(orders, floor_price=floor_price, cap_price=cap_price)
    wanted = match_by(rule, book, k=k, fixed_price=fixed_price)
    match = curtailed(wanted, line_limit_wh) if wanted else None
    return _result(
        book, rule=rule, wanted=wanted, match=match, ration=ration, preferences=preferences
    )


def result_from(
    book: Book,
    *,
    price: int | None,
    price_interval: tuple[int, int] | None,
    allocations: Mapping[str, int],
) -> ClearingResult:
    """The result of `crossing` from a price and energies known to be right (`solution.py`)."""
    buyers, sellers = (
        _Served.given(book.bids, allocations),
        _Served.given(book.offers, allocations),
    )
    return _priced(
        book,
        rule="crossing",
        price=price,
        price_interval=price_interval,
        buyers=buyers,
        sellers=sellers,
    )


def other_rule_price(book: Book, *, rule: Rule, k: Fraction = MIDPOINT) -> tuple[Rule, int | None]:
    """The figure the rule *not* used would have given, published beside the result."""
    other = _OTHER_RULE[rule]
    match = match_by(other, book, k=k)
    return other, match.price_utoken_per_kwh if match is not None else None


@dataclass(frozen=True, slots=True)
class _Served:
    """Matched orders of one side in ledger order, and their Wh."""

    order_ids: list[str]
    energies_wh: list[int]

    @classmethod
    def given(cls, side: OrderSide, allocations: Mapping[str, int]) -> "_Served":
        order_ids = [name for name in side.order_ids if allocations.get(name)]
        return cls(order_ids, [allocations[name] for name in order_ids])

    def priced(self, price: int) -> Fills:
        """With what each is worth."""
        amounts = split_amount(energies_wh=self.energies_wh, price_utoken_per_kwh=price)
        return Fills(self.order_ids, self.energies_wh, amounts)


def _result(
    book: Book,
    *,
    rule: Rule,
    wanted: Match | None,
    match: Match | None,
    ration: Ration,
    preferences: Preferences | None,
) -> ClearingResult:
    buyers = sellers = _Served([], [])
    if match is not None:
        buyers = _share_out(match.bids, match.margins[0], match.quantity_wh, ration)
        favoured = _favoured(match, buyers, preferences) if preferences else {}
        sellers = _share_out(match.offers, match.margins[1], match.quantity_wh, ration, favoured)
    return _priced(
        book,
        rule=rule,
        price=match.price_utoken_per_kwh if match else None,
        price_interval=match.price_interval if match else None,
        buyers=buyers,
        sellers=sellers,
        wanted_wh=wanted.quantity_wh if wanted else 0,
        excluded=match.excluded if match else (),
    )


def _priced(
    book: Book,
    *,
    rule: Rule,
    price: int | None,
    price_interval: tuple[int, int] | None,
    buyers: _Served,
    sellers: _Served,
    wanted_wh: int | None = None,
    excluded: Named = (),
) -> ClearingResult:
    """Energies and money; `wanted_wh` would have traded on a line without limit."""
    quantity_wh = sum(buyers.energies_wh)
    return ClearingResult(
        rule=rule,
        price_utoken_per_kwh=price,
        quantity_wh=quantity_wh,
        curtailed_wh=0 if wanted_wh is None else wanted_wh - quantity_wh,
        price_interval=price_interval,
        buyers=buyers.priced(price or 0),
        sellers=sellers.priced(price or 0),
        total_utoken=quantity_wh * (price or 0) // 1000,
        excluded=excluded,
        not_executable=book.not_executable,
        book=book,
    )


def _share_out(
    side: OrderSide,
    margin: MeritOrder,
    quantity_wh: int,
    ration: Ration,
    favoured: Mapping[str, int] | None = None,
) -> _Served:
    """Matched Wh per order, in ledger order; only the last price level reached is rationed."""
    marginal = margin.ranks[bisect_left(margin.cumulative_wh, quantity_wh)]
    end = bisect_right(margin.ranks, marginal)
    served = [rank <= marginal for rank in side.ranks]
    energies_wh = side.energies_wh
    spare_wh = margin.cumulative_wh[end - 1] - quantity_wh
    if spare_wh:
        rows = margin.rows[bisect_left(margin.ranks, marginal) : end]
        claims = [energies_wh[row] for row in rows]
        wishes = [favoured.get(side.order_ids[row], 0) for row in rows] if favoured else claims
        shares = _ration(claims, wishes, sum(claims) - spare_wh, ration)
        energies_wh = list(energies_wh)
        for row, share in zip(rows, shares, strict=True):
            energies_wh[row] = share
            served[row] = share > 0
    return _Served(list(compress(side.order_ids, served)), list(compress(energies_wh, served)))


def _ration(claims: Sequence[int], wishes: Sequence[int], total: int, ration: Ration) -> list[int]:
    """Share `total` among equal claims; the part of each that buyers wish for goes first."""
    share_out = first_come if ration == "fifo" else largest_remainder
    first = share_out(claims=wishes, total=min(total, sum(wishes)))
    left = [claim - share for claim, share in zip(claims, first, strict=True)]
    rest = share_out(claims=left, total=total - sum(first))
    return [a + b for a, b in zip(first, rest, strict=True)]


def _favoured(match: Match, buyers: _Served, preferences: Preferences) -> dict[str, int]:
    """Wh of each offer that could be served and that matched buyers wish for."""
    offers = match.offers
    price = match.margins[1].last_price(match.quantity_wh)
    could = [(row, rank) for row, rank in enumerate(offers.ranks) if rank <= price]
    could.sort(key=itemgetter(1))
    candidates = [(offers.order_ids[row], offers.energies_wh[row]) for row, _ in could]
    return favoured_wh(
        preferences, zip(buyers.order_ids, buyers.energies_wh, strict=True), candidates
    )
