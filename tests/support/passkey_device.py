"""A device that makes passkeys and answers with them (WebAuthn level 2, ES256, no attestation)."""

import json
import struct
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ledger.crypto.hashing import sha256

PRESENT, VERIFIED, HAS_KEY = 0x01, 0x04, 0x40
AAGUID = bytes(16)


def b64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class PasskeyDevice:
    """One passkey for one site; `origin` is the page it believes to be on."""

    origin: str
    rp_id: str
    credential_id: bytes = b"c" * 32
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    count: int = 0

    def made(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to the options of a new passkey."""
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        head = AAGUID + struct.pack(">H", len(self.credential_id)) + self.credential_id
        data = self._data(PRESENT | VERIFIED | HAS_KEY) + head + cbor2.dumps(cose)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._credential(
            "webauthn.create", options["challenge"], attestationObject=attestation
        )

    def answered(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to the options of a login."""
        self.count += 1
        data, client = self._data(PRESENT | VERIFIED), self._client("get", options["challenge"])
        signature = self.key.sign(data + sha256(client), ec.ECDSA(hashes.SHA256()))
        return self._credential(
            "webauthn.get", options["challenge"], authenticatorData=data, signature=signature
        )

    def _data(self, flags: int) -> bytes:
        return sha256(self.rp_id.encode()) + struct.pack(">BI", flags, self.count)

    def _client(self, action: str, challenge: str) -> bytes:
        content = {"type": f"webauthn.{action}", "challenge": challenge, "origin": self.origin}
        return json.dumps(content).encode()

    def _credential(self, kind: str, challenge: str, **answers: bytes) -> dict[str, Any]:
        client = self._client(kind.rpartition(".")[2], challenge)
        response = {name: b64url(value) for name, value in answers.items()}
        raw_id = b64url(self.credential_id)
        return {
            "id": raw_id,
            "rawId": raw_id,
            "type": "public-key",
            "response": response | {"clientDataJSON": b64url(client)},
        }
