"""X.509 certificates of members: read once, checked against their issuer, roles and attributes.

No clock is read here: validity is data, and whoever asks brings the time.
"""

import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from ledger.errors import InvalidMessage, Reason

CERTIFICATE_BYTES_MAX = 16 * 1024
ATTRIBUTES_BYTES_MAX = 4 * 1024
ATTRIBUTES_OID = x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1")
"""Fabric's extension with `{"attrs": {name: value}}`, readable by chaincode."""

_CA_CURVES = (ec.SECP256R1, ec.SECP384R1)
_CA_HASHES = (hashes.SHA256, hashes.SHA384)
_CA_EXTENSIONS = (x509.BasicConstraints, x509.KeyUsage)
_IDENTITY_EXTENSIONS = (*_CA_EXTENSIONS, x509.ExtendedKeyUsage, x509.SubjectAlternativeName)

# What the X.509 library raises for damaged or exotic certificates, some of it only when a field is
# first looked at.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    CryptographyDeprecationWarning,
)

E = TypeVar("E", bound=x509.ExtensionType)

# Names may have parts longer or shorter than RFC 5280 has them (a country of two letters, a common
# name of 64): Fabric takes them. The library takes them too, and warns each time one is read.
warnings.filterwarnings("ignore", "Attribute's length must be", UserWarning)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A parsed identity certificate with a P-256 key; its issuer is not checked yet."""

    pem: bytes
    der: bytes
    subject: str
    """Distinguished name as RFC 4514 text."""
    issuer: str
    serial_number: int
    public_key: ec.EllipticCurvePublicKey
    public_key_der: bytes
    """SubjectPublicKeyInfo: the same for renewed certificates of one key."""
    not_before_ms: int
    not_after_ms: int
    """Validity, both ends included, in milliseconds since 1970 UTC."""
    organizational_units: tuple[str, ...]
    attributes: Mapping[str, str]
    x509: x509.Certificate


def parse_certificate(pem: bytes) -> Certificate:
    """Read an identity certificate; InvalidMessage CERTIFICATE_INVALID when it cannot be one."""
    try:
        return _read_identity(pem, load_x509(pem))
    except UNREADABLE as error:
        raise _invalid(f"not readable: {error}") from None


def _read_identity(pem: bytes, certificate: x509.Certificate) -> Certificate:
    _refuse_unknown_critical(certificate, _IDENTITY_EXTENSIONS)
    public_key = _identity_key(certificate)
    constraints = extension(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise _invalid("an authority's certificate is not an identity")
    usage = extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise _invalid("the key usage does not allow signatures")
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return Certificate(
        pem=pem,
        der=certificate.public_bytes(serialization.Encoding.DER),
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial_number=certificate.serial_number,
        public_key=public_key,
        public_key_der=public_key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        not_before_ms=milliseconds(certificate.not_valid_before_utc),
        not_after_ms=milliseconds(certificate.not_valid_after_utc),
        organizational_units=tuple(str(unit.value) for unit in units),
        attributes=_attributes(certificate),
        x509=certificate,
    )


def load_x509(pem: bytes) -> x509.Certificate:
    """Any certificate in PEM; InvalidMessage CERTIFICATE_INVALID when it does not parse."""
    if len(pem) > CERTIFICATE_BYTES_MAX:
        raise _invalid(f"larger than {CERTIFICATE_BYTES_MAX} bytes")
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        serial_number = certificate.serial_number
    except UNREADABLE as error:
        raise _invalid(f"not a certificate in PEM: {error}") from None
    # RFC 5280 4.1.2.2; the library only warns, and may refuse it one day.
    if serial_number <= 0:
        raise _invalid("the serial number is not positive")
    return certificate


def load_authority(pem: bytes) -> x509.Certificate:
    """A CA certificate: may sign certificates, ECDSA key on P-256 or P-384."""
    certificate = load_x509(pem)
    try:
        _check_authority(certificate)
    except UNREADABLE as error:
        raise _invalid(f"not readable: {error}") from None
    return certificate


def require_readable(certificate: x509.Certificate) -> None:
    """Raise InvalidMessage unless name and validity can be read; the library reads them late."""
    try:
        for name in (certificate.subject, certificate.issuer):
            name.rfc4514_string()
        for time in (certificate.not_valid_before_utc, certificate.not_valid_after_utc):
            milliseconds(time)
    except UNREADABLE as error:
        raise _invalid(f"not readable: {error}") from None


def _check_authority(certificate: x509.Certificate) -> None:
    require_readable(certificate)
    _refuse_unknown_critical(certificate, _CA_EXTENSIONS)
    constraints = extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise _invalid("the authority's certificate is not marked as a CA")
    usage = extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise _invalid("the authority's key usage does not allow certificates")
    _ca_key(certificate)


def is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether `authority` signed `certificate` with ECDSA over SHA-256 or SHA-384."""
    try:
        if not isinstance(certificate.signature_hash_algorithm, _CA_HASHES):
            return False
        certificate.verify_directly_issued_by(authority)
    except (*UNREADABLE, InvalidSignature):
        return False
    return True


