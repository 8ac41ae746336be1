"""X.509 as Fabric's membership rules use it: one chain, no clock, low-S signatures."""

from datetime import timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from tests.follower.refusal import Refused, require

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
CHAIN_LENGTH_MAX = 5


def check_signature(certificate: x509.Certificate, message: bytes, signature: bytes) -> None:
    """ECDSA with SHA-256 on P-256, in its low-S form."""
    key = certificate.public_key()
    require(isinstance(key, ec.EllipticCurvePublicKey), "not an ECDSA key")
    require(isinstance(key.curve, ec.SECP256R1), "not on P-256")
    try:
        _, s = decode_dss_signature(signature)
        require(s <= P256_ORDER // 2, "high S")
        key.verify(signature, message, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise Refused("bad signature") from error


def one_chain(
    certificate: x509.Certificate,
    roots: list[x509.Certificate],
    intermediates: list[x509.Certificate],
) -> list[x509.Certificate]:
    """From the certificate to its root; Fabric wants exactly one way there."""
    found = list(_chains([certificate], roots, intermediates))
    require(len(found) == 1, f"a single validation chain is needed, there are {len(found)}")
    return found[0]


def _chains(path, roots, intermediates):
    last = path[-1]
    if last in roots:
        yield path
        return
    for issuer in [*roots, *intermediates]:
        if issuer not in path and len(path) < CHAIN_LENGTH_MAX and _issued(last, issuer):
            yield from _chains([*path, issuer], roots, intermediates)


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Signed by a CA that was valid when the certificate began to be; expiry is not asked."""
    at = certificate.not_valid_before_utc + timedelta(seconds=1)
    if not issuer.not_valid_before_utc <= at <= issuer.not_valid_after_utc or not is_ca(issuer):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def is_ca(certificate: x509.Certificate) -> bool:
    """May sign certificates, and says so in both places."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return constraints.ca and usage.key_cert_sign


def subject_key_identifier(certificate: x509.Certificate) -> bytes:
    """Fabric refuses an authority that does not name its key."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound as error:
        raise Refused("an authority without Subject Key Identifier") from error
    return found.value.digest


def organizational_units(certificate: x509.Certificate) -> list[str]:
    """OU values of the subject."""
    name = certificate.subject
    return [one.value for one in name.get_attributes_for_oid(x509.OID_ORGANIZATIONAL_UNIT_NAME)]
