"""TLS between validators that trusts keys, not dates: no certificate's expiry stops consensus.

The channel's configuration records each validator's TLS key. A validator presents a certificate
that it issued itself, named after its key and valid for ever; whoever connects trusts an anchor
with that same name and key, made here from the configuration. TLS libraries check the presented
certificate's signature with the anchor's key and never the anchor's own, so only the holder of the
recorded key is accepted.
"""

import re
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ledger.crypto.certificates import load_x509, require_readable
from ledger.crypto.hashing import sha256
from ledger.crypto.signing import generate_key
from ledger.errors import InvalidMessage, Reason

_NAME_BYTES = 24
_PINNED_NAME = re.compile(rf"[0-9a-f]{{{2 * _NAME_BYTES}}}\.key")
_FROM = datetime(1970, 1, 1)  # noqa: DTZ001 - the X.509 library takes UTC without a zone
_FOR_EVER = datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001


def pinned_name(public_key_der: bytes) -> str:
    """The host name that stands for a TLS key (SubjectPublicKeyInfo)."""
    return f"{sha256(public_key_der)[:_NAME_BYTES].hex()}.key"


def self_issued_certificate(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The certificate (PEM) that the holder of a TLS key presents to other validators."""
    name = pinned_name(_public_der(key.public_key()))
    alternative = x509.SubjectAlternativeName([x509.DNSName(name)])
    builder = _builder(_subject(name, "validator"), _subject(name), key.public_key())
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def trust_anchor(public_key: ec.EllipticCurvePublicKey) -> bytes:
    """A root certificate (PEM) that accepts what the holder of this key issues itself."""
    name = _subject(pinned_name(_public_der(public_key)))
    builder = _builder(name, name, public_key)
    # Nobody checks a root's own signature, and the key that could make it is not here.
    certificate = builder.add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    ).sign(generate_key(), hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def tls_authority(pem: bytes) -> bytes:
    """A member's TLS authority as one certificate in PEM, whatever else stood in `pem`.

    Raises InvalidMessage CERTIFICATE_INVALID when it cannot be read, or has the name of an anchor:
    TLS libraries look an issuer up by its name, so it would keep a validator out.
    """
    certificate = load_x509(pem)
    require_readable(certificate)
    for attribute in certificate.subject:
        name = attribute.value
        # Names are compared without regard to case and blanks around them.
        if isinstance(name, str) and _PINNED_NAME.fullmatch(name.strip().lower()):
            raise InvalidMessage(
                Reason.CERTIFICATE_INVALID,
                f"a TLS authority must not be named like a validator's key: {name}",
            )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(1)
        .not_valid_before(_FROM)
        .not_valid_after(_FOR_EVER)
    )


def _subject(name: str, unit: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if unit is not None:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
    return x509.Name(parts)


def _public_der(public_key: ec.EllipticCurvePublicKey) -> bytes:
    return public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
