"""What a cleared listing settles to once the meters are read: a pure rule, exact to the unit.

Definition (docs/market.md, "Settlement"):

1. A seller contributes min(matched, exported), a buyer takes min(matched, imported); both are
   metered at the grid connection in the delivery period.
2. The pool settles S = min(sum contributed, sum taken). The side that has more is cut to S in
   proportion (largest remainder, ties in ledger order).
3. Everybody pays and gets the one clearing price; S * price / 1000 rounded down is shared out
   on both sides by largest remainder. What a buyer had locked and does not pay is refunded.
4. Every metered Wh that is not settled in the pool is the utility's: imports at the retail
   price, exports at the feed-in tariff.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaincode.energy.market.rationing import largest_remainder, split_amount


@dataclass(frozen=True, slots=True)
class Position:
    """What one household owes the pool: sells or buys (never both), and its locked money."""

    idgrid: str
    matched_sell_wh: int
    matched_buy_wh: int
    locked_utoken: int


@dataclass(frozen=True, slots=True)
class Metered:
    """Energy through one household's grid connection in the delivery period."""

    imported_wh: int
    exported_wh: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices of one listing in micro-tokens per kWh."""

    clearing_price_utoken_per_kwh: int
    retail_price_utoken_per_kwh: int
    feed_in_tariff_utoken_per_kwh: int


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One household's hour. Energy in Wh, money in micro-tokens.

    `utility_*_utoken` is billed by the utility outside the token account (docs/market.md).
    """

    idgrid: str
    imported_wh: int
    exported_wh: int
    matched_sell_wh: int
    matched_buy_wh: int
    sold_wh: int
    bought_wh: int
    received_utoken: int
    paid_utoken: int
    refunded_utoken: int
    bought_from_utility_wh: int
    owed_to_utility_utoken: int
    sold_to_utility_wh: int
    owed_by_utility_utoken: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """The whole listing: its lines in ledger order of first order, then by IDgrid."""

    settled_wh: int
    total_utoken: int
    lines: tuple[SettlementLine, ...]


class ConservationError(Exception):
    """Energy or money would appear or vanish: a fault of the rule, never of the input."""


def settle_pool(
    positions: Sequence[Position], metered: Mapping[str, Metered], tariff: Tariff
) -> Settlement:
    """Settle one listing.

    `positions` in ledger order; `metered` holds every household of the community, including
    those without a match. Raises `KeyError` if a position has no metered energy,
    `ValueError` for a household with two positions, `ConservationError` if the sums do not close.
    """
    households = [position.idgrid for position in positions]
    if len(set(households)) != len(households):
        raise ValueError("a household has more than one position")
    by_name = {position.idgrid: position for position in positions}
    households += sorted(set(metered) - set(households))
    book = [by_name.get(name) or Position(name, 0, 0, 0) for name in households]
    meters = [metered[name] for name in households]
    sold, bought = _settled_energy(book, meters)
    settlement = _priced(book, meters, sold, bought, tariff)
    _assert_conserved(settlement, book, tariff)
    return settlement


def _settled_energy(
    book: Sequence[Position], meters: Sequence[Metered]
) -> tuple[list[int], list[int]]:
    """Steps 1 and 2: Wh each household sells to and buys from the pool."""
    contributed = [
        min(position.matched_sell_wh, meter.exported_wh)
        for position, meter in zip(book, meters, strict=True)
    ]
    taken = [
        min(position.matched_buy_wh, meter.imported_wh)
        for position, meter in zip(book, meters, strict=True)
    ]
    settled_wh = min(sum(contributed), sum(taken))
    return (
        largest_remainder(claims=contributed, total=settled_wh),
        largest_remainder(claims=taken, total=settled_wh),
    )


def _priced(
    book: Sequence[Position],
    meters: Sequence[Metered],
    sold: list[int],
    bought: list[int],
    tariff: Tariff,
) -> Settlement:
    """Steps 3 and 4: money for every Wh."""
    price = tariff.clearing_price_utoken_per_kwh
    received = split_amount(energies_wh=sold, price_utoken_per_kwh=price)
    paid = split_amount(energies_wh=bought, price_utoken_per_kwh=price)
    rest_in = [m.imported_wh - wh for m, wh in zip(meters, bought, strict=True)]
    rest_out = [m.exported_wh - wh for m, wh in zip(meters, sold, strict=True)]
    owed = split_amount(
        energies_wh=rest_in, price_utoken_per_kwh=tariff.retail_price_utoken_per_kwh
    )
    fed_in = split_amount(
        energies_wh=rest_out, price_utoken_per_kwh=tariff.feed_in_tariff_utoken_per_kwh
    )
    lines = tuple(
        SettlementLine(
            idgrid=position.idgrid,
            imported_wh=meters[at].imported_wh,
            exported_wh=meters[at].exported_wh,
            matched_sell_wh=position.matched_sell_wh,
            matched_buy_wh=position.matched_buy_wh,
            sold_wh=sold[at],
            bought_wh=bought[at],
            received_utoken=received[at],
            paid_utoken=paid[at],
            refunded_utoken=position.locked_utoken - paid[at],
            bought_from_utility_wh=rest_in[at],
            owed_to_utility_utoken=owed[at],
            sold_to_utility_wh=rest_out[at],
            owed_by_utility_utoken=fed_in[at],
        )
        for at, position in enumerate(book)
    )
    return Settlement(settled_wh=sum(sold), total_utoken=sum(paid), lines=lines)


def _assert_conserved(settlement: Settlement, book: Sequence[Position], tariff: Tariff) -> None:
    """Every Wh and every micro-token is accounted for, or nothing is settled at all."""
    lines = settlement.lines
    settled_wh = settlement.settled_wh
    due_utoken = settled_wh * tariff.clearing_price_utoken_per_kwh // 1000
    locked_utoken = sum(position.locked_utoken for position in book)
    returned_utoken = sum(line.paid_utoken + line.refunded_utoken for line in lines)
    laws = {
        "all that is sold is bought": sum(line.bought_wh for line in lines) == settled_wh,
        "the sellers get what the buyers pay": sum(line.received_utoken for line in lines)
        == settlement.total_utoken,
        "the total is energy times price": settlement.total_utoken == due_utoken,
        "locked money is paid or refunded": returned_utoken == locked_utoken,
        "nobody pays more than was locked": all(line.refunded_utoken >= 0 for line in lines),
        "imports are bought here or from the utility": all(
            line.imported_wh == line.bought_wh + line.bought_from_utility_wh for line in lines
        ),
        "exports are sold here or to the utility": all(
            line.exported_wh == line.sold_wh + line.sold_to_utility_wh for line in lines
        ),
        "nobody buys more than was matched": all(
            line.bought_wh <= line.matched_buy_wh for line in lines
        ),
        "nobody sells more than was matched": all(
            line.sold_wh <= line.matched_sell_wh for line in lines
        ),
    }
    if broken := [law for law, holds in laws.items() if not holds]:
        raise ConservationError(f"does not hold: {'; '.join(broken)}")
