"""A notice as a CloudEvent 1.0 in structured JSON, signed as Standard Webhooks does. Pure."""

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.notices.records import Notice, NoticeText

CONTENT_TYPE = "application/cloudevents+json"
SPEC_VERSION = "1.0"
TYPE_PREFIX = "gridledger.notice."
EVENT_BYTES_MAX = 16 * 1024
"""No notice comes near; one that did would be given up instead of sent."""


def cloud_event(
    notice: Notice, text: NoticeText, *, language: str, community_id: str, created_ms: int
) -> bytes:
    """The same bytes for the same notice, text and language, however often it is sent."""
    content = {
        "specversion": SPEC_VERSION,
        "id": notice.name,
        "source": f"/communities/{community_id}",
        "type": f"{TYPE_PREFIX}{notice.kind}",
        "subject": notice.idgrid,
        "time": datetime.fromtimestamp(created_ms / 1_000, UTC).isoformat(timespec="milliseconds"),
        "datacontenttype": "application/json",
        "data": {
            "title": text.title,
            "text": text.sentence,
            "language": language,
            "facts": dict(notice.facts),
        },
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def signed_headers(event_id: str, body: bytes, secret: bytes, now_ms: int) -> Mapping[str, str]:
    """Content type, and what a receiver checks: HMAC-SHA256 over `id.seconds.body`."""
    seconds = now_ms // 1_000
    signed = b".".join((event_id.encode(), str(seconds).encode(), body))
    signature = base64.b64encode(hmac.digest(secret, signed, "sha256")).decode("ascii")
    return {
        "content-type": CONTENT_TYPE,
        "webhook-id": event_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{signature}",
    }
