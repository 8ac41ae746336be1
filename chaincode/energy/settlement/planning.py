"""Cutting a settlement into pages one transaction each can pay: pure, the same on every peer.

A first settlement (revision 0) has the lines of all households, a correction only differences.
Pages follow the order of the lines, `PAGE_HOUSEHOLDS_MAX` households each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields

from chaincode.energy.settlement.pool import Metered, Position, fulfilled_wh
from chaincode.energy.settlement.records import Fulfilment, Metering, Page, SettlementLine

PAGE_HOUSEHOLDS_MAX = 500
"""A line, a payout, a reputation and their escrows take about 1 kB: half of a transaction."""
NOT_RECORDED = -1
AMOUNTS = tuple(
    field.name for field in fields(SettlementLine) if field.name not in ("idgrid", "metering")
)
"""The columns of a line."""


def difference(now: SettlementLine, before: SettlementLine | None) -> SettlementLine:
    """What has to be added to `before` to get `now`; None counts as nothing."""
    if before is None:
        return now
    return _combined(now, before, sign=-1)


def added(total: SettlementLine | None, line: SettlementLine) -> SettlementLine:
    """A line with a correction of it; metering is that of the newer one."""
    if total is None:
        return line
    return _combined(line, total, sign=1)


def changes(
    now: Sequence[SettlementLine], before: Mapping[str, SettlementLine]
) -> list[SettlementLine]:
    """The differences, of households in which anything differs; who is gone counts as nothing."""
    present = {line.idgrid for line in now}
    gone = [nothing(name) for name in before if name not in present]
    compared = [(line, before.get(line.idgrid)) for line in (*now, *gone)]
    return [difference(line, earlier) for line, earlier in compared if line != earlier]


def fulfilments(
    positions: Sequence[Position],
    metered: Mapping[str, Metered],
    before: Mapping[str, SettlementLine],
) -> list[Fulfilment]:
    """How each match was kept, and what the line before said; only those that changed."""
    found = []
    for position in positions:
        meter = metered[position.idgrid]
        now_wh = fulfilled_wh(position, meter)
        earlier = before.get(position.idgrid)
        before_wh = NOT_RECORDED
        if earlier is not None:
            before_wh = fulfilled_wh(position, Metered(earlier.imported_wh, earlier.exported_wh))
        if now_wh == before_wh:
            continue
        found.append(
            Fulfilment(
                idgrid=position.idgrid,
                side="offer" if position.matched_sell_wh else "bid",
                matched_wh=position.matched_sell_wh + position.matched_buy_wh,
                fulfilled_wh=now_wh,
                before_wh=before_wh,
                metering=meter.metering,
            )
        )
    return found


def pages_of(
    *,
    listing_id: str,
    revision: int,
    lines: Sequence[SettlementLine],
    kept: Sequence[Fulfilment],
    escrows: Mapping[str, list[str]],
) -> list[Page]:
    """Pages with the lines in order, each household's other rows on its own page.

    `escrows`: household -> ids of the orders whose escrow the line uses up. At least one page.
    """
    by_name = {fulfilment.idgrid: fulfilment for fulfilment in kept}
    pages: list[Page] = []
    for start in range(0, max(len(lines), 1), PAGE_HOUSEHOLDS_MAX):
        part = lines[start : start + PAGE_HOUSEHOLDS_MAX]
        names = [line.idgrid for line in part]
        pages.append(
            Page(
                listing_id=listing_id,
                revision=revision,
                number=len(pages),
                lines=[list(astuple(line)) for line in part],
                fulfilments=[list(astuple(by_name[name])) for name in names if name in by_name],
                escrows=[[name, order] for name in names for order in escrows.get(name, [])],
            )
        )
    return pages


def nothing(idgrid: str) -> SettlementLine:
    """An empty line."""
    return SettlementLine(idgrid=idgrid, metering=Metering.MISSING, **dict.fromkeys(AMOUNTS, 0))


def _combined(one: SettlementLine, other: SettlementLine, *, sign: int) -> SettlementLine:
    amounts = {name: getattr(one, name) + sign * getattr(other, name) for name in AMOUNTS}
    return SettlementLine(idgrid=one.idgrid, metering=one.metering, **amounts)
