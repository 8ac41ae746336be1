"""`Idempotency-Key`: a repeated POST gets the first answer, so that a retry is not a second order.

Same key and same request: the stored answer again, marked `Idempotency-Replayed: true`. Same key
and another request: 422. Still being answered: 409. Answers of 5xx are not kept. Keys belong to
who uses them, and hold for all gateways that share a database. The ledger's own guard is the
transaction id, which can be used once.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.limits import refuse
from gateway.database import DatabaseUnavailable
from gateway.errors import Problem
from gateway.shared_state.answered import Answer, AnsweredRequests
from ledger.crypto.hashing import sha256

KEY_CHARACTERS_MAX = 255
ANSWER_BYTES_MAX = 1024 * 1024
"""A longer answer is not kept; no POST of the API has one."""
STATUS_SERVER_ERROR = 500
CREDENTIALS = (b"authorization", b"cookie")
NEVER_KEPT = (b"set-cookie",)
"""Opens a session: an answer with it is not kept."""
SHOWN_ONCE = frozenset(
    {
        "/v1/enrolments",
        "/v1/letters",
        "/v1/login/links",
        "/v1/login/password",
        "/v1/tokens",
        "/v1/webhooks",
    }
)
"""A key is ignored here: these answer with a secret, or take one, and the database holds none.

Even the digest of a request with a password would be one to guess passwords by.
"""


class Idempotency:
    """ASGI middleware for POST requests; it runs inside `RequestLimits`, so bodies are whole."""

    def __init__(self, app: ASGIApp, *, answered: AnsweredRequests) -> None:
        self._app = app
        self._answered = answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from the database, or let the application answer and keep it."""
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        key = headers.get(b"idempotency-key")
        if key is None or scope["method"] != "POST" or scope["path"] in SHOWN_ONCE:
            await self._app(scope, receive, send)
            return
        if not 0 < len(key) <= KEY_CHARACTERS_MAX:
            detail = f"Idempotency-Key has 1 to {KEY_CHARACTERS_MAX} characters"
            await refuse(scope, send, Problem.MALFORMED, detail, {})
            return
        first = await receive()
        key_digest = sha256(_whose(scope, headers) + b"\0" + key)
        request_digest = sha256(
            scope["path"].encode() + b"\0" + scope["query_string"] + b"\0" + first["body"]
        )
        known = await asyncio.to_thread(self._answered.begin, key_digest, request_digest)
        if known is None:
            await self._answer(key_digest, scope, _after(first, receive), send)
        elif known.request_digest != request_digest:
            detail = "the key belongs to a request with other content"
            await refuse(scope, send, Problem.KEY_REUSED, detail, {})
        elif known.status is None:
            await refuse(
                scope, send, Problem.IN_PROGRESS, "repeat it in a moment", {"Retry-After": "1"}
            )
        else:
            await _replay(known, known.status, send)

    async def _answer(self, key_digest: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []

        async def remember(message: Message) -> None:
            messages.append(message)
            if not message.get("more_body", message["type"] == "http.response.start"):
                # It was answered: who repeats it later meets the ledger's own guard.
                with suppress(DatabaseUnavailable):
                    await self._keep(key_digest, messages)
            await send(message)

        try:
            await self._app(scope, receive, remember)
        except BaseException:
            await asyncio.to_thread(self._answered.abandon, key_digest)
            raise

    async def _keep(self, key_digest: bytes, messages: list[Message]) -> None:
        """Before the last byte is sent: who has the answer finds it kept."""
        start, *bodies = messages
        body = b"".join(part.get("body", b"") for part in bodies)
        opens_a_session = any(name.lower() in NEVER_KEPT for name, _ in start["headers"])
        fails = int(start["status"]) >= STATUS_SERVER_ERROR
        if fails or opens_a_session or len(body) > ANSWER_BYTES_MAX:
            await asyncio.to_thread(self._answered.abandon, key_digest)
            return
        await asyncio.to_thread(
            self._answered.complete, key_digest, start["status"], list(start["headers"]), body
        )


def _whose(scope: Scope, headers: Mapping[bytes, bytes]) -> bytes:
    """Who uses a key: the credentials; without any the address, or strangers could block it."""
    credentials = b"\0".join(headers.get(name, b"") for name in CREDENTIALS)
    if credentials.strip(b"\0") or not scope["client"]:
        return credentials
    return b"from " + str(scope["client"][0]).encode()


async def _replay(answer: Answer, status: int, send: Send) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*answer.headers, (b"idempotency-replayed", b"true")],
        }
    )
    await send({"type": "http.response.body", "body": answer.body})


def _after(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
