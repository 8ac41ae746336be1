"""Keys and certificates of a simulated consortium, the same in every process and run.

Validators sign with a keyed hash instead of P-256 unless a run asks for real signatures: the
shipped code sees an object that verifies and DER-shaped signatures with low S, so it does all it
does with real ones except the arithmetic on the curve. Certificates, clients and endorsers are
always real.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from hashlib import blake2b, sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ledger.crypto.hashing import block_hash
from ledger.crypto.signing import CURVE_ORDER, SigningIdentity, is_low_s, to_low_s
from ledger.model.block import Block
from ledger.model.config import ChannelConfig, Consenter, MemberConfig
from ledger.model.policy import Role
from ledger.node.membership.channel import ChannelState, channel_state
from network.founding.genesis import GENESIS_NONCE_BYTES, default_channel_config, genesis_block

CHANNEL_ID = "energy"
NETWORK_ID = "simulation"
START_MS = 1_767_225_600_000
"""Virtual time begins here: 2026-01-01T00:00:00Z."""
SPARE_MEMBERS = 2
"""Members whose nodes are no validators at first, for runs that change the set."""

SIGNATURES_KEPT = 500
"""Of each validator: several nodes verify what one signed, soon afterwards."""

_DETERMINISTIC = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_VALID_FROM = datetime.fromtimestamp(START_MS / 1000, UTC) - timedelta(days=1)
_VALID_TO = _VALID_FROM + timedelta(days=7_000)


class KeyedHashKey:
    """Both halves of a validator's key: signs and verifies with a secret nobody else has."""

    def __init__(self, name: str) -> None:
        self._secret = sha256(name.encode()).digest()
        self.sign = lru_cache(maxsize=SIGNATURES_KEPT)(self._sign)
        self.checks = 0
        """Signatures that shipped code verified with it, by whatever node."""

    def _sign(self, message: bytes) -> bytes:
        """A DER sequence of two positive integers, both far below half the curve's order."""
        digest = blake2b(message, key=self._secret, digest_size=30).digest()
        return b"\x30\x24\x02\x10\x40" + digest[:15] + b"\x02\x10\x40" + digest[15:]

    def verify(self, signature: bytes, message: bytes, _algorithm: object) -> None:
        """Like a public key of `cryptography`."""
        self.checks += 1
        if signature != self.sign(message):
            raise InvalidSignature


class DeterministicSigner:
    """P-256 as RFC 6979 has it, so that a run with real signatures replays exactly."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def sign(self, message: bytes) -> bytes:
        return to_low_s(self._key.sign(message, _DETERMINISTIC))


@dataclass(frozen=True)
class SimMember:
    """One member organisation: its certificates and who signs for it."""

    mspid: str
    config: MemberConfig
    node: SigningIdentity
    next_node: SigningIdentity
    """The node's identity after a change of its key."""
    admin: SigningIdentity
    client: SigningIdentity
    cheap: KeyedHashKey


@dataclass(frozen=True, eq=False)
class SimConsortium:
    """`validators` members whose nodes are consenters 1 to n, and some spare ones after them."""

    members: tuple[SimMember, ...]
    validators: int
    config: ChannelConfig
    genesis: Block
    real_signatures: bool

    @property
    def genesis_hash(self) -> bytes:
        return block_hash(self.genesis.header)

    def member(self, consenter_id: int) -> SimMember:
        return self.members[consenter_id - 1]

    def signer(self, consenter_id: int) -> KeyedHashKey | DeterministicSigner:
        """What a validator signs votes and seals with."""
        member = self.member(consenter_id)
        return member.node.signer if self.real_signatures else member.cheap

    def state(self, block: Block) -> ChannelState:
        """The channel after a configuration block, with the keys that validators really use."""
        state = channel_state(block, genesis_hash=self.genesis_hash)
        if self.real_signatures:
            return state
        cheap = {number: self.member(number).cheap for number in state.validators.ids}
        return replace(state, validators=replace(state.validators, keys=cheap))


@cache
def sim_consortium(validators: int, *, real_signatures: bool = False) -> SimConsortium:
    """Made once per process."""
    members = tuple(_member(index) for index in range(1, validators + SPARE_MEMBERS + 1))
    config = default_channel_config(
        channel_id=CHANNEL_ID,
        network_id=NETWORK_ID,
        members=[member.config for member in members],
        consenters=[consenter_of(members[i - 1], i) for i in range(1, validators + 1)],
    )
    genesis = genesis_block(
        config, timestamp_ns=START_MS * 1_000_000, nonce=bytes(GENESIS_NONCE_BYTES)
    )
    return SimConsortium(members, validators, config, genesis, real_signatures)


def consenter_of(member: SimMember, consenter_id: int) -> Consenter:
    """A member's node as the channel names it."""
    pem = member.node.certificate_pem
    return Consenter(consenter_id, "127.0.0.1", 17_050 + consenter_id, member.mspid, pem, pem, pem)


def _member(index: int) -> SimMember:
    mspid = f"Org{index:02}MSP"
    authority_key = _key(f"{mspid} authority")
    root = _certificate(mspid, "authority", authority_key, mspid, authority_key)

    def identity(name: str, role: Role) -> SigningIdentity:
        key = _key(f"{mspid} {name}")
        pem = _certificate(mspid, name, key, mspid, authority_key, unit=role.name.lower())
        return SigningIdentity(mspid, pem, DeterministicSigner(key))

    return SimMember(
        mspid=mspid,
        config=MemberConfig(mspid=mspid, root_certs=(root,), tls_root_certs=(root,)),
        node=identity("peer", Role.PEER),
        next_node=identity("next peer", Role.PEER),
        admin=identity("admin", Role.ADMIN),
        client=identity("client", Role.CLIENT),
        cheap=KeyedHashKey(f"{mspid} votes"),
    )


def _key(name: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(sha256(name.encode()).digest(), "big") % (CURVE_ORDER - 1) + 1
    return ec.derive_private_key(number, ec.SECP256R1())


def _certificate(
    organization: str,
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    unit: str | None = None,
) -> bytes:
    """PEM; the first serial number that gives a signature with low S."""
    is_authority = unit is None
    for serial in _serial_numbers(f"{organization} {name}"):
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(organization, name, unit))
            .issuer_name(_name(issuer, "authority", None))
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(_VALID_FROM)
            .not_valid_after(_VALID_TO)
            .add_extension(
                x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None),
                critical=True,
            )
            .add_extension(_usage(is_authority=is_authority), critical=True)
        )
        certificate = builder.sign(issuer_key, hashes.SHA256(), ecdsa_deterministic=True)
        if is_low_s(certificate.signature):
            return certificate.public_bytes(serialization.Encoding.PEM)
    raise AssertionError("serial numbers do not end")


def _serial_numbers(name: str) -> Iterator[int]:
    first = int.from_bytes(sha256(name.encode()).digest()[:8], "big")
    yield from range(first, first + 1_000)


def _name(organization: str, name: str, unit: str | None) -> x509.Name:
    parts = [x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization)]
    if unit is not None:
        parts.append(x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
    return x509.Name([*parts, x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
