"""Certificates of a network and how long they are still good: on disk and in the channel."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from cryptography import x509

from ledger.crypto.certificates import load_x509
from ledger.model.config import ChannelConfig, Consenter
from ledger.node.membership.certificate_watch import WARNING_DAYS
from network.layout import NetworkLayout
from network.membership.folder import credential_names
from network.plan import Plan

RevokedId: TypeAlias = tuple[x509.Name, int]
"""Issuer and serial number."""


@dataclass(frozen=True, slots=True)
class Held:
    """One certificate and where it is."""

    member: str
    """Member id or MSP id."""
    name: str
    certificate: x509.Certificate
    place: str
    only_its_key_counts: bool = False
    """Nobody asks for its dates: consensus and connections between validators go by keys."""


def folder_certificates(plan: Plan, layout: NetworkLayout) -> Iterator[Held]:
    """Authorities and credentials in the members' folders of this machine."""
    for peer in plan.peers:
        folder = layout.member(peer.id)
        files: list[tuple[str, Path]] = [
            ("ca", folder.authority.certificate),
            ("tlsca", folder.tls_authority.certificate),
        ]
        files += [(name, folder.credential(name).certificate) for name in credential_names(folder)]
        for name, path in files:
            if path.exists():
                yield Held(peer.id, name, load_x509(path.read_bytes()), "folder")


def config_certificates(config: ChannelConfig) -> Iterator[Held]:
    """Authorities and validators' certificates in the channel's configuration."""
    for member in config.members:
        for name, pems in (
            ("ca", member.root_certs),
            ("intermediate ca", member.intermediate_certs),
            ("tlsca", member.tls_root_certs),
        ):
            for pem in pems:
                yield Held(member.mspid, name, load_x509(pem), "channel")
    for consenter in config.consenters:
        yield from channel_certificates(consenter)


def channel_certificates(consenter: Consenter) -> Iterator[Held]:
    """A validator's identity and TLS certificates as the channel records them."""
    name = f"validator {consenter.consenter_id}"
    identity, tls = load_x509(consenter.identity_pem), load_x509(consenter.server_tls_cert)
    yield Held(consenter.mspid, name, identity, "channel", only_its_key_counts=True)
    yield Held(consenter.mspid, f"{name} tls", tls, "channel", only_its_key_counts=True)


def revoked_id(certificate: x509.Certificate) -> RevokedId:
    """What a revocation list would call it."""
    return certificate.issuer, certificate.serial_number


def revoked_ids(config: ChannelConfig) -> frozenset[RevokedId]:
    """Everything on the members' revocation lists; the channel has checked who signed these."""
    lists = (
        x509.load_pem_x509_crl(pem) for member in config.members for pem in member.revocation_lists
    )
    return frozenset((one.issuer, entry.serial_number) for one in lists for entry in one)


def days_left(held: Held, now: datetime | None = None) -> int:
    """Whole days until it expires; negative once it has."""
    moment = datetime.now(tz=UTC) if now is None else now
    return (held.certificate.not_valid_after_utc - moment) // timedelta(days=1)


def expiring(plan: Plan, layout: NetworkLayout) -> Iterator[str]:
    """One sentence for each certificate on this machine that ends soon or has ended."""
    for held in folder_certificates(plan, layout):
        left = days_left(held)
        if left < WARNING_DAYS[0]:
            when = "has expired" if left < 0 else f"expires in {left} days"
            yield (
                f"{held.member}: certificate {held.name} {when}; "
                f"renew it: gridledger cert rotate {held.member}"
            )
