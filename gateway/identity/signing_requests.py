"""Signing requests (PKCS #10): the key in one, and how people compare keys."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.errors import FieldError, Problem, RequestRefused
from ledger.crypto.hashing import sha256

REQUEST_CHARACTERS_MAX = 4_096
CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH, CODE_GROUP, LETTER_BITS = 12, 4, 5


def fingerprint_of_request(request_pem: str) -> str:
    """SHA-256 of the DER public key, hex; refuses what is not signed by its own P-256 key."""
    try:
        request = x509.load_pem_x509_csr(request_pem.encode())
        key = request.public_key()
        is_proven = request.is_signature_valid
    except ValueError as error:
        raise _refused("not a signing request") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _refused("the key is not on P-256")
    if not is_proven:
        raise _refused("the request is not signed by its own key")
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hex()


def comparison_code(fingerprint: str) -> str:
    """Twelve letters (60 bits) of a fingerprint, to compare in person: `K7QM-2B9F-TXRD`."""
    bits = int(fingerprint, 16) >> (256 - LETTER_BITS * CODE_LENGTH)
    letters = [
        CODE_LETTERS[bits >> (LETTER_BITS * place) & 31] for place in reversed(range(CODE_LENGTH))
    ]
    groups = ("".join(letters[at : at + CODE_GROUP]) for at in range(0, CODE_LENGTH, CODE_GROUP))
    return "-".join(groups)


def _refused(detail: str) -> RequestRefused:
    return RequestRefused(
        Problem.INVALID, detail, errors=(FieldError("/body/request_pem", detail),)
    )
