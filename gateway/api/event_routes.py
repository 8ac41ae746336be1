"""The live stream of blocks and their events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from gateway.api.access import LiveServices, MaybeSignedIn, services_of, viewer_or_none
from gateway.api.ledger_answers import BlockEvent, NewBlock
from gateway.api.views import event_payload
from gateway.database import DatabaseUnavailable
from gateway.errors import Problem, RequestRefused
from gateway.identity.scopes import Scope
from gateway.identity.sessions import Viewer
from gateway.readmodel.event_feed import AnnouncedBlock, AnnouncedEvent
from gateway.services import Services
from gateway.transactions.insight import sees_all_of

KEEP_ALIVE_MS = 15_000
STREAM_RETRY_S = 10
BLOCK_NUMBER_MAX = 10**15 - 1
SESSION_CHECKED_MS = 10_000
"""How often a stream looks whether the session that opened it still is one."""

router = APIRouter(prefix="/v1", tags=["events"])


async def a_stream(services: LiveServices) -> AsyncIterator[None]:
    """A place among the open streams; 429 when all are taken."""
    if not services.streams.take():
        raise RequestRefused(
            Problem.TOO_MANY_REQUESTS,
            f"{services.streams.limit} streams are open",
            headers={"Retry-After": str(STREAM_RETRY_S)},
        )
    try:
        yield
    finally:
        services.streams.give_back()


@router.get("/events", response_class=EventSourceResponse, dependencies=[Depends(a_stream)])
async def events(
    request: Request,
    viewer: MaybeSignedIn,
    last_event_id: Annotated[str | None, Header(pattern=r"^[0-9]{1,15}$")] = None,
    after: Annotated[int | None, Query(ge=0, le=BLOCK_NUMBER_MAX)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """One `block` event per block; its id is the block's number, so a client resumes after it.

    `after` is the same for a browser's first call, which cannot name a `Last-Event-ID`. Without
    both the stream begins with the next block. `data` names the block, its
    transactions and the contract events in it; what an event carries is for those who read its
    transaction (`gateway.transactions.insight`), and null for others.
    """
    services = services_of(request)
    seen = after if last_event_id is None else int(last_event_id)
    start = services.blocks.height if seen is None else seen + 1
    checked_ms = services.clock_ms()
    async for number in _numbers(services, start, request):
        if services.clock_ms() - checked_ms >= SESSION_CHECKED_MS:
            checked_ms = services.clock_ms()
            if await run_in_threadpool(viewer_or_none, request) != viewer:
                return  # signed out: the client resumes as who it is now
        if number is None:
            yield ServerSentEvent(comment="still here")
            continue
        try:
            block = await services.feed.block(number)
        except DatabaseUnavailable:
            block = None
        if block is None:
            return  # the read model is away or being rebuilt: the client resumes where it was
        yield ServerSentEvent(event="block", id=str(number), data=_shown(block, viewer))


async def _numbers(services: Services, start: int, request: Request) -> AsyncIterator[int | None]:
    """Block numbers from `start` on as they are applied; `None` after a quiet while."""
    number = start
    while not await request.is_disconnected():
        if number < services.blocks.height:
            yield number
            number += 1
            continue
        try:
            async with asyncio.timeout(KEEP_ALIVE_MS / 1000):
                await services.blocks.next(number)
        except TimeoutError:
            yield None


def _shown(block: AnnouncedBlock, viewer: Viewer | None) -> NewBlock:
    return NewBlock(
        number=block.number,
        hash=block.hash.hex(),
        transaction_ids=list(block.transaction_ids),
        events=[_shown_event(announced, viewer) for announced in block.events],
    )


def _shown_event(announced: AnnouncedEvent, viewer: Viewer | None) -> BlockEvent:
    is_read = _concerns(announced, viewer)
    payload = event_payload(announced.event.payload) if is_read else None
    return BlockEvent(announced.event.tx_id, announced.event.name, payload)


def _concerns(announced: AnnouncedEvent, viewer: Viewer | None) -> bool:
    if viewer is None:
        return False
    is_own = viewer.idgrid in announced.readers and viewer.may(Scope.OWN_READ)
    return is_own or sees_all_of(viewer, announced.event.function)
