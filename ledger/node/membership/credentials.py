"""This node's keys and certificates: which ones are in force, and where they lie.

The channel's configuration says which key this validator signs with and which one its connections
use. A key that is to take over lies beside the present one (`peer-next.crt`, `peer-next.key`)
until the configuration names it; a renewed certificate of the same key simply replaces the file.
Neither needs a restart.
"""

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from ledger.crypto.certificates import parse_certificate
from ledger.crypto.pinned_tls import self_issued_certificate, tls_authority, trust_anchor
from ledger.crypto.signing import Signer, SigningIdentity, load_private_key
from ledger.errors import InvalidMessage, NodeFault
from ledger.model.config import ChannelConfig, Consenter
from ledger.node.membership.channel import ChannelState, CurrentChannel
from ledger.node.settings.config import NodeConfig
from ledger.node.settings.key_files import read_bounded, read_private_key
from ledger.rpc.transport import TlsMaterial

log = logging.getLogger(__name__)

NEXT = "-next"
"""What a file's name ends with, before its suffix, when its key is to take over."""


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """A certificate and its key, as read from disk."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    public_key_der: bytes


@dataclass(frozen=True, slots=True)
class _OnDisk:
    """What the files held when they were last read; the pair in use first."""

    identity: list[KeyFiles]
    tls: list[KeyFiles]
    ca_bundle_pem: bytes


@dataclass(frozen=True, slots=True)
class InForce:
    """What the node uses under one configuration; replaced as a whole."""

    identity: SigningIdentity
    client_tls: TlsMaterial
    """For the port of clients: the member's certificate."""
    validator_tls: TlsMaterial
    """For the port of validators: its key, by which alone they know it, and whom it accepts."""
    link_certificate_pem: bytes
    """Presented when calling validators. One that the configuration here does not name yet (or
    has not read of yet, on a ledger that begins anew) calls as any node of its member."""
    is_validator: bool


class Credentials:
    """Read from any thread; renewed when the configuration or the files change."""

    def __init__(self, config: NodeConfig, channel: CurrentChannel) -> None:
        """Raises NodeFault when a file is missing or its key is not the one the channel names."""
        self._config = config
        self._channel = channel
        self._presented: dict[bytes, bytes] = {}
        # Files change on the event loop, the configuration on the consensus thread.
        self._lock = threading.Lock()
        self._stamp = self._files_stamp()
        self._disk = _read_disk(config)
        self._in_force = self._select(channel.state, self._disk)
        channel.subscribe(self._on_channel)

    @property
    def now(self) -> InForce:
        """What to use."""
        return self._in_force

    @property
    def identity(self) -> SigningIdentity:
        """Who this node is in endorsements and in what it orders."""
        return self._in_force.identity

    def reload_changed_files(self) -> bool:
        """Take up files that changed since the last look; keeps the old ones if they are wrong."""
        stamp = self._files_stamp()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            disk = _read_disk(self._config)
            with self._lock:
                self._in_force = self._select(self._channel.state, disk)
                self._disk = disk
        except NodeFault as error:
            log.warning("changed certificate files are not used: %s", error)
            return False
        log.info("certificates were read again")
        return True

    def _on_channel(self, state: ChannelState) -> None:
        """What is in memory will do unless the configuration names a key that is not."""
        with self._lock:
            try:
                self._in_force = self._select(state, self._disk)
            except NodeFault:
                self._disk = _read_disk(self._config)
                self._in_force = self._select(state, self._disk)

    def _select(self, state: ChannelState, disk: _OnDisk) -> InForce:
        config = self._config
        own = _consenter(state.config, config.consenter_id)
        identity = _chosen(
            disk.identity,
            None if own is None else own.identity_pem,
            what=f"{config.identity_certificate} has another key than that",
            consenter_id=config.consenter_id,
        )
        tls = _chosen(
            disk.tls,
            None if own is None else own.server_tls_cert,
            what=f"{config.tls_key} is not the TLS key",
            consenter_id=config.consenter_id,
        )
        client_tls = TlsMaterial(tls.certificate_pem, tls.key_pem, disk.ca_bundle_pem)
        pinned = self._self_issued(tls.key_pem)
        return InForce(
            identity=SigningIdentity(
                config.mspid, identity.certificate_pem, Signer(identity.key_pem)
            ),
            client_tls=client_tls,
            validator_tls=TlsMaterial(pinned, tls.key_pem, accepted_callers(state.config)),
            link_certificate_pem=tls.certificate_pem if own is None else pinned,
            is_validator=own is not None,
        )

    def _self_issued(self, key_pem: bytes) -> bytes:
        """Made once for a key, so that links stay open when something else changes."""
        if key_pem not in self._presented:
            self._presented[key_pem] = self_issued_certificate(load_private_key(key_pem))
        return self._presented[key_pem]

    def _files_stamp(self) -> tuple[int, ...]:
        config = self._config
        pairs = (
            config.identity_certificate,
            config.identity_key,
            config.tls_certificate,
            config.tls_key,
        )
        files = (config.tls_ca_bundle, *pairs, *map(next_file, pairs))
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in files)


