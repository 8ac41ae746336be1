"""Blocks and their consensus certificates, search, and the live stream of events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from gateway.api.access import LiveServices, UsedServices, services_of
from gateway.api.schemas import PAGE_DEFAULT, Page, PageLimit
from gateway.api.views import block_view, event_payload, transaction_status
from gateway.errors import Problem, RequestRefused
from gateway.readmodel import ledger_queries
from gateway.services import Services

BLOCK_NUMBER_MAX = 10**15
KEEP_ALIVE_MS = 15_000
STREAM_RETRY_S = 10

router = APIRouter(prefix="/v1", tags=["explorer"])


@router.get("/blocks")
def blocks(
    services: UsedServices,
    below: Annotated[int | None, Query(ge=0, le=BLOCK_NUMBER_MAX)] = None,
    limit: PageLimit = PAGE_DEFAULT,
) -> Page[dict[str, Any]]:
    """Blocks, the newest first; `below` is the `next` of the page before."""
    readmodel = services.readmodel
    found = readmodel.blocks(below, limit)
    ids: dict[int, list[str]] = {}
    if found.items:
        ids = readmodel.transaction_ids(found.items[-1].number, found.items[0].number)
    shown = [block_view(block, ids.get(block.number, [])) for block in found.items]
    return Page(items=shown, next=found.next, height=readmodel.height)


@router.get("/blocks/{number}")
def block(
    number: Annotated[int, Path(ge=0, le=BLOCK_NUMBER_MAX)], services: UsedServices
) -> dict[str, Any]:
    """One block with its transactions."""
    found = services.readmodel.block(number)
    if found is None:
        raise RequestRefused(Problem.NOT_FOUND, f"there is no block {number} here")
    records = [
        record for record in services.readmodel.transactions_of_block(number) if record.tx_id
    ]
    shown = [transaction_status(record).model_dump() for record in records]
    return block_view(found, [record.tx_id for record in records]) | {"transactions": shown}


@router.get("/search")
def search(
    services: UsedServices,
    q: Annotated[str, Query(pattern=r"^(\d{1,15}|[0-9a-f]{64})$")],
) -> dict[str, Any]:
    """Where a block number, block hash or transaction id leads."""
    hits = ledger_queries.search(services.readmodel, q)
    for hit in hits:
        if hit.kind in {"block", "transaction"}:
            return {"kind": hit.kind, "location": f"/v1/{hit.kind}s/{hit.id}"}
    raise RequestRefused(Problem.NOT_FOUND, "no block and no transaction has this number or hash")


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
    last_event_id: Annotated[str | None, Header(pattern=r"^\d{1,15}$")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """One `block` event per block; its id is the block's number, so a client resumes after it.

    Without `Last-Event-ID` the stream begins with the next block. `data` names the block, its
    transactions and the contract events in it.
    """
    services = services_of(request)
    start = services.blocks.height if last_event_id is None else int(last_event_id) + 1
    async for number in _numbers(services, start, request):
        if number is None:
            yield ServerSentEvent(comment="still here")
            continue
        data = await asyncio.to_thread(_event_data, services, number)
        yield ServerSentEvent(event="block", id=str(number), data=data)


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


def _event_data(services: Services, number: int) -> dict[str, Any]:
    readmodel = services.readmodel
    with readmodel.at_one_height():
        block = readmodel.block(number)
        assert block is not None, "the height is announced after the block is applied"
        return {
            "number": number,
            "hash": block.hash.hex(),
            "transaction_ids": readmodel.transaction_ids(number, number).get(number, []),
            "events": [
                {"transaction_id": e.tx_id, "name": e.name, "payload": event_payload(e.payload)}
                for e in readmodel.events_of(number)
            ],
        }
