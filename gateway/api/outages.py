"""A database that is away is a problem with status 503; a question is asked once more before.

With replicas the second time is answered by one of them (`gateway.database`), so who only reads
seldom notices that the primary went away in the middle of a request.
"""

import asyncio
import logging

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.limits import refuse
from gateway.api.problems import problem_response
from gateway.database import DatabaseUnavailable
from gateway.errors import Problem, RequestRefused

RETRY_AFTER_S = 5
READING = frozenset({"GET", "HEAD"})

logger = logging.getLogger(__name__)


class Outages:
    """ASGI middleware; inside it `DatabaseUnavailable` may be raised by anything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, a reading request at the second attempt if need be, or refuse with 503."""
        has_begun = False

        async def sending(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        attempts = 2 if scope["type"] == "http" and scope["method"] in READING else 1
        for attempt in range(1, attempts + 1):
            try:
                await self._app(scope, receive, sending)
            except DatabaseUnavailable as outage:
                if has_begun or scope["type"] != "http":
                    raise
                logger.info("attempt %d: %s", attempt, outage)
            else:
                return
        await _refuse(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """With a page where a replica knows what is on every page, else with a problem document."""
    problem, headers = Problem.DATABASE_UNAVAILABLE, {"Retry-After": str(RETRY_AFTER_S)}
    refused = RequestRefused(problem, problem.value.advice, headers=headers)
    try:
        response = await asyncio.to_thread(problem_response, Request(scope), refused)
    except DatabaseUnavailable:
        await refuse(scope, send, problem, refused.detail, headers)
    else:
        await response(scope, receive, send)
