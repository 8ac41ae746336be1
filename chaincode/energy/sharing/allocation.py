"""How one slot's energy is shared by a key: a pure rule with the auction's own rationing.

At most min(produced, consumed) is shared in a slot. What members fed in counts in proportion,
whoever uses it; everything is exact in Wh, ties go by the order of the members.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from chaincode.energy.market.rationing import first_come, largest_remainder
from chaincode.energy.sharing.records import KeyKind


@dataclass(frozen=True, slots=True)
class Member:
    """One member's metered slot in Wh, and its place in the key."""

    consumed_wh: int
    produced_wh: int
    part: int = 0
    rank: int = 0


@dataclass(frozen=True, slots=True)
class SlotShares:
    """Wh taken from and given to the community, in the order of the members."""

    taken_wh: list[int]
    given_wh: list[int]


def share_slot(kind: KeyKind, members: Sequence[Member]) -> SlotShares:
    """Share one slot; both sides sum to the same. Raises `ValueError` for negative energy."""
    consumed = [member.consumed_wh for member in members]
    produced = [member.produced_wh for member in members]
    if min([*consumed, *produced], default=0) < 0:
        raise ValueError("energy must not be negative")
    if kind is KeyKind.STATIC:
        taken = _by_parts(members, sum(produced))
    elif kind is KeyKind.DYNAMIC:
        taken = largest_remainder(claims=consumed, total=min(sum(consumed), sum(produced)))
    else:
        taken = _by_rank(members, sum(produced))
    return SlotShares(taken, largest_remainder(claims=produced, total=sum(taken)))


def _by_parts(members: Sequence[Member], produced_wh: int) -> list[int]:
    parts = [member.part for member in members]
    if not sum(parts):
        return [0] * len(members)
    entitled = largest_remainder(claims=parts, total=produced_wh)
    return [min(own, member.consumed_wh) for own, member in zip(entitled, members, strict=True)]


def _by_rank(members: Sequence[Member], produced_wh: int) -> list[int]:
    """First come, first served by rank; members of one rank share in proportion."""
    order = sorted(range(len(members)), key=lambda at: members[at].rank)
    ranks = [list(group) for _, group in groupby(order, key=lambda at: members[at].rank)]
    claims = [[members[at].consumed_wh for at in group] for group in ranks]
    served = first_come(claims=[sum(claim) for claim in claims], total=produced_wh)
    taken = [0] * len(members)
    for group, claim, total in zip(ranks, claims, served, strict=True):
        for at, share in zip(group, largest_remainder(claims=claim, total=total), strict=True):
            taken[at] = share
    return taken
