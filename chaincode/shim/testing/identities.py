"""Keys, certificates and authorities of test members, of Fabric's form.

They follow from the names alone, so the same test has the same identities and transaction ids
every time. Everybody can compute the keys: never use them outside a test.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.crypto.certificates import ATTRIBUTES_OID, encode_attributes
from ledger.crypto.signing import CURVE_ORDER, is_low_s, to_low_s
from ledger.model.codec_header import encode_identity
from ledger.model.config import MemberConfig

BEGIN = datetime(2000, 1, 1, tzinfo=UTC)
VALIDITY = timedelta(days=36_500)
SERIAL_BYTES = 16
AUTHORITIES_CACHED_MAX = 1_000
_ALGORITHM = ECDSA(SHA256(), deterministic_signing=True)


@dataclass(frozen=True, slots=True)
class TestIdentity:
    """A certificate, its key and the SerializedIdentity bytes a transaction carries."""

    __test__ = False  # not a test case, whatever its name says to pytest

    mspid: str
    name: str
    creator: bytes
    certificate_pem: bytes
    private_key: EllipticCurvePrivateKey | None
    """None: an impersonated identity, whose signature the test ledger does not ask for."""

    @property
    def public_key(self) -> bytes:
        """Uncompressed P-256 point."""
        certificate = x509.load_pem_x509_certificate(self.certificate_pem)
        return certificate.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self, message: bytes) -> bytes:
        """DER signature over SHA-256 of the message, low S."""
        if self.private_key is None:
            return b"impersonated"
        return to_low_s(self.private_key.sign(message, _ALGORITHM))


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: EllipticCurvePrivateKey


def make_identity(
    mspid: str, name: str, attributes: Mapping[str, str] | None = None, role: str = "client"
) -> TestIdentity:
    """An identity of a member; `role` becomes the subject's organisational unit (NodeOU)."""
    attributes = dict(attributes or {})
    key = _key("identity", mspid, name, role, str(sorted(attributes.items())))
    authority = _authority(mspid)
    builder = (
        _builder(_name(name, role), authority.certificate.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_authority=False), critical=True)
    )
    if attributes:
        content = encode_attributes(attributes)
        builder = builder.add_extension(
            x509.UnrecognizedExtension(ATTRIBUTES_OID, content), critical=False
        )
    pem = _issue(builder, authority.key).public_bytes(Encoding.PEM)
    return TestIdentity(mspid, name, encode_identity(mspid, pem), pem, key)


def impersonated(mspid: str, certificate_pem: bytes) -> TestIdentity:
    """Anyone's certificate, without its key."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    name = certificate.subject.rfc4514_string()
    return TestIdentity(
        mspid, name, encode_identity(mspid, certificate_pem), certificate_pem, None
    )


def member_config(mspid: str) -> MemberConfig:
    """How the test channel's configuration names a member."""
    pem = _authority(mspid).certificate.public_bytes(Encoding.PEM)
    return MemberConfig(mspid=mspid, root_certs=(pem,), tls_root_certs=(pem,))


@lru_cache(maxsize=AUTHORITIES_CACHED_MAX)
def _authority(mspid: str) -> _Authority:
    key = _key("authority", mspid)
    name = _name(f"ca.{mspid}", None)
    builder = (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
    )
    return _Authority(_issue(builder, key), key)


def _key(*names: str) -> EllipticCurvePrivateKey:
    seed = hashlib.sha256("\0".join(("gridledger test key", *names)).encode()).digest()
    return derive_private_key(1 + int.from_bytes(seed, "big") % (CURVE_ORDER - 1), SECP256R1())


def _issue(
    builder: x509.CertificateBuilder, authority: EllipticCurvePrivateKey
) -> x509.Certificate:
    """Signed with low S: another serial number gives another signature."""
    for serial_number in count(1):
        certificate = builder.serial_number(serial_number).sign(
            authority, SHA256(), ecdsa_deterministic=True
        )
        if is_low_s(certificate.signature):
            return certificate
    raise AssertionError("count() does not end")


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .not_valid_before(BEGIN)
        .not_valid_after(BEGIN + VALIDITY)
    )


def _name(common_name: str, unit: str | None) -> x509.Name:
    parts = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)]
    if unit is not None:
        parts.insert(0, x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
    return x509.Name(parts)


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
