"""Settling a listing of which a part goes to priority consumers at a regulated price.

That part has the first claim on what was metered, as it had on the offers; what is left of the
meters settles the auction, and the rest is the utility's. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chaincode.energy.settlement.planning import added
from chaincode.energy.settlement.pool import (
    Metered,
    Position,
    Settlement,
    Tariff,
    settle_pool,
)


def settle_in_parts(
    regulated: Sequence[Position],
    auction: Sequence[Position],
    metered: Mapping[str, Metered],
    tariff: Tariff,
    *,
    regulated_price_utoken_per_kwh: int,
) -> Settlement:
    """Settle both parts; a household's line is the sum of what it has in each.

    Positions as for `settle_pool`, each with the matched energy and locked money of its part.
    """
    at_regulated = replace(tariff, clearing_price_utoken_per_kwh=regulated_price_utoken_per_kwh)
    served = {position.idgrid: metered[position.idgrid] for position in regulated}
    settled = settle_pool(regulated, served, at_regulated)
    used = {line.idgrid: Metered(line.bought_wh, line.sold_wh) for line in settled.lines}
    first = settle_pool(regulated, used, at_regulated)  # the same, and nothing of the utility's
    rest = settle_pool(auction, _left(metered, used), tariff)
    lines = {line.idgrid: line for line in first.lines}
    return Settlement(
        settled_wh=first.settled_wh + rest.settled_wh,
        total_utoken=first.total_utoken + rest.total_utoken,
        lines=tuple(added(lines.get(line.idgrid), line) for line in rest.lines),
    )


def _left(metered: Mapping[str, Metered], used: Mapping[str, Metered]) -> dict[str, Metered]:
    left = dict(metered)
    for name, taken in used.items():
        before = left[name]
        left[name] = Metered(
            imported_wh=before.imported_wh - taken.imported_wh,
            exported_wh=before.exported_wh - taken.exported_wh,
            metering=before.metering,
        )
    return left
