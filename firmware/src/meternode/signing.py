"""How a node signs its readings: three tiers, one interface (docs/mqtt.md, "Reading").

A signer has `tier`, `key_id` (16 hex digits), `raw_bytes` (how long a stored signature is),
`sign_steps(line)`, a generator that returns the raw signature (in steps, because it takes a board
long and relays cannot wait), and `encode(raw)`, what goes into the message. The outbox keeps raw.
"""

import binascii
import hashlib

from meternode import ecdsa, p256
from meternode.hmac_sha256 import hmac_sha256

KEY_ID_BYTES = 8
HMAC_KEY_BYTES = 32
RAW_ECDSA_BYTES = 64


def sign(signer, line):
    """The raw signature of a line, at once."""
    return p256.finished(signer.sign_steps(line))


def _hex(data):
    return binascii.hexlify(data).decode()


class HmacSigner:
    """Tier A: HMAC-SHA256 with a key the gateway has too; the gateway attests the reading."""

    tier = "A"
    raw_bytes = 32

    def __init__(self, key):
        if len(key) != HMAC_KEY_BYTES:
            raise ValueError("the key has 32 bytes")
        self._key = key
        self.key_id = _hex(hashlib.sha256(b"gridledger-key-1|" + key).digest()[:KEY_ID_BYTES])

    def sign_steps(self, line):
        """The code of a line, in one step."""
        yield
        return hmac_sha256(self._key, line)

    def encode(self, raw):
        """As stored."""
        return raw


class P256Signer:
    """Tier B: a P-256 key that never leaves the node, in plain MicroPython."""

    tier = "B"
    raw_bytes = RAW_ECDSA_BYTES

    def __init__(self, secret):
        if not 0 < secret < p256.N:
            raise ValueError("the secret is a number from 1 to the order of the curve")
        self._secret = secret
        self.public_key = ecdsa.public_key_der(p256.multiply_generator(secret))
        self.fingerprint = _hex(hashlib.sha256(self.public_key).digest())
        self.key_id = self.fingerprint[: 2 * KEY_ID_BYTES]

    def sign_steps(self, line):
        """`r` and `s`, 32 bytes each, in some 100 steps."""
        r, s = yield from ecdsa.sign_steps(self._secret, hashlib.sha256(line).digest())
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def encode(self, raw):
        """DER."""
        return ecdsa.encode_signature(
            int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        )


class SecureElementSigner:
    """Tier C: the key is in a chip, for instance an ATECC608 on I2C, and cannot be read.

    `element` has `public_point() -> 64 bytes (x, y)` and `sign(digest) -> 64 bytes (r, s)`; it
    raises `OSError` when the chip does not answer. Chips return any s; only the lower half is
    accepted on the ledger, so it is mended here: -s verifies as well.
    """

    tier = "C"
    raw_bytes = RAW_ECDSA_BYTES

    def __init__(self, element):
        self._element = element
        point = p256.decode_point(b"\x04" + element.public_point())
        self.public_key = ecdsa.public_key_der(point)
        self.fingerprint = _hex(hashlib.sha256(self.public_key).digest())
        self.key_id = self.fingerprint[: 2 * KEY_ID_BYTES]

    def sign_steps(self, line):
        """`r` and the lower `s`, 32 bytes each, in one step of some 60 ms."""
        yield
        raw = self._element.sign(hashlib.sha256(line).digest())
        s = ecdsa.lower(int.from_bytes(raw[32:], "big"))
        return raw[:32] + s.to_bytes(32, "big")

    encode = P256Signer.encode
