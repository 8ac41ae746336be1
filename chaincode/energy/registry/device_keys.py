"""Keys of metering devices: one stored form."""

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chaincode.energy.arguments import bad
from chaincode.shim.crypto import load_p256_key

KEY_CHARACTERS_MAX = 1024


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A P-256 public key as PEM, and SHA-256 over its DER SubjectPublicKeyInfo in hex."""

    pem: str
    fingerprint: str


def device_key(public_key: str) -> DeviceKey:
    """The key in a PEM text or a hex X9.62 point; refuses anything but P-256."""
    if len(public_key) > KEY_CHARACTERS_MAX:
        bad(f"public_key is longer than {KEY_CHARACTERS_MAX} characters")
    try:
        key = load_p256_key(public_key)
    except ValueError:
        bad("public_key is neither PEM nor hex of a P-256 public key")
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return DeviceKey(pem=pem.decode("ascii"), fingerprint=hashlib.sha256(spki).hexdigest())
