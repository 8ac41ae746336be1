"""Whether signers satisfy a signature policy, and which members' peers could.

Fabric's rule: every signer counts once, every signature satisfies at most one leaf, and leaves
take signers greedily in the order of the policy. Peers of Fabric must reach the same verdict, so
there is no search for a better assignment here.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product
from typing import Protocol

from ledger.crypto.msp import Identity
from ledger.errors import InvalidMessage, Reason
from ledger.model.policy import (
    IdentityPrincipal,
    Principal,
    Role,
    Rule,
    SignaturePolicy,
    SignedBy,
)

LAYOUTS_MAX = 1_000
"""Combinations looked at for one rule, so that no policy can make planning slow."""

Layout = frozenset[tuple[str, int]]
"""Peers that together satisfy a policy, one signature each: (MSP id, which of its peers, from 0).

A union of layouts satisfies all of them: one signature may serve several policies.
"""


def is_satisfied(policy: SignaturePolicy, identities: Sequence[Identity]) -> bool:
    """Whether the signers satisfy the policy.

    Signatures and certificates were checked before; two certificates of one key are one signer.
    """
    signers = list({(one.mspid, one.public_key_der): one for one in identities}.values())
    return _take(policy.rule, policy.principals, signers, 0) is not None


def not_satisfied(identities: Sequence[Identity]) -> InvalidMessage:
    """The error for signers who are not enough: POLICY_NOT_SATISFIED with who they are."""
    names = ", ".join(f"{one.mspid}.{one.role.name.lower()}" for one in identities) or "nobody"
    return InvalidMessage(Reason.POLICY_NOT_SATISFIED, f"signed by {names}, which is not enough")


def organization_layouts(policy: SignaturePolicy) -> list[Layout]:
    """Smallest sets of members' peers that satisfy the policy, fewest peers first.

    Ways that need the signature of an admin or client are left out.
    """
    candidates = _layouts(policy.rule, policy.principals)
    # Greedy evaluation may spend a signer where it was not needed: offer only what passes.
    return minimal_layouts([layout for layout in candidates if _peers_satisfy(policy, layout)])


def combined_layouts(
    needed: int, alternatives: Sequence[Sequence[Layout]], *, disjoint: bool
) -> list[Layout]:
    """Layouts that satisfy `needed` of several rules, each with its own layouts.

    `disjoint`: no signature may count for two of the rules (leaves of one signature policy);
    otherwise one signature may serve several (policies of groups below an implicit meta policy).
    """
    ways = (way for some in combinations(alternatives, max(needed, 0)) for way in product(*some))
    join = _side_by_side if disjoint else frozenset[tuple[str, int]]().union
    return [join(*way) for way in islice(ways, LAYOUTS_MAX)]


def layout_of(quantities: Mapping[str, int]) -> Layout:
    """The layout with so many peers of each member (by MSP id)."""
    return frozenset(
        (mspid, which) for mspid, quantity in quantities.items() for which in range(quantity)
    )


def peers_by_member(layout: Layout) -> dict[str, int]:
    """How many peers of each member a layout has, MSP ids ascending."""
    found: dict[str, int] = {}
    for mspid, which in sorted(layout):
        found[mspid] = which + 1
    return found


def minimal_layouts(layouts: Iterable[Layout]) -> list[Layout]:
    """Those without another one inside them, fewest peers first, then by name."""
    ordered = sorted(set(layouts), key=lambda layout: (len(layout), sorted(layout)))
    return [one for one in ordered if not any(other < one for other in ordered)]


class _Signer(Protocol):
    def satisfies(self, principal: Principal | IdentityPrincipal) -> bool: ...


@dataclass(frozen=True, slots=True)
class _PeerOf:
    """Any peer of a member, for planning."""

    mspid: str

    def satisfies(self, principal: Principal | IdentityPrincipal) -> bool:
        return (
            isinstance(principal, Principal)
            and principal.mspid == self.mspid
            and principal.role in (Role.MEMBER, Role.PEER)
        )


def _side_by_side(*layouts: Layout) -> Layout:
    """Every peer of every layout, none of them twice."""
    return layout_of(Counter(mspid for layout in layouts for mspid, _ in layout))


def _peers_satisfy(policy: SignaturePolicy, layout: Layout) -> bool:
    peers = [_PeerOf(mspid) for mspid, _ in sorted(layout)]
    return _take(policy.rule, policy.principals, peers, 0) is not None


def _take(
    rule: Rule,
    principals: tuple[Principal | IdentityPrincipal, ...],
    signers: Sequence[_Signer],
    used: int,
) -> int | None:
    """Bit set of signers used after `rule` took its own; None when it is not satisfied.

    `used` has bit i set when signer i already satisfies a leaf.
    """
    if isinstance(rule, SignedBy):
        principal = principals[rule.principal_index]
        for index, signer in enumerate(signers):
            if not used >> index & 1 and signer.satisfies(principal):
                return used | 1 << index
        return None
    satisfied = 0
    for child in rule.rules:
        after = _take(child, principals, signers, used)
        if after is not None:
            satisfied += 1
            used = after
    return used if satisfied >= rule.n else None


def _layouts(rule: Rule, principals: tuple[Principal | IdentityPrincipal, ...]) -> list[Layout]:
    if isinstance(rule, SignedBy):
        principal = principals[rule.principal_index]
        by_peer = isinstance(principal, Principal) and principal.role in (Role.MEMBER, Role.PEER)
        return [layout_of({principal.mspid: 1})] if by_peer else []
    children = [_layouts(child, principals) for child in rule.rules]
    return combined_layouts(rule.n, children, disjoint=True)
