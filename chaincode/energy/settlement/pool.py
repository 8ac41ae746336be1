"""What a cleared listing settles to once the meters are read: a pure rule, exact to the unit.

Definition (docs/settlement.md, "The rule"):

1. A seller contributes min(matched, exported), a buyer takes min(matched, imported); both are
   metered at the grid connection in the delivery period.
2. The pool settles S = min(sum contributed, sum taken). The side that has more is cut to S in
   proportion (largest remainder, ties in ledger order).
3. Everybody pays and gets the one clearing price; S * price / 1000 rounded down is shared out
   on both sides by largest remainder. Buyers pay the network charge on top, the community pool
   keeps its share of the proceeds. What a buyer had locked and does not pay is refunded.
4. Every metered Wh that is not settled in the pool is the utility's: imports at the retail
   price, exports at the feed-in tariff.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaincode.energy.market.rationing import largest_remainder, split_amount
from chaincode.energy.market.settlement_terms import PERMILLE
from chaincode.energy.settlement.conservation import require_conserved
from chaincode.energy.settlement.records import Metering, SettlementLine


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
    metering: str = Metering.MEASURED


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices of one listing in micro-tokens per kWh, the pool's share in thousandths."""

    clearing_price_utoken_per_kwh: int
    retail_price_utoken_per_kwh: int
    feed_in_tariff_utoken_per_kwh: int
    network_charge_utoken_per_kwh: int = 0
    pool_share_permille: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """The whole listing: its lines in ledger order of first order, then by IDgrid."""

    settled_wh: int
    total_utoken: int
    lines: tuple[SettlementLine, ...]


@dataclass(frozen=True, slots=True)
class _Money:
    """Per household, in the order of the lines."""

    received: list[int]
    paid: list[int]
    network_charge: list[int]
    pool_share: list[int]
    owed: list[int]
    fed_in: list[int]


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
    lines = _lines(book, meters, sold, bought, tariff)
    require_conserved(
        lines,
        locked_utoken=sum(position.locked_utoken for position in book),
        price_utoken_per_kwh=tariff.clearing_price_utoken_per_kwh,
        network_charge_utoken_per_kwh=tariff.network_charge_utoken_per_kwh,
        pool_share_permille=tariff.pool_share_permille,
    )
    return Settlement(
        settled_wh=sum(sold), total_utoken=sum(line.paid_utoken for line in lines), lines=lines
    )


def fulfilled_wh(position: Position, meter: Metered) -> int:
    """Step 1: what a household contributed to the pool, or took from it."""
    if position.matched_sell_wh:
        return min(position.matched_sell_wh, meter.exported_wh)
    return min(position.matched_buy_wh, meter.imported_wh)


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


def _lines(
    book: Sequence[Position],
    meters: Sequence[Metered],
    sold: list[int],
    bought: list[int],
    tariff: Tariff,
) -> tuple[SettlementLine, ...]:
    """Steps 3 and 4: money for every Wh."""
    rest_in = [m.imported_wh - wh for m, wh in zip(meters, bought, strict=True)]
    rest_out = [m.exported_wh - wh for m, wh in zip(meters, sold, strict=True)]
    money = _money(sold, bought, rest_in, rest_out, tariff)
    return tuple(
        SettlementLine(
            idgrid=position.idgrid,
            imported_wh=meters[at].imported_wh,
            exported_wh=meters[at].exported_wh,
            matched_sell_wh=position.matched_sell_wh,
            matched_buy_wh=position.matched_buy_wh,
            sold_wh=sold[at],
            bought_wh=bought[at],
            received_utoken=money.received[at],
            paid_utoken=money.paid[at],
            refunded_utoken=position.locked_utoken - money.paid[at] - money.network_charge[at],
            bought_from_utility_wh=rest_in[at],
            owed_to_utility_utoken=money.owed[at],
            sold_to_utility_wh=rest_out[at],
            owed_by_utility_utoken=money.fed_in[at],
            network_charge_utoken=money.network_charge[at],
            pool_share_utoken=money.pool_share[at],
            metering=meters[at].metering,
        )
        for at, position in enumerate(book)
    )


def _money(
    sold: list[int], bought: list[int], rest_in: list[int], rest_out: list[int], tariff: Tariff
) -> _Money:
    price = tariff.clearing_price_utoken_per_kwh
    received = split_amount(energies_wh=sold, price_utoken_per_kwh=price)
    pool_total = sum(received) * tariff.pool_share_permille // PERMILLE
    return _Money(
        received=received,
        paid=split_amount(energies_wh=bought, price_utoken_per_kwh=price),
        network_charge=split_amount(
            energies_wh=bought, price_utoken_per_kwh=tariff.network_charge_utoken_per_kwh
        ),
        pool_share=largest_remainder(claims=received, total=pool_total),
        owed=split_amount(
            energies_wh=rest_in, price_utoken_per_kwh=tariff.retail_price_utoken_per_kwh
        ),
        fed_in=split_amount(
            energies_wh=rest_out, price_utoken_per_kwh=tariff.feed_in_tariff_utoken_per_kwh
        ),
    )
