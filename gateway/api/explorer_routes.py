"""Blocks and their consensus certificates, and search."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query

from gateway.api.access import MaybeSignedIn, UsedServices
from gateway.api.ledger_answers import BlockAnswer, SearchHit, WholeBlock
from gateway.api.schemas import PAGE_DEFAULT, Page, PageLimit
from gateway.api.views import block_view, transaction_status
from gateway.errors import Problem, RequestRefused
from gateway.readmodel import ledger_queries
from gateway.transactions.insight import insight

BLOCK_NUMBER_MAX = 10**15

router = APIRouter(prefix="/v1", tags=["explorer"])


@router.get("/blocks")
def blocks(
    services: UsedServices,
    below: Annotated[int | None, Query(ge=0, le=BLOCK_NUMBER_MAX)] = None,
    limit: PageLimit = PAGE_DEFAULT,
) -> Page[BlockAnswer]:
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
    number: Annotated[int, Path(ge=0, le=BLOCK_NUMBER_MAX)],
    services: UsedServices,
    viewer: MaybeSignedIn,
) -> WholeBlock:
    """One block with its transactions."""
    found = services.readmodel.block(number)
    if found is None:
        raise RequestRefused(Problem.NOT_FOUND, f"there is no block {number} here")
    records = [
        record for record in services.readmodel.transactions_of_block(number) if record.tx_id
    ]
    sees = insight(services.readmodel, viewer, records)
    shown = block_view(found, [record.tx_id for record in records])
    return WholeBlock(
        **asdict(shown),
        transactions=[transaction_status(each, inside=sees(each)) for each in records],
    )


@router.get("/search")
def search(
    services: UsedServices,
    q: Annotated[str, Query(pattern=r"^([0-9]{1,15}|[0-9a-f]{64})$")],
) -> SearchHit:
    """Where a block number, block hash or transaction id leads."""
    hits = ledger_queries.search(services.readmodel, q)
    for hit in hits:
        if hit.kind in {"block", "transaction"}:
            return SearchHit(hit.kind, f"/v1/{hit.kind}s/{hit.id}")
    raise RequestRefused(Problem.NOT_FOUND, "no block and no transaction has this number or hash")
