"""Splitting a group's hour among its members by their meters. Pure, exact to the unit.

In settlement a group stands as one household with the sum of its members' energy. Afterwards its
line is split: energy in proportion to what each member exported or imported, money with it.
"""

from collections.abc import Mapping, Sequence

from chaincode.energy.groups.records import MemberPart
from chaincode.energy.market.rationing import largest_remainder
from chaincode.energy.settlement.group_metering import shared_energy
from chaincode.energy.settlement.pool import Metered
from chaincode.energy.settlement.records import SettlementLine

READINGS, SHARES = "readings", "shares"


def split_line(
    line: SettlementLine,
    members: Sequence[str],
    metered: Mapping[str, Metered],
    *,
    shares: Mapping[str, int],
    money_by: str,
) -> list[MemberPart]:
    """The parts of the members, in their order; each column sums to the line's.

    `metered` may lack members: they count as zero. With `money_by` shares the proceeds and the
    costs of the pool go by the agreed weights, energy by the meters all the same.
    """
    silent = Metered(imported_wh=0, exported_wh=0)
    meters = [metered.get(idgrid, silent) for idgrid in members]
    sold, bought = shared_energy(line, meters)
    rest_in = [m.imported_wh - wh for m, wh in zip(meters, bought, strict=True)]
    rest_out = [m.exported_wh - wh for m, wh in zip(meters, sold, strict=True)]
    weights = [shares[idgrid] for idgrid in members]

    def money(total: int, by_energy: Sequence[int]) -> list[int]:
        return largest_remainder(claims=weights if money_by == SHARES else by_energy, total=total)

    columns = zip(
        members,
        (m.imported_wh for m in meters),
        (m.exported_wh for m in meters),
        sold,
        bought,
        money(line.received_utoken, sold),
        money(line.paid_utoken, bought),
        money(line.network_charge_utoken, bought),
        money(line.pool_share_utoken, sold),
        rest_in,
        largest_remainder(claims=rest_in, total=line.owed_to_utility_utoken),
        rest_out,
        largest_remainder(claims=rest_out, total=line.owed_by_utility_utoken),
        strict=True,
    )
    return [MemberPart(*column) for column in columns]
