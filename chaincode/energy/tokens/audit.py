"""All money of the community added up, in as many parts as a peer's limit on reads asks for."""

from collections.abc import Mapping
from dataclasses import dataclass

from chaincode.energy import keys
from chaincode.energy.arguments import bad
from chaincode.energy.community import STAFF
from chaincode.energy.tokens.records import Account, Deposit, Escrow, Payout, Redemption
from chaincode.energy.world import World

AUDITED_KEYS_MAX = 9_000
"""Keys of one part: a peer reads 10,000 for one call at most."""
MoneyRecord = Account | Deposit | Escrow | Payout | Redemption
KINDS: dict[str, type[MoneyRecord]] = {
    "account": Account,
    "deposit": Deposit,
    "escrow": Escrow,
    "payout": Payout,
    "redemption": Redemption,
}
"""First part of a key -> what lies there, in the order of the keys."""


@dataclass(frozen=True, slots=True)
class Audit:
    """Money in micro-tokens; it is conserved if `difference_utoken` is 0.

    `following` is empty when everything is added up. Otherwise this is a part: the next call
    begins after that key, and the sum of all parts counts, seen at one height.
    """

    deposited_utoken: int
    redeemed_utoken: int
    free_utoken: int
    payouts_utoken: int
    escrowed_utoken: int
    difference_utoken: int
    following: str = ""


async def audit(world: World, *, after: str = "") -> Audit:
    """Add up the money in the state, behind the key `after`; for staff."""
    await world.require_role(STAFF)
    sums, following = await _sums(world, after)
    return audited(sums, following)


def audited(sums: Mapping[str, int], following: str = "") -> Audit:
    """The audit of micro-tokens by kind of record, one for each of `KINDS`."""
    deposited, redeemed = sums["deposit"], sums["redemption"]
    held = sums["account"] + sums["payout"] + sums["escrow"]
    return Audit(
        deposited_utoken=deposited,
        redeemed_utoken=redeemed,
        free_utoken=sums["account"],
        payouts_utoken=sums["payout"],
        escrowed_utoken=sums["escrow"],
        difference_utoken=deposited - redeemed - held,
        following=following,
    )


async def _sums(world: World, after: str) -> tuple[dict[str, int], str]:
    """Micro-tokens by kind, and the last key looked at if there may be more."""
    kinds = list(KINDS)
    begin = keys.first_part(after) if after else kinds[0]
    if begin not in kinds:
        bad("after is no key of money")
    sums, left = dict.fromkeys(kinds, 0), AUDITED_KEYS_MAX
    for kind in kinds[kinds.index(begin) :]:
        first, end = keys.under(kind)
        if after and kind == begin:
            first = keys.following(after)
        found = await world.scan(KINDS[kind], (first, end), limit=left)
        sums[kind] = sum(money_in(record) for _, record in found)
        left -= len(found)
        if not left:
            return sums, found[-1][0]
    return sums, ""


def money_in(record: MoneyRecord) -> int:
    """Micro-tokens that a record stands for."""
    match record:
        case Account():
            return record.balance_utoken
        case Escrow():
            return record.locked_utoken
        case _:
            return record.amount_utoken
