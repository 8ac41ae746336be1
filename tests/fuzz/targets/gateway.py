"""The HTTP gateway and the meters' broker: JSON of strangers."""

import base64
import json
from urllib.parse import urlsplit

from gateway.api.limits import BODY_BYTES_MAX, RateLimit
from gateway.application import create_app
from gateway.hems.virtual_meter import VirtualMeter
from gateway.mqtt.ingest import BadReading
from gateway.mqtt.reading import MESSAGE_BYTES_MAX, check_signature, decode_reading
from gateway.mqtt.topics import parse_topic
from tests.fuzz.engine import Attempt, FuzzTarget, Shape
from tests.fuzz.targets.services import event_loop
from tests.unit.gateway.ledger_double import LedgerDouble, an_identity, services_over

NO_LIMIT = RateLimit(per_second=1e9, burst=10**9)
FAILED = 500


def _bodies() -> list[bytes]:
    """One request of each kind: path, newline, body."""
    identity = an_identity()
    creator = {"mspid": identity.mspid, "certificate_pem": identity.certificate_pem.decode()}
    order = {"creator": creator, "listing_id": "2026-01-01T10", "energy_wh": 1_000,
             "price_utoken_per_kwh": 54_000}  # fmt: skip
    signed = {"proposal": base64.b64encode(b"\n\x03abc").decode(), "signature": "MEUC"}
    bodies = {
        "/v1/proposals": {"creator": creator, "function": "market:bid", "args": ["a", "1"]},
        "/v1/bids/prepare": order,
        "/v1/offers/prepare": {**order, "res_id": "RES-1"},
        "/v1/transactions/endorse": signed,
        "/v1/transactions?wait=committed&timeout_ms=1": {"payload": "AAAA", "signature": "MEUC"},
        "/v1/session": {"token": "t" * 43},
    }
    return [f"{path}\n{json.dumps(body)}".encode() for path, body in bodies.items()]


def _http() -> Attempt:
    """A POST; the answer is below 500 and valid JSON if it says so."""
    services = services_over(LedgerDouble(lambda _function, _args: {}))
    app = create_app(services, rate=NO_LIMIT)
    loop = event_loop()

    def attempt(raw: bytes) -> str:
        target, _, body = raw.partition(b"\n")
        return loop.run_until_complete(_post(app, target, body))

    return attempt


async def _post(app: object, target: bytes, body: bytes) -> str:
    url = urlsplit(target.decode("latin-1").replace("[", "").replace("]", ""))
    messages: list[dict] = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": url.path or "/",
        "raw_path": url.path.encode("latin-1"),
        "query_string": url.query.encode("latin-1"),
        "root_path": "",
        "headers": [(b"content-type", b"application/json"), (b"host", b"gateway")],
        "client": ("127.0.0.1", 1),
        "server": ("gateway", 80),
    }

    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict) -> None:
        messages.append(message)

    await app(scope, receive, send)
    status = messages[0]["status"]
    content = b"".join(message.get("body", b"") for message in messages[1:])
    assert status != FAILED, content
    problem = json.loads(content) if content.startswith(b"{") else {}
    return f"{status} {problem.get('type', '')}"


def _reading_seeds() -> list[bytes]:
    meter = VirtualMeter("m-1")
    meter.run_hour(load_wh=1_200, pv_wh=300)
    return [meter.message(meter.read(3_600_000)), meter.message(meter.read(7_200_000))]


def _reading() -> Attempt:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - once
        load_pem_public_key,
    )

    key = load_pem_public_key(VirtualMeter("m-1").public_key_pem.encode())
    return lambda raw: check_signature(decode_reading(raw), key)


def _topic(raw: bytes) -> None:
    text = raw.decode("utf-8", "replace")
    topic = parse_topic(text)
    assert topic is None or str(topic) == text


TARGETS = (
    FuzzTarget(
        "gateway-json",
        "bodies of the HTTP interface",
        _bodies,
        _http,
        BODY_BYTES_MAX,
        allowed=(),
        shape=Shape.TEXT,
        dictionary=('"', "{", "}", "[", "]", ":", ",", "null", "1e9", "/v1/", "?", "&"),
    ),
    FuzzTarget(
        "meter-reading",
        "a meter's message",
        _reading_seeds,
        _reading,
        MESSAGE_BYTES_MAX + 8,
        allowed=(BadReading,),
        shape=Shape.TEXT,
    ),
    FuzzTarget(
        "meter-topic",
        "a topic of the broker",
        lambda: [b"rec/val/m-1/reading", b"rec/val/m-1/state", b"rec/+/m-1/cmd"],
        lambda: _topic,
        65_535,
        allowed=(),
        shape=Shape.TEXT,
    ),
)
