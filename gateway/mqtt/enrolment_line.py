"""The line a node prints at its start, for whoever registers its key.

    {"enrolment": {"device": "node-1", "tier": "B", "kid": "3f1c…", "public_key": "-----BEGIN…",
                   "fingerprint": "3f1c…", "proof": "MEUC…"}}

`proof` is base64 of the key's signature over `gridledger-enrol-1|device|code|kid`. Tier A has
neither `public_key` nor `fingerprint`; its proof is an HMAC.
"""

import base64
import re
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chaincode.energy.registry.records import TIERS
from chaincode.shim.crypto import load_p256_key
from gateway.mqtt.topics import NAME
from gateway.strict_json import BadJson, parse_strictly
from ledger.crypto.hashing import sha256

LINE_CHARACTERS_MAX = 2_048
ATTESTED_TIER = "A"
_FIELDS = frozenset(("device", "tier", "kid", "proof"))
_KEY_FIELDS = _FIELDS | {"public_key", "fingerprint"}
_KEY_ID = re.compile(r"[0-9a-f]{16}")


class BadEnrolment(Exception):  # noqa: N818 - whoever brought it
    """A text that is no such line."""


@dataclass(frozen=True, slots=True)
class EnrolmentLine:
    """What a node says of itself; its proof is not checked yet."""

    device: str
    tier: str
    kid: str
    proof: bytes
    key: ec.EllipticCurvePublicKey | None
    """None of tier A."""

    def signed_with(self, code: str) -> bytes:
        """The line that the proof is over."""
        return f"gridledger-enrol-1|{self.device}|{code}|{self.kid}".encode("ascii")


def decode_enrolment(text: str) -> EnrolmentLine:
    """The line, with or without `{"enrolment": …}` around it; raises `BadEnrolment`."""
    if len(text) > LINE_CHARACTERS_MAX:
        raise BadEnrolment("too long")
    try:
        content = _inner(parse_strictly(text.strip().encode("ascii")))
        tier = content["tier"]
        wanted = _FIELDS if tier == ATTESTED_TIER else _KEY_FIELDS
        if set(content) != wanted or tier not in TIERS:
            raise BadEnrolment("fields")
        if not NAME.fullmatch(content["device"]) or not _KEY_ID.fullmatch(content["kid"]):
            raise BadEnrolment("device or kid")
        proof = base64.b64decode(content["proof"], validate=True)
        key = None if tier == ATTESTED_TIER else _key(content)
    except (BadJson, KeyError, ValueError, UnsupportedAlgorithm) as error:
        raise BadEnrolment(str(error)) from None
    return EnrolmentLine(content["device"], tier, content["kid"], proof, key)


def fingerprint_of(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 of the key as SubjectPublicKeyInfo, DER, in hexadecimal."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return sha256(der).hex()


def _inner(content: Any) -> dict[str, str]:
    if isinstance(content, dict) and set(content) == {"enrolment"}:
        content = content["enrolment"]
    if not isinstance(content, dict) or not all(
        isinstance(value, str) for value in content.values()
    ):
        raise BadEnrolment("no object of texts")
    return content


def _key(content: dict[str, str]) -> ec.EllipticCurvePublicKey:
    if not content["public_key"].startswith("-----BEGIN PUBLIC KEY-----"):
        raise BadEnrolment("public_key is no PEM")
    key = load_p256_key(content["public_key"])
    if fingerprint_of(key) != content["fingerprint"]:
        raise BadEnrolment("fingerprint")
    return key
