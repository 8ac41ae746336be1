"""Blocks and their consensus certificates, search, and the live stream of events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from gateway.api.access import UsedServices, services_of
from gateway.api.schemas import PAGE_DEFAULT, Page, PageLimit
from gateway.api.views import block_view, event_payload, transaction_status
from gateway.errors import Problem, RequestRefused
from gateway.projection import BlockRecord
from gateway.services import Services

KEEP_ALIVE_MS = 15_000
STREAM_RETRY_S = 10

router = APIRouter(prefix="/v1", tags=["explorer"])


@router.get("/blocks")
async def blocks(
    services: UsedServices,
    below: Annotated[int | None, Query(ge=0)] = None,
    limit: PageLimit = PAGE_DEFAULT,
) -> Page[dict[str, Any]]:
    """Blocks, the newest first; `below` is the `next` of the page before."""
    height = services.projection.height
    found = services.projection.blocks(height if below is None else below, limit)
    following = str(found[-1].number) if found and found[-1].number > 0 else None
    return Page(items=[block_view(block) for block in found], next=following, height=height)


@router.get("/blocks/{number}")
async def block(number: Annotated[int, Path(ge=0)], services: UsedServices) -> dict[str, Any]:
    """One block with its transactions."""
    found = services.projection.block(number)
    if found is None:
        raise RequestRefused(Problem.NOT_FOUND, f"there is no block {number} here")
    records = [services.projection.transaction(tx_id) for tx_id in found.tx_ids]
    shown = [transaction_status(record).model_dump() for record in records if record is not None]
    return block_view(found) | {"transactions": shown}


@router.get("/search")
async def search(
    services: UsedServices,
    q: Annotated[str, Query(pattern=r"^(\d{1,15}|[0-9a-f]{64})$")],
) -> dict[str, Any]:
    """Where a block number, block hash or transaction id leads."""
    projection = services.projection
    found = projection.block(int(q)) if q.isdigit() and len(q) < 16 else None  # noqa: PLR2004
    if found is None and len(q) == 64:  # noqa: PLR2004 - SHA-256 in hex
        found = projection.block_by_hash(bytes.fromhex(q))
    if found is not None:
        return {"kind": "block", "location": f"/v1/blocks/{found.number}"}
    if projection.transaction(q) is not None:
        return {"kind": "transaction", "location": f"/v1/transactions/{q}"}
    raise RequestRefused(Problem.NOT_FOUND, "no block and no transaction has this number or hash")


async def a_stream(services: UsedServices) -> AsyncIterator[None]:
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
    last_event_id: Annotated[str | None, Header(pattern=r"^\d{1,15}$")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """One `block` event per block; its id is the block's number, so a client resumes after it.

    Without `Last-Event-ID` the stream begins with the next block. `data` names the block, its
    transactions and the contract events in it.
    """
    services = services_of(request)
    start = services.projection.height if last_event_id is None else int(last_event_id) + 1
    async for number in _numbers(services, start, request):
        if number is None:
            yield ServerSentEvent(comment="still here")
            continue
        found = services.projection.block(number)
        if found is not None:
            yield ServerSentEvent(event="block", id=str(number), data=_event_data(services, found))


async def _numbers(services: Services, start: int, request: Request) -> AsyncIterator[int | None]:
    """Block numbers from `start` on as they are applied; `None` after a quiet while."""
    number = start
    while not await request.is_disconnected():
        if number < services.projection.height:
            yield number
            number += 1
            continue
        try:
            async with asyncio.timeout(KEEP_ALIVE_MS / 1000):
                await services.blocks.next(number)
        except TimeoutError:
            yield None


def _event_data(services: Services, block: BlockRecord) -> dict[str, Any]:
    number = block.number
    return {
        "number": number,
        "hash": block.hash.hex(),
        "transaction_ids": list(block.tx_ids),
        "events": [
            {"transaction_id": e.tx_id, "name": e.name, "payload": event_payload(e.payload)}
            for e in services.projection.events_of(number)
        ],
    }
