"""`gridledger network init`: from a plan to authorities, certificates and the genesis block.

Everything is written beside its final place and moved there at the end, so that an interrupted
run leaves nothing that looks like a network.
"""

import secrets
import shutil
from datetime import datetime
from pathlib import Path

from ledger.crypto.hashing import block_hash
from ledger.model.block import Block
from ledger.model.codec_block import encode_block
from ledger.model.config import BatchLimits, Consenter, MemberConfig
from ledger.storage.journal import JOURNAL_FILE, begin_journal
from network.certificates.authority import LOOPBACK_HOSTS, KeyPair, MemberAuthority
from network.certificates.credentials import write_pair
from network.founding.genesis import GENESIS_NONCE_BYTES, default_channel_config, genesis_block
from network.founding.peer_settings import write_peer_settings
from network.layout import MemberLayout, NetworkLayout, make_private_folder, write_new
from network.plan import MemberPlan, PeerPlan, Plan

PEER = "peer"
PEER_TLS = "peer-tls"
ADMIN = "admin"


class CreationError(Exception):
    """The network cannot be made here; the text says why and what to do."""


def create_network(plan: Plan, plan_text: str, *, now: datetime) -> NetworkLayout:
    """Make keys, certificates and block 0 under `plan.data_dir`, which must not exist yet.

    `now` is an aware time; certificates count from it. Raises `CreationError`.
    """
    refuse_existing(plan.data_dir)
    unfinished = plan.data_dir.with_name(plan.data_dir.name + ".unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    layout = NetworkLayout(unfinished)
    make_private_folder(layout.root)
    _write_members(plan, layout, now=now)
    write_new(layout.plan_copy, plan_text.encode("utf-8"), private=False)
    unfinished.rename(plan.data_dir)
    return NetworkLayout(plan.data_dir)


def refuse_existing(data_dir: Path) -> None:
    """Raise unless the folder is absent or empty."""
    if data_dir.exists() and any(data_dir.iterdir()):
        raise CreationError(
            f"{data_dir} is not empty and is never overwritten; "
            "`gridledger network reset --yes-delete-data` deletes a network"
        )
    if data_dir.exists():
        data_dir.rmdir()


def _write_members(plan: Plan, layout: NetworkLayout, *, now: datetime) -> None:
    members: list[MemberConfig] = []
    consenters: list[Consenter] = []
    for member in plan.members:
        folder = layout.member(member.id)
        authority = MemberAuthority.create(
            member.mspid,
            member.name,
            now=now,
            certificate_days=plan.certificate_days,
            subject=member.authority_subject,
        )
        write_authorities(member, folder, authority, now=now)
        members.append(member_config_of(member, authority))
        for peer in member.peers:
            folder = layout.member(peer.id)
            identity, tls = write_peer_credentials(peer, folder, authority, now=now)
            consenters.append(
                consenter_of(
                    peer,
                    identity.certificate_pem,
                    tls.certificate_pem,
                    consenter_id=peer.consenter_id,
                )
            )
            write_peer_settings(plan, peer, folder)
    bundle = b"".join(pem for member in members for pem in member.tls_root_certs)
    write_new(layout.tls_ca_bundle, bundle, private=False)
    config = default_channel_config(
        channel_id=plan.channel_id,
        network_id=plan.name,
        members=members,
        consenters=consenters,
        batch_limits=BatchLimits(
            max_transactions=plan.blocks.max_transactions, max_bytes=plan.blocks.max_bytes
        ),
        block_interval_ms=plan.blocks.min_interval_ms,
    )
    block = genesis_block(
        config,
        timestamp_ns=int(now.timestamp()) * 1_000_000_000,
        nonce=secrets.token_bytes(GENESIS_NONCE_BYTES),
    )
    write_new(layout.genesis_block, encode_block(block), private=False)
    for peer in plan.peers:
        begin_ledger_folder(layout.member(peer.id), block)


def write_authorities(
    member: MemberPlan, folder: MemberLayout, authority: MemberAuthority, *, now: datetime
) -> None:
    """Write a member's authorities and its administrator's credentials."""
    write_pair(folder.authority, authority.enrolment.pair)
    write_pair(folder.tls_authority, authority.tls.pair)
    write_pair(folder.credential(ADMIN), authority.issue_admin(f"admin.{member.id}", now=now))


def write_peer_credentials(
    peer: PeerPlan, folder: MemberLayout, authority: MemberAuthority, *, now: datetime
) -> tuple[KeyPair, KeyPair]:
    """Write a peer's identity and its pair for connections, and return them."""
    identity = authority.issue_node(f"peer.{peer.id}", now=now)
    tls = issue_peer_tls(peer, authority, now=now)
    write_pair(folder.credential(PEER), identity)
    write_pair(folder.credential(PEER_TLS), tls)
    return identity, tls


def issue_peer_tls(peer: PeerPlan, authority: MemberAuthority, *, now: datetime) -> KeyPair:
    """A pair for connections, good for every name the peer is reached by."""
    hosts = (peer.host, peer.external_host, *LOOPBACK_HOSTS)
    return authority.issue_tls(f"peer.{peer.id}", hosts, now=now)


def member_config_of(member: MemberPlan, authority: MemberAuthority) -> MemberConfig:
    """How the channel configuration names a member of the plan.

    Its peers' addresses stand in the order of their consenter ids: that says whose each one is.
    """
    peers = sorted(member.peers, key=lambda peer: peer.consenter_id)
    return authority.member_config(
        orderer_endpoints=tuple(peer.external_address for peer in peers),
        anchor_peers=tuple((peer.external_host, peer.port) for peer in peers),
    )


def consenter_of(
    peer: PeerPlan, identity_pem: bytes, tls_pem: bytes, *, consenter_id: int
) -> Consenter:
    """How the channel configuration names a validator."""
    return Consenter(
        consenter_id=consenter_id,
        host=peer.host,
        port=peer.validator_port,
        mspid=peer.mspid,
        identity_pem=identity_pem,
        client_tls_cert=tls_pem,
        server_tls_cert=tls_pem,
    )


def begin_ledger_folder(folder: MemberLayout, genesis: Block) -> None:
    """Write the birth of a validator's journal: one that is missing later means lost memory."""
    make_private_folder(folder.ledger_dir)
    begin_journal(folder.ledger_dir / JOURNAL_FILE, genesis_hash=block_hash(genesis.header))
