"""Keys and signing requests as a household's browser makes them."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ledger.crypto.hashing import sha256
from ledger.crypto.signing import generate_key


def signing_request(key: ec.EllipticCurvePrivateKey | None = None, name: str = "x") -> str:
    """PEM of a request for a new key, or for the given one."""
    key = key or generate_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def fingerprint(key: ec.EllipticCurvePrivateKey) -> str:
    """How the ledger names the key."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(der).hex()
