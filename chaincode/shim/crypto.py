"""Signature checks contracts may make, such as a meter's signature over its reading."""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
CACHED_KEYS_MAX = 4096


def verify_p256(public_key: bytes | str, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (DER, low S) is the key's over SHA-256 of `message`.

    `public_key` is a PEM SubjectPublicKeyInfo or an X9.62 point (33 or 65 bytes; hex as str).
    Strict: one DER form, s <= n/2, so a signature cannot be altered and stay valid. ValueError
    if the key itself is not a P-256 key; a bad signature is never an exception.
    """
    key = load_p256_key(public_key)
    try:
        r, s = decode_dss_signature(signature)
    except ValueError:
        return False
    if not (0 < r < P256_ORDER and 0 < s <= P256_ORDER // 2):
        return False
    if encode_dss_signature(r, s) != signature:
        return False
    try:
        key.verify(signature, message, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=CACHED_KEYS_MAX)
def load_p256_key(public_key: bytes | str) -> EllipticCurvePublicKey:
    """The key object; ValueError if it is no point of P-256."""
    if isinstance(public_key, str):
        is_pem = public_key.lstrip().startswith("-----BEGIN")
        public_key = public_key.encode("ascii") if is_pem else bytes.fromhex(public_key)
    if public_key.lstrip().startswith(b"-----BEGIN"):
        key = load_pem_public_key(public_key)
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise ValueError("not a P-256 public key")
        return key
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), public_key)
