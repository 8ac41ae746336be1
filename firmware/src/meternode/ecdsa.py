"""ECDSA on P-256 with SHA-256: deterministic nonces (RFC 6979), low S, DER (SEC 1, FIPS 186-5)."""

from meternode import p256
from meternode.hmac_sha256 import hmac_sha256

HALF_ORDER = p256.N >> 1
SCALAR_BYTES = 32
SPKI_PREFIX = (
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
    b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"
)
"""DER of SubjectPublicKeyInfo for a P-256 key, up to the point."""


def sign_digest(secret, digest):
    """`(r, s)` with s in the lower half for a 32-byte digest; 0 < secret < N."""
    return p256.finished(sign_steps(secret, digest))


def sign_steps(secret, digest):
    """The same in steps; returns `(r, s)`."""
    e = int.from_bytes(digest, "big") % p256.N
    for nonce in nonces(secret, e):
        point = yield from p256.generator_steps(nonce)
        r = point[0] % p256.N
        nonce_inverse = yield from p256.inverse_steps(nonce, p256.N)
        s = nonce_inverse * (e + r * secret) % p256.N
        if r != 0 and s != 0:
            return r, lower(s)
    raise AssertionError  # nonces() never ends


def verify_digest(point, digest, r, s):
    """Whether `(r, s)` is the signature of a 32-byte digest by the key `point`."""
    return p256.finished(verify_steps(point, digest, r, s))


def verify_steps(point, digest, r, s):
    """The same in steps; returns whether."""
    if not (0 < r < p256.N and 0 < s <= HALF_ORDER):
        return False
    e = int.from_bytes(digest, "big") % p256.N
    w = yield from p256.inverse_steps(s, p256.N)
    u1, u2 = e * w % p256.N, r * w % p256.N
    left = (yield from p256.generator_steps(u1)) if u1 else None
    right = yield from p256.multiply_steps(u2, point)
    total = yield from p256.add_steps(left, right)
    return total is not None and total[0] % p256.N == r


def lower(s):
    """The one of s and N - s that lies in the lower half; both verify, one is allowed."""
    return p256.N - s if s > HALF_ORDER else s


def nonces(secret, reduced_digest):
    """Nonces for a signature, RFC 6979 section 3.2; the first one that fits is taken."""
    seed = secret.to_bytes(SCALAR_BYTES, "big") + reduced_digest.to_bytes(SCALAR_BYTES, "big")
    value, key = b"\x01" * 32, bytes(32)
    key = hmac_sha256(key, value + b"\x00" + seed)
    value = hmac_sha256(key, value)
    key = hmac_sha256(key, value + b"\x01" + seed)
    value = hmac_sha256(key, value)
    while True:
        value = hmac_sha256(key, value)
        candidate = int.from_bytes(value, "big")
        if 0 < candidate < p256.N:
            yield candidate
        key = hmac_sha256(key, value + b"\x00")
        value = hmac_sha256(key, value)


def new_secret(random_bytes):
    """A private key from `random_bytes(count)`, by rejection so that all are equally likely."""
    while True:
        candidate = int.from_bytes(random_bytes(SCALAR_BYTES), "big")
        if 0 < candidate < p256.N:
            return candidate


def public_key_der(point):
    """SubjectPublicKeyInfo in DER, what a key id and a fingerprint are made of."""
    return SPKI_PREFIX + p256.encode_point(point)


def encode_signature(r, s):
    """`SEQUENCE { INTEGER r, INTEGER s }`, at most 72 bytes."""
    body = _integer(r) + _integer(s)
    return bytes((0x30, len(body))) + body


def decode_signature(der):
    """`(r, s)` of a DER signature; `ValueError` for anything but its shortest form."""
    if len(der) < 8 or der[0] != 0x30 or der[1] != len(der) - 2:
        raise ValueError("not a DER signature")
    r, rest = _read_integer(der[2:])
    s, rest = _read_integer(rest)
    if rest or encode_signature(r, s) != der:
        raise ValueError("not the shortest DER form")
    return r, s


def _integer(value):
    content = value.to_bytes(SCALAR_BYTES, "big").lstrip(b"\x00") or b"\x00"
    if content[0] & 0x80:
        content = b"\x00" + content
    return bytes((0x02, len(content))) + content


def _read_integer(data):
    if len(data) < 3 or data[0] != 0x02 or data[1] > SCALAR_BYTES + 1 or len(data) < 2 + data[1]:
        raise ValueError("not a DER integer")
    value = int.from_bytes(data[2 : 2 + data[1]], "big")
    if value >> (8 * SCALAR_BYTES):
        raise ValueError("the integer is too long")
    return value, data[2 + data[1] :]
