"""ECDSA signatures as Fabric wants them: P-256, SHA-256, strict DER, low S.

An ECDSA signature (r, s) is as good as (r, n - s); only the one with s <= n/2 is accepted, so
that a signed message has one form nobody else can change.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ledger.crypto.certificates import parse_certificate
from ledger.errors import InvalidMessage, NodeFault, Reason
from ledger.model.codec_header import encode_identity

CURVE_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Order n of P-256."""
HALF_ORDER = CURVE_ORDER >> 1
SIGNATURE_BYTES_MIN, SIGNATURE_BYTES_MAX = 8, 72

_ALGORITHM = ec.ECDSA(hashes.SHA256())
_SEQUENCE, _INTEGER = 0x30, 0x02
_SCALAR_BYTES_MAX = 33  # 32, and a zero byte where the first bit is set
_SIGN_BIT = 0x80


class Signer:
    """A private key and the one thing it does. A key in hardware would offer the same method."""

    def __init__(self, private_key: bytes | ec.EllipticCurvePrivateKey) -> None:
        """Take a key or its unencrypted PEM (PKCS#8 or SEC1); NodeFault if it is not P-256."""
        if isinstance(private_key, bytes):
            private_key = load_private_key(private_key)
        if not isinstance(private_key.curve, ec.SECP256R1):
            raise NodeFault(f"signing key is on {private_key.curve.name}, P-256 is needed")
        self._key = private_key

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The key that verifies what this signer signs."""
        return self._key.public_key()

    def sign(self, message: bytes) -> bytes:
        """DER signature with low S over SHA-256 of `message`."""
        return to_low_s(self._key.sign(message, _ALGORITHM))


class SigningIdentity:
    """A member's certificate together with the key that signs for it."""

    __slots__ = ("certificate_pem", "mspid", "serialized", "signer")

    def __init__(self, mspid: str, certificate_pem: bytes, signer: Signer) -> None:
        self.mspid = mspid
        self.certificate_pem = certificate_pem
        self.signer = signer
        self.serialized = encode_identity(mspid, certificate_pem)
        """SerializedIdentity bytes: the `creator` and `endorser` of everything signed here."""

    def sign(self, message: bytes) -> bytes:
        """DER signature with low S over SHA-256 of `message`."""
        return self.signer.sign(message)

    def key_matches(self) -> bool:
        """Whether the certificate is of the key that signs; raises InvalidMessage."""
        return parse_certificate(self.certificate_pem).public_key == self.signer.public_key


def verify_signature(
    public_key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes
) -> None:
    """Raise InvalidMessage (HIGH_S_SIGNATURE or BAD_SIGNATURE) unless the signature is good."""
    r, s = parse_signature(signature)
    if not (0 < r < CURVE_ORDER and 0 < s < CURVE_ORDER):
        raise InvalidMessage(Reason.BAD_SIGNATURE, "r or s is out of range")
    if s > HALF_ORDER:
        raise InvalidMessage(Reason.HIGH_S_SIGNATURE, "s is above half the order of the curve")
    try:
        public_key.verify(signature, message, _ALGORITHM)
    except InvalidSignature:
        raise InvalidMessage(
            Reason.BAD_SIGNATURE, "the signature is not this key's over this message"
        ) from None


def parse_signature(signature: bytes) -> tuple[int, int]:
    """(r, s) of a DER SEQUENCE of two INTEGERs; only the shortest form without extra bytes."""
    size = len(signature)
    if (
        not SIGNATURE_BYTES_MIN <= size <= SIGNATURE_BYTES_MAX
        or signature[0] != _SEQUENCE
        or signature[1] != size - 2
    ):
        raise InvalidMessage(Reason.BAD_SIGNATURE, "not a DER sequence of two integers")
    r, end_of_r = _parse_integer(signature, 2)
    s, end_of_s = _parse_integer(signature, end_of_r)
    if end_of_s != size:
        raise InvalidMessage(Reason.BAD_SIGNATURE, "bytes after the second integer")
    return r, s


def is_low_s(signature: bytes) -> bool:
    """Whether a DER signature has s <= n/2; raises InvalidMessage when it is not DER."""
    return parse_signature(signature)[1] <= HALF_ORDER


def to_low_s(signature: bytes) -> bytes:
    """The form of a DER signature with s <= n/2."""
    r, s = parse_signature(signature)
    if s <= HALF_ORDER:
        return signature
    body = _encode_integer(r) + _encode_integer(CURVE_ORDER - s)
    return bytes((_SEQUENCE, len(body))) + body


def generate_key() -> ec.EllipticCurvePrivateKey:
    """A new P-256 key from the operating system's randomness."""
    return ec.generate_private_key(ec.SECP256R1())


def private_key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS#8 PEM without a passphrase: the file's mode must protect it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def load_private_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """An elliptic curve key from unencrypted PEM (PKCS#8 or SEC1); NodeFault if it is none."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise NodeFault(f"signing key cannot be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise NodeFault("signing key is not an elliptic curve key, P-256 is needed")
    return key


def _parse_integer(data: bytes, start: int) -> tuple[int, int]:
    """A non-negative DER INTEGER at `start`: its value and where it ends."""
    body = start + 2
    if body >= len(data) or data[start] != _INTEGER:
        raise InvalidMessage(Reason.BAD_SIGNATURE, "an integer is missing")
    length = data[start + 1]
    end = body + length
    if not 0 < length <= _SCALAR_BYTES_MAX or end > len(data) or data[body] & _SIGN_BIT:
        raise InvalidMessage(Reason.BAD_SIGNATURE, "an integer is negative, empty or too long")
    if length > 1 and data[body] == 0 and not data[body + 1] & _SIGN_BIT:
        raise InvalidMessage(Reason.BAD_SIGNATURE, "an integer has needless leading zeros")
    return int.from_bytes(data[body:end], "big"), end


def _encode_integer(value: int) -> bytes:
    body = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return bytes((_INTEGER, len(body))) + body
