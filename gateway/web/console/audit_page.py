"""The audit log: what staff signed, from the ledger, and what the gateway noted beside it."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse

from gateway.api.access import UsedServices
from gateway.readmodel.records import Position
from gateway.readmodel.staff_queries import privileged_actions
from gateway.web.console.log_texts import LOG_ACTIONS, actor_text, detail_text
from gateway.web.console.pages import ROWS, SECTION, the_manager
from gateway.web.explorer.code_texts import CODE_TEXTS
from gateway.web.templating import language_of, page

router = APIRouter(prefix="/console", include_in_schema=False, dependencies=[Depends(the_manager)])


@router.get("/audit")
def audit(
    request: Request,
    services: UsedServices,
    below: Annotated[str | None, Query(pattern=r"^\d{1,15}:\d{1,6}$")] = None,
    noted: Annotated[str | None, Query(pattern=r"^\d{15}-[0-9a-f]{8}$")] = None,
    function: Annotated[str | None, Query(pattern=r"^[A-Za-z_:]{1,64}$")] = None,
) -> HTMLResponse:
    """Everything staff signed, and what the gateway noted of keys, letters and files.

    Each list goes on by itself: `below` is a place on the ledger, `noted` an entry of the gateway.
    """
    found = privileged_actions(
        services.readmodel,
        below=Position.of_cursor(below),
        limit=ROWS,
        function=function,
    )
    notes = services.people.log.entries(below=noted, limit=ROWS + 1)
    entries, words = notes[:ROWS], language_of(request)
    return page(
        request,
        "console/audit.html",
        section=SECTION,
        actions=found.items,
        following=found.next,
        function=function,
        below=below,
        noted=noted,
        older_notes=entries[-1].entry_id if len(notes) > ROWS else None,
        address=lambda **place: _address(function=function, **place),
        codes=CODE_TEXTS,
        entries=entries,
        log_actions=LOG_ACTIONS,
        actors={one.entry_id: actor_text(words, one.actor) for one in entries},
        details={one.entry_id: detail_text(words, one.detail) for one in entries},
    )


def _address(**asked: str | None) -> str:
    """This page with what is asked for, as far as anything is."""
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"/console/audit?{query}"
