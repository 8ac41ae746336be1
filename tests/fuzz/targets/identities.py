"""Certificates, signatures, revocation lists and whole members' certificates."""

from dataclasses import replace
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ledger.crypto.certificates import CERTIFICATE_BYTES_MAX, load_authority, parse_certificate
from ledger.crypto.msp import SERIALIZED_IDENTITY_BYTES_MAX, Msp
from ledger.crypto.signing import SIGNATURE_BYTES_MAX, parse_signature, to_low_s, verify_signature
from ledger.errors import InvalidMessage
from tests.fuzz import samples
from tests.fuzz.engine import Attempt, FuzzTarget, Shape

REVOCATION_LIST_BYTES_MAX = 64 * 1024


def _pems() -> list[bytes]:
    member = samples.world().consortium.members[0]
    config = member.authority.member_config()
    signers = (member.node, member.admin, member.client)
    return [*(signer.certificate_pem for signer in signers), *config.root_certs]


def _ders() -> list[bytes]:
    return [x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER) for pem in _pems()]


def _pem_of(der: bytes) -> bytes:
    import base64  # noqa: PLC0415 - only here

    body = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"


def _certificate(pem: bytes) -> None:
    """Read as an identity and as an authority."""
    reasons = []
    for read in (parse_certificate, load_authority):
        try:
            read(pem)
        except InvalidMessage as error:
            reasons.append(error)
    if len(reasons) == 2:
        raise reasons[0]


def _identities() -> Attempt:
    registry = samples.world().consortium.registry()
    return registry.identity


def _members() -> Attempt:
    """A member of the configuration with this revocation list, and with this root."""
    config = samples.world().consortium.members[0].authority.member_config()

    def attempt(raw: bytes) -> None:
        Msp(replace(config, revocation_lists=(raw,)))

    return attempt


def _revocation_lists() -> list[bytes]:
    here = samples.world().consortium
    member = here.members[0]
    now = here.created + timedelta(hours=1)
    return [
        member.authority.revoke([member.client.certificate_pem], now=now),
        member.authority.revoke(
            [member.client.certificate_pem, member.admin.certificate_pem], now=now
        ),
    ]


def _signature(raw: bytes) -> None:
    key = samples.world().client.signer.public_key
    parse_signature(raw)
    verify_signature(key, b"message", to_low_s(raw))


def _signatures() -> list[bytes]:
    client = samples.world().client
    return [client.sign(message) for message in (b"message", b"another", b"")]


TARGETS = (
    FuzzTarget(
        "certificate-der",
        "the inside of a certificate",
        _ders,
        lambda: lambda raw: _certificate(_pem_of(raw)),
        CERTIFICATE_BYTES_MAX,
        shape=Shape.BYTES,
    ),
    FuzzTarget(
        "certificate-pem",
        "a certificate in PEM",
        _pems,
        lambda: _certificate,
        CERTIFICATE_BYTES_MAX,
        shape=Shape.TEXT,
        dictionary=("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----", "\n", "="),
    ),
    FuzzTarget(
        "identity",
        "who signed, as it travels",
        lambda: [
            signer.serialized
            for member in samples.world().consortium.members
            for signer in (member.node, member.client)
        ],
        _identities,
        SERIALIZED_IDENTITY_BYTES_MAX,
    ),
    FuzzTarget(
        "revocation-list",
        "a member with this list of revoked certificates",
        _revocation_lists,
        _members,
        REVOCATION_LIST_BYTES_MAX,
        shape=Shape.TEXT,
    ),
    FuzzTarget(
        "signature",
        "a DER signature",
        _signatures,
        lambda: _signature,
        SIGNATURE_BYTES_MAX + 8,
        shape=Shape.BYTES,
    ),
)