class SignerInForce(Signer):
    """Signs with whichever key the configuration names at that moment."""

    def __init__(self, credentials: Credentials) -> None:
        # Not the base class's: there is no one key here.
        self._credentials = credentials

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The key that verifies what is signed now."""
        return self._credentials.identity.signer.public_key

    def sign(self, message: bytes) -> bytes:
        """DER signature with low S over SHA-256 of `message`."""
        return self._credentials.identity.signer.sign(message)


def next_file(path: Path) -> Path:
    """Where the successor of a credential's file lies."""
    return path.with_name(f"{path.stem}{NEXT}{path.suffix}")


def accepted_callers(config: ChannelConfig) -> bytes:
    """Roots (PEM) for the port of validators: each validator's key, and the members' authorities.

    The latter let a member's node in that is no validator: it may follow, no more.
    """
    anchors = {
        trust_anchor(parse_certificate(one.client_tls_cert).public_key)
        for one in config.consenters
    }
    roots = {tls_authority(pem) for member in config.members for pem in member.tls_root_certs}
    return b"".join(sorted(anchors) + sorted(roots))


def _read_disk(config: NodeConfig) -> _OnDisk:
    """Every credential file; raises NodeFault for what cannot be used."""
    try:
        return _OnDisk(
            identity=_candidates(config.identity_certificate, config.identity_key),
            tls=_candidates(config.tls_certificate, config.tls_key),
            ca_bundle_pem=read_bounded(config.tls_ca_bundle),
        )
    except (InvalidMessage, OSError) as error:
        raise NodeFault(f"credentials of {config.member} cannot be read: {error}") from error


def _consenter(config: ChannelConfig, consenter_id: int) -> Consenter | None:
    return next((one for one in config.consenters if one.consenter_id == consenter_id), None)


def _candidates(certificate: Path, key: Path) -> list[KeyFiles]:
    """The pair in use and, if it is there, the one that is to take over.

    While the latter is put in the place of the former, the two files of a pair may differ.
    """
    found = []
    if next_file(certificate).exists() and next_file(key).exists():
        found.append(_read(next_file(certificate), next_file(key)))
    try:
        found.insert(0, _read(certificate, key))
    except NodeFault:
        if not found:
            raise
    return found


def _read(certificate: Path, key: Path) -> KeyFiles:
    pem, key_pem = read_bounded(certificate), read_private_key(key)
    parsed = parse_certificate(pem)
    if parsed.public_key != Signer(key_pem).public_key:
        raise NodeFault(f"{certificate} is not of the key in {key}")
    return KeyFiles(pem, key_pem, parsed.public_key_der)


def _chosen(
    candidates: list[KeyFiles], wanted_pem: bytes | None, *, what: str, consenter_id: int
) -> KeyFiles:
    if wanted_pem is None:
        return candidates[0]
    wanted = parse_certificate(wanted_pem).public_key_der
    for candidate in candidates:
        if candidate.public_key_der == wanted:
            return candidate
    raise NodeFault(f"{what} of consenter {consenter_id} of the channel")
