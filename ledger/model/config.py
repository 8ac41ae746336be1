"""A channel's configuration: members, consenters, block limits and policies.

`ledger.model.config_codec` reads it from and writes it to a Fabric config block. Policies are
kept by their full path (`/Channel/Application/CoopMSP/Endorsement`), as Fabric names them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger.model.policy import IdentityPrincipal, NOutOf, Policy, SignaturePolicy, SignedBy

CHANNEL = "/Channel"
APPLICATION = "/Channel/Application"
ORDERER = "/Channel/Orderer"
DEFAULT_ENDORSEMENT_POLICY = f"{APPLICATION}/Endorsement"
LIFECYCLE_ENDORSEMENT_POLICY = f"{APPLICATION}/LifecycleEndorsement"
READERS_POLICY = f"{CHANNEL}/Readers"
APPLICATION_READERS_POLICY = f"{APPLICATION}/Readers"
WRITERS_POLICY = f"{CHANNEL}/Writers"
ADMINS_POLICY = f"{CHANNEL}/Admins"
BLOCK_VALIDATION_POLICY = f"{ORDERER}/BlockValidation"

MEMBERS_MAX = 100
CONSENTERS_MAX = 100
CERTIFICATES_PER_MEMBER_MAX = 16
REVOCATION_LISTS_PER_MEMBER_MAX = 16
CONFIG_BYTES_MAX = 4 * 1024 * 1024
CONFIG_SIGNATURES_MAX = 2 * MEMBERS_MAX
VALIDATORS_MIN = 4
"""Fewer cannot tolerate one faulty validator (n >= 3f + 1)."""

BLOCK_BYTES_MIN = 64 * 1024
BLOCK_BYTES_MAX = 6 * 1024 * 1024
"""A proposal of such a block, with its last transaction and its proofs, still fits a message."""
ABSOLUTE_BYTES_MIN = 1024 * 1024
"""As much as one transaction may have: a later configuration must still fit a block."""
ABSOLUTE_BYTES_MAX = 8 * 1024 * 1024
BLOCK_INTERVAL_MS_MAX = 3_600_000


@dataclass(frozen=True, slots=True)
class MemberConfig:
    """A member organisation and what vouches for its identities; certificates are PEM.

    Roles come from the certificates' OU (client, peer, admin, orderer). Revocation lists are PEM
    and take effect with the configuration block that carries them.
    """

    mspid: str
    root_certs: tuple[bytes, ...]
    tls_root_certs: tuple[bytes, ...]
    intermediate_certs: tuple[bytes, ...] = ()
    tls_intermediate_certs: tuple[bytes, ...] = ()
    revocation_lists: tuple[bytes, ...] = ()
    in_application: bool = True
    """Endorses and transacts (listed in Fabric's Application group)."""
    in_orderer: bool = True
    """Takes part in ordering (listed in Fabric's Orderer group)."""
    orderer_endpoints: tuple[str, ...] = ()
    """host:port where Fabric's clients and peers reach this member's ordering service."""
    anchor_peers: tuple[tuple[str, int], ...] = ()
    """(host, port) of peers that others' peers and clients may ask first."""


@dataclass(frozen=True, slots=True)
class Consenter:
    """A validator: who it is in blocks, where it listens, and its certificates (PEM)."""

    consenter_id: int
    host: str
    port: int
    mspid: str
    identity_pem: bytes
    client_tls_cert: bytes
    server_tls_cert: bytes


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bounds of one block."""

    max_transactions: int = 500
    max_bytes: int = 2 * 1024 * 1024
    """Soft bound on the entries' bytes; a single larger transaction fills a block of its own."""
    absolute_max_bytes: int = 8 * 1024 * 1024
    """No block and no transaction is larger than this."""


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """Everything the members of a channel have agreed on."""

    channel_id: str
    network_id: str
    """Bound into consensus signatures, so that no vote counts in another network."""
    members: tuple[MemberConfig, ...]
    """Ascending by MSP id."""
    consenters: tuple[Consenter, ...]
    """Ascending by consenter id."""
    policies: Mapping[str, Policy]
    """By full path."""
    batch_limits: BatchLimits = field(default_factory=BatchLimits)
    block_interval_ms: int = 0
    """Least time between blocks; 0: a block as soon as transactions wait."""
    removed_consenter_id: int = 0
    """The highest id a removed validator had, so that no number ever stands for two validators."""
    acls: Mapping[str, str] = field(default_factory=dict)
    """Policy path by API resource, such as `qscc/GetBlockByNumber`."""
    channel_capabilities: tuple[str, ...] = ("V3_0",)
    orderer_capabilities: tuple[str, ...] = ("V2_0",)
    application_capabilities: tuple[str, ...] = ("V2_5",)
    sequence: int = 0
    """How many updates led here; 0 in the genesis block."""

    def child_policy_paths(self, path: str, sub_policy: str) -> tuple[str, ...]:
        """Paths of `sub_policy` in the groups below the group that holds the policy at `path`."""
        group = path.rpartition("/")[0]
        children: tuple[str, ...] = ()
        if group == CHANNEL:
            children = (APPLICATION, ORDERER)
        elif group == APPLICATION:
            children = tuple(f"{group}/{m.mspid}" for m in self.members if m.in_application)
        elif group == ORDERER:
            children = tuple(f"{group}/{m.mspid}" for m in self.members if m.in_orderer)
        return tuple(f"{child}/{sub_policy}" for child in children)


def block_quorum(consenter_count: int) -> int:
    """Block signatures needed: ceil(2n/3), which is also Fabric's ceil((n+f+1)/2)."""
    return -(-2 * consenter_count // 3)


def block_validation_policy(consenters: tuple[Consenter, ...]) -> SignaturePolicy:
    """Fabric's BlockValidation policy: a quorum of exactly these consenters' certificates."""
    return SignaturePolicy(
        rule=NOutOf(
            n=block_quorum(len(consenters)),
            rules=tuple(SignedBy(index) for index in range(len(consenters))),
        ),
        principals=tuple(IdentityPrincipal(c.mspid, c.identity_pem) for c in consenters),
    )
