"""`Idempotency-Key`: a repeated POST gets the first answer, so that a retry is not a second order.

Same key and same request: the stored answer again, marked `Idempotency-Replayed: true`. Same key
and another request: 422. Still being answered: 409. Answers of 5xx are not kept. The ledger's own
guard is the transaction id, which can be used once.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.limits import refuse
from gateway.errors import Problem
from ledger.crypto.hashing import sha256

KEYS_KEPT = 10_000
KEY_CHARACTERS_MAX = 255
STATUS_SERVER_ERROR = 500


@dataclass(slots=True)
class _Answer:
    """What the first request got; empty while it is being answered."""

    request_digest: bytes
    messages: list[Message] = field(default_factory=list)
    is_complete: bool = False


class Idempotency:
    """ASGI middleware for POST requests; it runs inside `RequestLimits`, so bodies are whole."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._answers: OrderedDict[bytes, _Answer] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from memory or let the application answer and remember it."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        key = dict(scope["headers"]).get(b"idempotency-key")
        if key is None:
            await self._app(scope, receive, send)
            return
        if not 0 < len(key) <= KEY_CHARACTERS_MAX:
            detail = f"Idempotency-Key has 1 to {KEY_CHARACTERS_MAX} characters"
            await refuse(scope, send, Problem.MALFORMED, detail, {})
            return
        first = await receive()
        digest = sha256(
            scope["path"].encode() + b"\0" + scope["query_string"] + b"\0" + first["body"]
        )
        known = self._answers.get(key)
        if known is None:
            await self._answer(key, digest, scope, _after(first, receive), send)
        elif known.request_digest != digest:
            detail = "the key belongs to a request with other content"
            await refuse(scope, send, Problem.KEY_REUSED, detail, {})
        elif not known.is_complete:
            await refuse(
                scope, send, Problem.IN_PROGRESS, "repeat it in a moment", {"Retry-After": "1"}
            )
        else:
            for message in known.messages:
                await send(message)

    async def _answer(
        self, key: bytes, digest: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        answer = self._answers[key] = _Answer(request_digest=digest)

        async def remember(message: Message) -> None:
            copy = dict(message)
            if message["type"] == "http.response.start":
                copy["headers"] = [*message["headers"], (b"idempotency-replayed", b"true")]
            answer.messages.append(copy)
            await send(message)

        try:
            await self._app(scope, receive, remember)
            answer.is_complete = _may_be_kept(answer.messages)
        finally:
            if not answer.is_complete:
                del self._answers[key]
            elif len(self._answers) > KEYS_KEPT:
                self._answers.popitem(last=False)


def _may_be_kept(messages: list[Message]) -> bool:
    return bool(messages) and int(messages[0]["status"]) < STATUS_SERVER_ERROR


def _after(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
