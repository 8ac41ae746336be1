"""A member's own folder: made for one that joins, and its credentials as they change."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ledger.crypto.certificates import parse_certificate
from ledger.crypto.signing import Signer
from ledger.model.codec_block import decode_block
from ledger.model.config import ChannelConfig, Consenter, MemberConfig
from ledger.node.membership.credentials import next_file
from network.certificates.authority import KeyPair, MemberAuthority
from network.certificates.credentials import member_authority
from network.founding.creation import (
    PEER,
    PEER_TLS,
    begin_ledger_folder,
    consenter_of,
    issue_peer_tls,
    member_config_of,
    write_authorities,
    write_peer_credentials,
)
from network.founding.peer_settings import write_peer_settings
from network.layout import (
    Credential,
    MemberLayout,
    NetworkLayout,
    make_private_folder,
    write_replacing,
)
from network.plan import MemberPlan, PeerPlan, Plan


def prepare_member(
    plan: Plan, member: MemberPlan, layout: NetworkLayout, *, now: datetime
) -> bool:
    """Keys, certificates and empty ledger folders for a member of the plan that has none.

    Its TLS authority joins the bundle that clients trust. Returns False when the folder exists.
    """
    folder = layout.member(member.id)
    if folder.credential(PEER).certificate.exists():
        return False
    authority = MemberAuthority.create(
        member.mspid,
        member.name,
        now=now,
        certificate_days=plan.certificate_days,
        subject=member.authority_subject,
    )
    write_authorities(member, folder, authority, now=now)
    for peer in member.peers:
        prepare_peer(plan, peer, layout, authority, now=now)
    bundle = layout.tls_ca_bundle.read_bytes()
    write_replacing(layout.tls_ca_bundle, bundle + authority.tls.certificate_pem)
    return True


def prepare_peer(
    plan: Plan,
    peer: PeerPlan,
    layout: NetworkLayout,
    authority: MemberAuthority,
    *,
    now: datetime,
) -> bool:
    """Keys, certificates and an empty ledger folder for one peer; False when it has them."""
    folder = layout.member(peer.id)
    if folder.credential(PEER).certificate.exists():
        return False
    write_peer_credentials(peer, folder, authority, now=now)
    begin_ledger_folder(folder, decode_block(layout.genesis_block.read_bytes()))
    write_peer_settings(plan, peer, folder)
    return True


def joining_member(plan: Plan, member: MemberPlan, layout: NetworkLayout) -> MemberConfig:
    """What the channel configuration says of an organisation that joins."""
    return member_config_of(member, member_authority(plan, member.id, layout))


def present_consenter(peer: PeerPlan, layout: NetworkLayout, consenter_id: int) -> Consenter:
    """The validator as its folder has it: with the next keys where there are any."""
    folder = layout.member(peer.id)
    identity = _newest(folder.credential(PEER))
    tls = _newest(folder.credential(PEER_TLS))
    return consenter_of(peer, identity.read_bytes(), tls.read_bytes(), consenter_id=consenter_id)


def prepare_next_keys(plan: Plan, peer: PeerPlan, layout: NetworkLayout, *, now: datetime) -> None:
    """New keys for the validator beside the present ones, to take over by configuration."""
    folder, authority = layout.member(peer.id), member_authority(plan, peer.member_id, layout)
    _write_next(folder.credential(PEER), authority.issue_node(f"peer.{peer.id}", now=now))
    _write_next(folder.credential(PEER_TLS), issue_peer_tls(peer, authority, now=now))


def finish_rotation(peer: PeerPlan, layout: NetworkLayout, config: ChannelConfig) -> bool:
    """Put the next keys in the place of the old ones once the channel names them."""
    folder = layout.member(peer.id)
    keys = {
        parse_certificate(pem).public_key_der
        for one in config.consenters
        if one.mspid == peer.mspid
        for pem in (one.identity_pem, one.server_tls_cert)
    }
    finished = False
    for name in (PEER, PEER_TLS):
        present = folder.credential(name)
        certificate, key = next_file(present.certificate), next_file(present.key)
        if not (certificate.exists() and key.exists()):
            continue
        pem = certificate.read_bytes()
        if parse_certificate(pem).public_key_der not in keys:
            continue
        # A crash in between leaves a whole pair under the other name.
        write_replacing(present.key, key.read_bytes())
        write_replacing(present.certificate, pem)
        certificate.unlink()
        key.unlink()
        finished = True
    return finished


def renew(plan: Plan, peer: PeerPlan, layout: NetworkLayout, name: str, *, now: datetime) -> Path:
    """Replace a certificate by one of the same key with a new period; the file's path."""
    place = layout.member(peer.id).credential(name)
    authority = member_authority(plan, peer.member_id, layout)
    write_replacing(
        place.certificate, authority.renew(place.certificate.read_bytes(), now=now), mode=0o644
    )
    return place.certificate


def credential_names(folder: MemberLayout) -> Iterator[str]:
    """Names of the certificates in a member's folder."""
    for path in sorted((folder.root / "credentials").glob("*.crt")):
        yield path.stem


def _newest(place: Credential) -> Path:
    candidate = next_file(place.certificate)
    return candidate if candidate.exists() and next_file(place.key).exists() else place.certificate


def _write_next(place: Credential, pair: KeyPair) -> None:
    assert Signer(pair.key_pem).public_key == parse_certificate(pair.certificate_pem).public_key
    make_private_folder(place.key.parent)
    write_replacing(next_file(place.key), pair.key_pem)
    write_replacing(next_file(place.certificate), pair.certificate_pem, mode=0o644)
