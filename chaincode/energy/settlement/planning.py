"""Cutting a settlement into pages one transaction each can pay: pure, the same on every peer.

A first settlement (revision 0) has the lines of all households, a correction only differences.
Pages follow the order of the lines and are as long as one transaction can pay.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, fields

from chaincode.energy.settlement.pool import Metered, Position, fulfilled_wh
from chaincode.energy.settlement.records import Fulfilment, Metering, Page, SettlementLine

PAGE_HOUSEHOLDS_MAX = 500
"""A line, a payout and a reputation take about 1 kB: half of a transaction."""
PAGE_ESCROWS_MAX = 2_000
"""Each is a key to remove: 200 kB in all. One household has far fewer."""
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
    escrows: Mapping[str, Sequence[str]],
) -> list[Page]:
    """Pages with the lines in order, each household's other rows on its own page.

    `escrows`: household -> orders whose escrow its line uses up. At least one page.
    """
    by_name = {fulfilment.idgrid: fulfilment for fulfilment in kept}
    return [
        Page(
            listing_id=listing_id,
            revision=revision,
            number=number,
            lines=[list(astuple(line)) for line in part],
            fulfilments=[
                list(astuple(by_name[line.idgrid])) for line in part if line.idgrid in by_name
            ],
        )
        for number, part in enumerate(_parts(lines, escrows))
    ]


def _parts(
    lines: Sequence[SettlementLine], escrows: Mapping[str, Sequence[str]]
) -> Iterable[Sequence[SettlementLine]]:
    """The lines cut where a household more would be too much for a page."""
    start = held = 0
    for at, line in enumerate(lines):
        more = len(escrows.get(line.idgrid, ()))
        if at - start == PAGE_HOUSEHOLDS_MAX or (at > start and held + more > PAGE_ESCROWS_MAX):
            yield lines[start:at]
            start, held = at, 0
        held += more
    yield lines[start:]


def nothing(idgrid: str) -> SettlementLine:
    """An empty line."""
    return SettlementLine(idgrid=idgrid, metering=Metering.MISSING, **dict.fromkeys(AMOUNTS, 0))


def _combined(one: SettlementLine, other: SettlementLine, *, sign: int) -> SettlementLine:
    amounts = {name: getattr(one, name) + sign * getattr(other, name) for name in AMOUNTS}
    return SettlementLine(idgrid=one.idgrid, metering=one.metering, **amounts)
