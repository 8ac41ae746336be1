"""A browser's side of Web Push: its keys, and reading what was encrypted for it."""

import json
from dataclasses import dataclass
from typing import Any

import http_ece
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.notices.push_devices import Subscription, to_base64url

AUTH = b"sixteen bytes 16"


@dataclass(frozen=True)
class PushBrowser:
    """Whoever has the private key can read."""

    private_key: ec.EllipticCurvePrivateKey
    subscription: Subscription

    @classmethod
    def at(cls, endpoint: str) -> "PushBrowser":
        key = ec.generate_private_key(ec.SECP256R1())
        point = key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return cls(key, Subscription(endpoint, point, AUTH))

    def read(self, body: bytes) -> Any:
        """What a push service's message says; raises `http_ece.ECEException`."""
        content = http_ece.decrypt(
            body, private_key=self.private_key, auth_secret=AUTH, version="aes128gcm"
        )
        return json.loads(content)


def a_subscription() -> Subscription:
    return PushBrowser.at("https://push.example.org/send/1").subscription


def as_sent(subscription: Subscription) -> dict[str, Any]:
    """As the page sends it to the gateway."""
    keys = {"p256dh": subscription.public_key, "auth": subscription.auth}
    return {
        "endpoint": subscription.endpoint,
        "keys": {name: to_base64url(content) for name, content in keys.items()},
    }
