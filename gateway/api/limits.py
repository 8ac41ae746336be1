"""What a request may cost: bodies are counted before anything parses them, senders metered."""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.problems import MEDIA_TYPE, problem_body
from gateway.errors import Problem
from gateway.strict_json import BadJson, parse_strictly

BODY_BYTES_MAX = 256 * 1024
"""An envelope with four endorsements and a full meter report stays far below this."""
CLIENTS_TRACKED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A token bucket per client address."""

    per_second: float = 100.0
    burst: int = 400


class RequestLimits:
    """ASGI middleware: refuses with 413, 415 and 429 before the application sees the request."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        rate: RateLimit,
        clock_ms: Callable[[], int],
        body_bytes_max: int = BODY_BYTES_MAX,
    ) -> None:
        self._app = app
        self._rate = rate
        self._clock_ms = clock_ms
        self._body_bytes_max = body_bytes_max
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, read the body within its limit, hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wait_s = self._take_token(scope["client"][0] if scope["client"] else "")
        if wait_s > 0:
            headers = {"Retry-After": str(math.ceil(wait_s))}
            await refuse(scope, send, Problem.TOO_MANY_REQUESTS, "slow down", headers)
            return
        body = await self._body(scope, receive)
        if body is None:
            detail = f"a body may have {self._body_bytes_max} bytes"
            await refuse(scope, send, Problem.BODY_TOO_LARGE, detail, {"Connection": "close"})
            return
        wrong = _wrong_form(scope, body)
        if wrong is not None:
            await refuse(scope, send, *wrong, {})
            return
        await self._app(scope, _replaying(body, receive), send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body, `None` as soon as it is too long."""
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._body_bytes_max:
            return None
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b"".join(chunks)
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._body_bytes_max:
                return None
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _take_token(self, client: str) -> float:
        """0 when a token was there, else seconds until the next one."""
        now_ms = self._clock_ms()
        tokens, since_ms = self._buckets.pop(client, (float(self._rate.burst), now_ms))
        tokens += (now_ms - since_ms) / 1000 * self._rate.per_second
        tokens = min(tokens, float(self._rate.burst))
        allowed = tokens >= 1
        self._buckets[client] = (tokens - 1 if allowed else tokens, now_ms)
        if len(self._buckets) > CLIENTS_TRACKED_MAX:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._rate.per_second


async def refuse(
    scope: Scope, send: Send, problem: Problem, detail: str, headers: dict[str, str]
) -> None:
    """Send a problem document from a middleware."""
    body = problem_body(problem, detail, instance=scope["path"])
    sent = {"content-type": MEDIA_TYPE, "content-length": str(len(body))} | headers
    await send(
        {
            "type": "http.response.start",
            "status": problem.value.status,
            "headers": [(name.lower().encode(), text.encode()) for name, text in sent.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _wrong_form(scope: Scope, body: bytes) -> tuple[Problem, str] | None:
    """Why the application must not see this request; it may when there is nothing."""
    if not scope["query_string"].isascii():
        return Problem.MALFORMED, "a query is written in ASCII, anything else percent-encoded"
    # The API takes JSON; the page's own form (signing out) has another type.
    if not body or not scope["path"].startswith("/v1/"):
        return None
    content_type = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip()
    if content_type.lower() != b"application/json":
        return Problem.UNSUPPORTED_MEDIA, "bodies under /v1 are application/json"
    try:
        parse_strictly(body)
    except BadJson as error:
        return Problem.MALFORMED, str(error)
    return None


def _replaying(body: bytes, receive: Receive) -> Receive:
    """The body once more for the application, then the connection's own messages."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
