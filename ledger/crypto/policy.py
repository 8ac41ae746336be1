"""Whether signers satisfy a signature policy. Which peers could: `ledger.crypto.peer_sets`.

Fabric's rule: every signer counts once, every signature satisfies at most one leaf, and leaves
take signers greedily in the order of the policy. Peers of Fabric must reach the same verdict, so
there is no search for a better assignment here.
"""

from collections.abc import Sequence

from ledger.crypto.msp import Identity
from ledger.errors import InvalidMessage, Reason
from ledger.model.policy import IdentityPrincipal, Principal, Rule, SignaturePolicy, SignedBy


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


def _take(
    rule: Rule,
    principals: tuple[Principal | IdentityPrincipal, ...],
    signers: Sequence[Identity],
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
