"""The explorer's pages. What households' transactions contain is shown to those who may see it."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse

from gateway.api.access import SignedIn, UsedServices, require_sight, viewer_or_none
from gateway.api.views import event_payload
from gateway.errors import Problem, RequestRefused
from gateway.identity.sessions import Viewer
from gateway.readmodel import ledger_queries, market_queries
from gateway.readmodel.records import Found, Position
from gateway.services import Services
from gateway.transactions.insight import insight, sees_read_write_set
from gateway.transactions.opened import opened
from gateway.web.explorer.code_texts import CODE_TEXTS
from gateway.web.state_texts import FOUND_KINDS, LISTING_STATES
from gateway.web.templating import page
from ledger.model.codes import ValidationCode

ROWS = 25
"""Of one page."""
SEARCH_CHARACTERS_MAX = 100
NUMBER_MAX = 10**15

router = APIRouter(prefix="/explorer", include_in_schema=False)

Number = Annotated[int, Path(ge=0, le=NUMBER_MAX)]
TransactionId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
ListingId = Annotated[str, Path(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}$")]
Idgrid = Annotated[str, Path(pattern=r"^[A-Z0-9-]{4,32}$")]
Below = Annotated[str | None, Query(pattern=r"^\d{1,15}:\d{1,6}$")]


@router.get("")
def overview(request: Request, services: UsedServices) -> HTMLResponse:
    """The newest blocks and transactions, and the search."""
    model = services.readmodel
    return page(
        request,
        "explorer/overview.html",
        blocks=model.blocks(None, 10).items,
        transactions=model.transactions(limit=10).items,
        codes=CODE_TEXTS,
    )


@router.get("/blocks")
def blocks(
    request: Request,
    services: UsedServices,
    below: Annotated[int | None, Query(ge=0, le=NUMBER_MAX)] = None,
) -> HTMLResponse:
    """Blocks, the newest first."""
    found = services.readmodel.blocks(below, ROWS)
    return page(request, "explorer/blocks.html", blocks=found.items, following=found.next)


@router.get("/blocks/{number}")
def block(request: Request, services: UsedServices, number: Number) -> HTMLResponse:
    """One block: hashes, consensus, seals, transactions."""
    found = services.readmodel.block(number)
    if found is None:
        raise RequestRefused(Problem.NOT_FOUND, f"there is no block {number} here")
    config = ledger_queries.channel_config(services.readmodel)
    return page(
        request,
        "explorer/block.html",
        block=found,
        members={one.consenter_id: one.mspid for one in config.consenters} if config else {},
        transactions=services.readmodel.transactions_of_block(number),
        codes=CODE_TEXTS,
    )


@router.get("/transactions")
def transactions(
    request: Request,
    services: UsedServices,
    below: Below = None,
    function: Annotated[str | None, Query(pattern=r"^[A-Za-z_:]{1,64}$")] = None,
    member: Annotated[str | None, Query(pattern=r"^[A-Za-z][A-Za-z0-9.-]{0,63}$")] = None,
    code: Annotated[str | None, Query(pattern=r"^[A-Z_]{1,40}$")] = None,
) -> HTMLResponse:
    """Transactions, the newest first, of a function, a member or a code."""
    if code is not None and code not in ValidationCode.__members__:
        raise RequestRefused(Problem.NOT_FOUND, f"there is no code {code}")
    found = services.readmodel.transactions(
        below=Position.of_cursor(below),
        limit=ROWS,
        function=function,
        member=member,
        code=None if code is None else ValidationCode[code],
    )
    chosen = {"function": function, "member": member, "code": code}
    return page(
        request,
        "explorer/transactions.html",
        transactions=found.items,
        following=found.next,
        query="".join(f"&{name}={quote(text)}" for name, text in chosen.items() if text),
        chosen=[text for text in chosen.values() if text],
        codes=CODE_TEXTS,
    )


@router.get("/transactions/{tx_id}")
def transaction(request: Request, services: UsedServices, tx_id: TransactionId) -> HTMLResponse:
    """One transaction: status, code in words, event, what it read and wrote; or that it waits."""
    model = services.readmodel
    record = services.transactions.find(tx_id)
    if record is None:
        return page(request, "explorer/waiting.html", tx_id=tx_id)
    viewer = viewer_or_none(request)
    is_open = sees_read_write_set(model, viewer, record)
    is_read = is_open or insight(model, viewer, [record])(record)
    signer = model.identity(record.creator)
    return page(
        request,
        "explorer/transaction.html",
        record=record,
        is_valid=record.code is ValidationCode.VALID,
        code_text=CODE_TEXTS[record.code],
        is_read=is_read,
        signer=signer,
        payload=event_payload(record.event_payload) if is_read else None,
        content=opened(model, record) if is_open else None,
        has_receipt=record.block_number > 0,
        is_awaited="hx-request" in request.headers,
    )


@router.get("/events")
def events(request: Request, services: UsedServices, below: Below = None) -> HTMLResponse:
    """What valid transactions announced, the newest first."""
    model = services.readmodel
    found = model.announcing(below=Position.of_cursor(below), limit=ROWS)
    sees = insight(model, viewer_or_none(request), found.items)
    payloads = {
        record.tx_id: event_payload(record.event_payload) for record in found.items if sees(record)
    }
    return page(
        request,
        "explorer/events.html",
        events=found.items,
        payloads=payloads,
        following=found.next,
    )


@router.get("/orders")
def orders(
    request: Request,
    services: UsedServices,
    before: Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}$")] = None,
) -> HTMLResponse:
    """Listings, the latest first."""
    found = market_queries.listings(services.readmodel, before=before, limit=ROWS)
    return page(
        request,
        "explorer/orders.html",
        listings=found.items,
        following=found.next,
        states=LISTING_STATES,
    )


@router.get("/orders/{listing_id}")
def orders_of_listing(
    request: Request,
    services: UsedServices,
    listing_id: ListingId,
    below: Annotated[str | None, Query(max_length=200)] = None,
) -> HTMLResponse:
    """A listing's orders without names; one's own, and all for the manager, with them."""
    if services.market.listing(listing_id) is None:
        raise RequestRefused(Problem.NOT_FOUND, f"there is no listing {listing_id}")
    found = market_queries.orders_of_listing(
        services.readmodel, listing_id, below=below, limit=ROWS
    )
    viewer = viewer_or_none(request)
    named = {o.idgrid for o in found.items if viewer is not None and viewer.may_see(o.idgrid)}
    return page(
        request,
        "explorer/listing.html",
        listing_id=listing_id,
        orders=found.items,
        following=found.next,
        named=named,
    )


@router.get("/contracts")
def contracts(request: Request, services: UsedServices) -> HTMLResponse:
    """The chaincodes that the members have committed."""
    return page(
        request,
        "explorer/contracts.html",
        contracts=ledger_queries.contracts(services.readmodel),
    )


@router.get("/members")
def members(request: Request, services: UsedServices) -> HTMLResponse:
    """Members and validators, as the newest configuration names them."""
    return page(
        request,
        "explorer/members.html",
        config=ledger_queries.channel_config(services.readmodel),
    )


@router.get("/households/{idgrid}")
def household(
    request: Request, services: UsedServices, viewer: SignedIn, idgrid: Idgrid, below: Below = None
) -> HTMLResponse:
    """An account and its transactions; for the household itself and the manager."""
    require_sight(viewer, idgrid)
    found = services.readmodel.activity(idgrid, below=Position.of_cursor(below), limit=ROWS)
    return page(
        request,
        "explorer/household.html",
        idgrid=idgrid,
        account=services.community.account(idgrid),
        transactions=found.items,
        signed={
            record.tx_id
            for record in found.items
            if (signer := services.readmodel.identity(record.creator)) and signer.idgrid == idgrid
        },
        following=found.next,
        codes=CODE_TEXTS,
    )


@router.get("/search")
def search(
    request: Request,
    services: UsedServices,
    q: Annotated[str, Query(min_length=1, max_length=SEARCH_CHARACTERS_MAX)],
) -> HTMLResponse:
    """Straight to the only hit, else all of them."""
    hits = _places(services, q, viewer_or_none(request))
    if len(hits) == 1:
        return RedirectResponse(hits[0][1], status_code=303)  # type: ignore[return-value]
    return page(request, "explorer/search.html", asked=q, hits=hits, kinds=FOUND_KINDS)


def _places(services: Services, asked: str, viewer: Viewer | None) -> list[tuple[Found, str]]:
    """(hit, address) of each hit. Of other households nobody learns whether they exist."""
    found = ledger_queries.search(services.readmodel, asked)
    return [
        (hit, _address(hit))
        for hit in found
        if hit.kind != "household" or (viewer is not None and viewer.may_see(hit.id))
    ]


def _address(hit: Found) -> str:
    place = quote(hit.id)
    return {
        "block": f"/explorer/blocks/{place}",
        "transaction": f"/explorer/transactions/{place}",
        "household": f"/explorer/households/{place}",
        "listing": f"/explorer/orders/{place}",
        "member": f"/explorer/transactions?member={place}",
        "function": f"/explorer/transactions?function={place}",
    }[hit.kind]