def encode_attributes(attributes: Mapping[str, str]) -> bytes:
    """Content of the attribute extension; the same bytes for the same attributes."""
    raw = json.dumps(
        {"attrs": dict(attributes)}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode("utf-8")
    if len(raw) > ATTRIBUTES_BYTES_MAX:
        raise InvalidMessage(
            Reason.OVERSIZED, f"attributes take {len(raw)} of {ATTRIBUTES_BYTES_MAX} bytes"
        )
    return raw


def extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    """The extension of that kind, if the certificate has it."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def milliseconds(time: datetime) -> int:
    """Milliseconds since 1970 UTC of an aware time (certificates have whole seconds)."""
    return int(time.timestamp()) * 1000


def _identity_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = _elliptic_key(certificate)
    if not isinstance(key.curve, ec.SECP256R1):
        raise _invalid(f"the key is on {key.curve.name}, P-256 is needed")
    return key


def _ca_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = _elliptic_key(certificate)
    if not isinstance(key.curve, _CA_CURVES):
        raise _invalid(f"the authority's key is on {key.curve.name}, P-256 or P-384 is needed")
    return key


def _elliptic_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _invalid(f"the public key is not usable: {error}") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise _invalid("the key is not an elliptic curve key, P-256 is needed")
    return key


def _refuse_unknown_critical(
    certificate: x509.Certificate, understood: Iterable[type[x509.ExtensionType]]
) -> None:
    """RFC 5280 4.2: a critical extension that is not processed makes a certificate unusable."""
    try:
        extensions = list(certificate.extensions)
    except ValueError as error:
        raise _invalid(f"the extensions do not parse: {error}") from None
    for item in extensions:
        if item.critical and not isinstance(item.value, tuple(understood)):
            raise _invalid(f"critical extension {item.oid.dotted_string} is not understood")


def _attributes(certificate: x509.Certificate) -> Mapping[str, str]:
    try:
        value = certificate.extensions.get_extension_for_oid(ATTRIBUTES_OID).value
    except x509.ExtensionNotFound:
        return {}
    if not isinstance(value, x509.UnrecognizedExtension):
        raise _invalid("the attribute extension is of another kind")
    if len(value.value) > ATTRIBUTES_BYTES_MAX:
        raise _invalid(f"attributes are larger than {ATTRIBUTES_BYTES_MAX} bytes")
    try:
        attributes = json.loads(value.value)["attrs"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _invalid("the attribute extension is not a JSON object with attrs") from None
    if not isinstance(attributes, dict) or not all(
        isinstance(text, str) for text in attributes.values()
    ):
        raise _invalid("attributes are not texts by name")
    return attributes


def _invalid(detail: str) -> InvalidMessage:
    return InvalidMessage(Reason.CERTIFICATE_INVALID, detail)
