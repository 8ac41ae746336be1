"""A ready four-member consortium in memory: authorities, nodes, admins, clients, configuration.

`consortium()` is made once per test process (a few milliseconds) and is never changed; tests that
need another authority, an expired certificate or a revocation make their own.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from ledger.crypto.msp import Identity, MspRegistry
from ledger.crypto.signing import SigningIdentity
from ledger.model.block import Block
from ledger.model.config import ChannelConfig, Consenter
from network.certificates.authority import KeyPair, MemberAuthority
from network.founding.genesis import GENESIS_NONCE_BYTES, default_channel_config, genesis_block

CHANNEL_ID = "energy"
NETWORK_ID = "test-network"
COOPERATIVE, MUNICIPALITY, GRID_OPERATOR, UTILITY = (
    "CoopMSP",
    "MunicipalityMSP",
    "DsoMSP",
    "UtilityMSP",
)
ORGANIZATIONS = {
    COOPERATIVE: "Energy cooperative",
    MUNICIPALITY: "Municipality",
    GRID_OPERATOR: "Distribution grid operator",
    UTILITY: "Utility",
}
MSPIDS = tuple(ORGANIZATIONS)
FIRST_PORT = 17051
THREE_OF_FOUR = "OutOf(3, " + ", ".join(f"'{mspid}.peer'" for mspid in MSPIDS) + ")"


@dataclass(frozen=True)
class ConsortiumMember:
    """One member: its authorities and one node, admin and client, keys included."""

    authority: MemberAuthority
    consenter_id: int
    port: int
    node: SigningIdentity
    node_keys: KeyPair
    admin: SigningIdentity
    client: SigningIdentity
    tls: KeyPair

    @property
    def mspid(self) -> str:
        return self.authority.mspid


@dataclass(frozen=True)
class Consortium:
    """Everything a test needs to sign and to be believed."""

    members: tuple[ConsortiumMember, ...]
    config: ChannelConfig
    genesis: Block
    created: datetime

    def member(self, mspid: str) -> ConsortiumMember:
        return next(member for member in self.members if member.mspid == mspid)

    def registry(self) -> MspRegistry:
        return MspRegistry(self.config)

    def identity(self, signer: SigningIdentity) -> Identity:
        return self.registry().identity(signer.serialized)

    def nodes(self, count: int = 4) -> list[SigningIdentity]:
        return [member.node for member in self.members[:count]]

    def participant(self, idgrid: str, role: str = "prosumer") -> SigningIdentity:
        """A household of the cooperative with its attributes in the certificate."""
        authority = self.member(COOPERATIVE).authority
        pair = authority.issue_client(idgrid, {"idgrid": idgrid, "role": role}, now=self.created)
        return authority.signing_identity(pair)


@cache
def consortium() -> Consortium:
    """The shared consortium; certificates are valid now."""
    return make_consortium(datetime.now(UTC))


def make_consortium(now: datetime) -> Consortium:
    """A consortium of its own, with certificates valid from `now`."""
    members = tuple(_member(mspid, index, now=now) for index, mspid in enumerate(ORGANIZATIONS))
    config = default_channel_config(
        channel_id=CHANNEL_ID,
        network_id=NETWORK_ID,
        members=[
            member.authority.member_config(orderer_endpoints=(f"127.0.0.1:{member.port}",))
            for member in members
        ],
        consenters=[_consenter(member) for member in members],
    )
    genesis = genesis_block(
        config,
        timestamp_ns=int(now.timestamp()) * 1_000_000_000,
        nonce=bytes(GENESIS_NONCE_BYTES),
    )
    return Consortium(members=members, config=config, genesis=genesis, created=now)


def _member(mspid: str, index: int, *, now: datetime) -> ConsortiumMember:
    authority = MemberAuthority.create(mspid, ORGANIZATIONS[mspid], now=now)
    node = authority.issue_node("peer", now=now)
    return ConsortiumMember(
        authority=authority,
        consenter_id=index + 1,
        port=FIRST_PORT + index,
        node=authority.signing_identity(node),
        node_keys=node,
        admin=authority.signing_identity(authority.issue_admin("admin", now=now)),
        client=authority.signing_identity(authority.issue_client("client", now=now)),
        tls=authority.issue_tls(f"peer.{mspid.lower()}", now=now),
    )


def _consenter(member: ConsortiumMember) -> Consenter:
    return Consenter(
        consenter_id=member.consenter_id,
        host="127.0.0.1",
        port=member.port,
        mspid=member.mspid,
        identity_pem=member.node.certificate_pem,
        client_tls_cert=member.tls.certificate_pem,
        server_tls_cert=member.tls.certificate_pem,
    )
