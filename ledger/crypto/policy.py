"""Whether signers satisfy a signature policy, and which members' peers could.

Fabric's rule: every signer counts once, every signature satisfies at most one leaf, and leaves
take signers greedily in the order of the policy. Peers of Fabric must reach the same verdict, so
there is no search for a better assignment here.
"""

from collections.abc import Sequence
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

Layout = frozenset[str]
"""Members (MSP ids) whose peers together satisfy a policy, one signature each."""


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
    """Smallest sets of members whose peers satisfy the policy, fewest members first.

    A layout has one peer of each member, so ways that need two signatures of one member, or the
    signature of an admin or client, are left out.
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
    found = []
    for way in islice(ways, LAYOUTS_MAX):
        members = frozenset[str]().union(*way)
        if not disjoint or len(members) == sum(len(layout) for layout in way):
            found.append(members)
    return found


def minimal_layouts(layouts: Sequence[Layout]) -> list[Layout]:
    """Those without another one inside them, fewest members first, then by name."""
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


def _peers_satisfy(policy: SignaturePolicy, layout: Layout) -> bool:
    peers = [_PeerOf(mspid) for mspid in sorted(layout)]
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
        return [frozenset((principal.mspid,))] if by_peer else []
    children = [_layouts(child, principals) for child in rule.rules]
    return combined_layouts(rule.n, children, disjoint=True)
