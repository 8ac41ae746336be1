"""Web Push: a message only one browser can read (RFC 8291), from a sender it knows (RFC 8292)."""

import json
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

import http_ece
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02, VapidException

from gateway.notices.outside_http import AddressRefused
from gateway.notices.push_devices import Subscription
from gateway.notices.records import NoticeText

CONTENT_ENCODING = "aes128gcm"
MESSAGE_BYTES_MAX = 3_000
"""A push service takes 4,096 encrypted."""
KEPT_BY_SERVICE_S = 24 * 60 * 60
"""How long a push service waits for a browser that is off; older notices are no news."""
TOKEN_LIFETIME_S = 12 * 60 * 60
"""At most a day (RFC 8292)."""
SALT_BYTES = 16


class Sender:
    """This gateway, to push services. `contact`: `mailto:` or https address of its operator."""

    def __init__(self, key_pem: bytes, contact: str) -> None:
        key = serialization.load_pem_private_key(key_pem, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "made by `new_sender_key`"
        self._vapid = Vapid02(key)
        self._contact = contact
        self.public_key = _point(key.public_key())

    def headers(self, endpoint: str, now_ms: int) -> Mapping[str, str]:
        """What the push service asks for; raises `AddressRefused` for one it cannot be told."""
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "sub": self._contact,
            "exp": now_ms // 1_000 + TOKEN_LIFETIME_S,
        }
        try:
            signed: dict[str, str] = self._vapid.sign(claims)
        except VapidException as error:
            raise AddressRefused("no push service has this address") from error
        return signed | {
            "content-encoding": CONTENT_ENCODING,
            "content-type": "application/octet-stream",
            "ttl": str(KEPT_BY_SERVICE_S),
            "urgency": "normal",
        }


def new_sender_key() -> bytes:
    """A fresh key, PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def message(name: str, text: NoticeText, language: str) -> bytes:
    """What the service worker shows; one with the same id takes the place of the one before."""
    content = {"id": name, "title": text.title, "text": text.sentence, "language": language}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def encrypted(content: bytes, subscription: Subscription) -> bytes:
    """For this browser's eyes only; every message has a key of its own."""
    sealed: bytes = http_ece.encrypt(
        content,
        salt=secrets.token_bytes(SALT_BYTES),
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=subscription.public_key,
        auth_secret=subscription.auth,
        version=CONTENT_ENCODING,
    )
    return sealed


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
