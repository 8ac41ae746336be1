"""The account's lists, as far back as they go: statements, settlements, movements.

The account page shows the first rows of each and leads here; the household's activity goes on in
the explorer.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from gateway.api.access import SignedIn, UsedServices
from gateway.api.settlement_routes import GROUP_CHARACTERS_MAX, MONTH_PATTERN, Before
from gateway.readmodel.movement_rows import OWN_PURSE
from gateway.readmodel.records import Position, Slice
from gateway.services import Services
from gateway.statements.account_month import account_lines
from gateway.statements.statement_files import CAUSES
from gateway.web.own_pages import household_of
from gateway.web.templating import page

ROWS = 50
"""Of one page."""
MONTHS = 36
"""Of one page."""

router = APIRouter(prefix="/account", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class StatementLinks:
    """A month with settled hours: its name in the files (UTC) and a day of it to show."""

    month: str
    shown: datetime


def statement_links(
    services: Services, idgrid: str, *, before: str = "", limit: int
) -> Slice[StatementLinks]:
    """Months with a statement, the latest first; `before` is the `next` of the page before."""
    months = services.settlements.months(idgrid)
    left = [month for month in months if not before or month < before]
    links = [StatementLinks(one, datetime.fromisoformat(f"{one}-15")) for one in left[:limit]]
    return Slice(links, links[-1].month if len(left) > limit else None)


@router.get("/statements")
def statements(
    request: Request,
    services: UsedServices,
    viewer: SignedIn,
    before: Annotated[str, Query(pattern=f"^$|{MONTH_PATTERN}")] = "",
) -> HTMLResponse:
    """Every month's statement."""
    found = statement_links(services, household_of(viewer), before=before, limit=MONTHS)
    return _listed(request, "statements", found)


@router.get("/settlements")
def settlements(
    request: Request, services: UsedServices, viewer: SignedIn, before: Before = None
) -> HTMLResponse:
    """Every settlement, correction and deal with its receipt."""
    found = services.settlements.notices_page(
        household_of(viewer), below=Position.of_cursor(before), limit=ROWS
    )
    return _listed(request, "settlements", found)


@router.get("/movements")
def movements(
    request: Request,
    services: UsedServices,
    viewer: SignedIn,
    before: Before = None,
    group: Annotated[str, Query(max_length=GROUP_CHARACTERS_MAX)] = OWN_PURSE,
) -> HTMLResponse:
    """Whatever changed the account, or the household's part of a group's purse."""
    found = account_lines(
        services.readmodel,
        household_of(viewer),
        group_id=group,
        below=Position.of_cursor(before),
        limit=ROWS,
    )
    return _listed(request, "movements", found, group=group)


def _listed(
    request: Request, listed: str, found: Slice[Any], *, group: str = OWN_PURSE
) -> HTMLResponse:
    return page(
        request,
        "account_list.html",
        section="account",
        listed=listed,
        found=found,
        group=group,
        causes=CAUSES,
    )
