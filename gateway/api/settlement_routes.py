"""Reading settlements: notices, movements of an account, monthly statements, currencies."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse

from gateway.api.access import OwnReader, UsedServices, require_sight
from gateway.api.market_answers import MonthStatement
from gateway.api.schemas import PAGE_DEFAULT, Page, PageLimit
from gateway.errors import Problem, RequestRefused
from gateway.readmodel import movement_queries
from gateway.readmodel.movement_rows import OWN_PURSE
from gateway.readmodel.records import Movement, Position
from gateway.services import Services
from gateway.statements.settlements import MonthlyStatement, Notice, as_json
from gateway.statements.statement_files import as_csv, as_pdf

router = APIRouter(prefix="/v1", tags=["settlement"])

UTOKEN_MAX = 10**18
Idgrid = Annotated[str, Path(pattern=r"^[A-Z0-9-]{4,32}$")]
MONTH_PATTERN = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"
Month = Annotated[str, Path(pattern=MONTH_PATTERN)]
PLACE_PATTERN = r"^[0-9]{1,15}:[0-9]{1,9}$"
Before = Annotated[str | None, Query(pattern=PLACE_PATTERN)]
"""The `next` of the page before."""
GROUP_CHARACTERS_MAX = 64
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "pdf": "application/pdf"}

STATEMENT_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/pdf": {"schema": {"type": "string", "format": "binary"}},
        }
    }
}


@router.get("/accounts/{idgrid}/inbox")
def inbox(
    idgrid: Idgrid,
    services: UsedServices,
    viewer: OwnReader,
    before: Before = None,
    limit: PageLimit = PAGE_DEFAULT,
) -> Page[Notice]:
    """What settlements, corrections and deals did on an account, the newest first.

    What one transaction did is on one page, even if that has more than `limit` then.
    """
    require_sight(viewer, idgrid)
    settlements = services.settlements
    below = Position.of_cursor(before)
    found = settlements.notices_page(idgrid, below=below, limit=limit)
    return Page(items=found.items, next=found.next, height=settlements.height)


@router.get("/accounts/{idgrid}/movements")
def movements(
    idgrid: Idgrid,
    services: UsedServices,
    viewer: OwnReader,
    before: Before = None,
    group_id: Annotated[str, Query(max_length=GROUP_CHARACTERS_MAX)] = OWN_PURSE,
    limit: PageLimit = PAGE_DEFAULT,
) -> Page[Movement]:
    """Whatever changed an account, or with `group_id` its part of a group's purse; newest first.

    The changes of all movements add up to what is there.
    """
    require_sight(viewer, idgrid)
    found = movement_queries.movements(
        services.readmodel,
        idgrid,
        group_id=group_id,
        below=Position.of_cursor(before),
        limit=limit,
    )
    return Page(items=found.items, next=found.next, height=services.readmodel.height)


@router.get("/accounts/{idgrid}/statements/{month}", response_model=MonthStatement)
def statement(
    idgrid: Idgrid, month: Month, services: UsedServices, viewer: OwnReader
) -> dict[str, Any]:
    """A household's month; `is_issued` once the community's statements are issued."""
    require_sight(viewer, idgrid)
    return as_json(month_or_refusal(services, idgrid, month))


@router.get("/invoices/{month}", response_model=MonthStatement, responses=STATEMENT_FILES)
def invoice(
    month: Month,
    services: UsedServices,
    viewer: OwnReader,
    idgrid: Annotated[str | None, Query(pattern=r"^[A-Z0-9-]{4,32}$")] = None,
    file: Annotated[Literal["json", "csv", "pdf"], Query()] = "json",
) -> Response:
    """One's own month, or any household's for the manager, as JSON, CSV or PDF."""
    name = idgrid or viewer.idgrid
    require_sight(viewer, name)
    found = month_or_refusal(services, name, month)
    if file == "json":
        return JSONResponse(as_json(found))
    content = (
        as_csv(found)
        if file == "csv"
        else as_pdf(
            found,
            services.community_name,
            services.local_time,
            currencies=services.currencies,
        )
    )
    disposition = f'attachment; filename="statement-{month}-{name}.{file}"'
    return Response(
        content, media_type=MEDIA_TYPES[file], headers={"content-disposition": disposition}
    )


@router.get("/currencies")
def currencies(
    services: UsedServices, utoken: Annotated[int, Query(ge=-UTOKEN_MAX, le=UTOKEN_MAX)]
) -> dict[str, str]:
    """An amount of micro-tokens, or a price per kWh, in every unit the community shows."""
    return services.currencies.in_all(utoken)


def month_or_refusal(services: Services, idgrid: str, month: str) -> MonthlyStatement:
    found = services.settlements.month(idgrid, month)
    if found.is_empty:
        raise RequestRefused(
            Problem.NOT_FOUND, f"{idgrid} has no settled hour and no movement in {month}"
        )
    return found
