"""Who must sign: Fabric's signature policies and implicit meta policies as frozen data.

`ledger.model.policy_codec` reads and writes Fabric's bytes, `ledger.crypto.policy_text` the
text form `OutOf(3, 'CoopMSP.peer', ...)`, and `ledger.crypto.policy` decides.
"""

from dataclasses import dataclass
from enum import IntEnum

POLICY_DEPTH_MAX = 16
"""Nested NOutOf in one policy."""
POLICY_LEAVES_MAX = 1_000
"""SignedBy leaves in one policy, and principals."""


class Role(IntEnum):
    """Fabric's MSPRole numbers. MEMBER is satisfied by every valid identity of the member."""

    MEMBER = 0
    ADMIN = 1
    CLIENT = 2
    PEER = 3
    ORDERER = 4


@dataclass(frozen=True, slots=True)
class Principal:
    """Anyone of a member organisation with this role."""

    mspid: str
    role: Role


@dataclass(frozen=True, slots=True)
class IdentityPrincipal:
    """Exactly this certificate (used for block signatures)."""

    mspid: str
    certificate_pem: bytes


@dataclass(frozen=True, slots=True)
class SignedBy:
    """A leaf: one signature of `SignaturePolicy.principals[principal_index]`."""

    principal_index: int


@dataclass(frozen=True, slots=True)
class NOutOf:
    """At least `n` of `rules` must hold; AND is n = len(rules), OR is n = 1."""

    n: int
    rules: "tuple[Rule, ...]"


Rule = SignedBy | NOutOf


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """A tree of rules over a table of principals, laid out as Fabric's SignaturePolicyEnvelope."""

    rule: Rule
    principals: tuple[Principal | IdentityPrincipal, ...]


class MetaRule(IntEnum):
    """Fabric's ImplicitMetaPolicy.Rule numbers; MAJORITY is more than half of the groups."""

    ANY = 0
    ALL = 1
    MAJORITY = 2


@dataclass(frozen=True, slots=True)
class ImplicitMeta:
    """Holds when the policies called `sub_policy` of any, all or most child groups hold."""

    rule: MetaRule
    sub_policy: str


@dataclass(frozen=True, slots=True)
class PolicyReference:
    """A policy of the channel by its path, such as `/Channel/Application/Endorsement`."""

    path: str


Policy = SignaturePolicy | ImplicitMeta
"""What a configuration group may hold under a policy name."""

ApplicationPolicy = SignaturePolicy | PolicyReference
"""What a chaincode definition or a collection may name as its endorsement policy."""
