"""The manager's page about devices' links and stored data: who got in, what was changed."""

import asyncio
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse

from chaincode.energy.hours import TIME_MS_MAX
from gateway.api.access import LiveServices, UsedServices
from gateway.books.quarantined import quarantined
from gateway.hems.alarms import AlarmBook, AlarmKind
from gateway.hems.link_audit import CERTIFICATE_DAYS_MIN, Concern
from gateway.web.console.pages import ROWS, SECTION, the_manager
from gateway.web.languages import N_
from gateway.web.state_texts import DOUBT_TEXTS, LISTING_STATES
from gateway.web.templating import page

CONCERN_TEXTS: Mapping[Concern, str] = {
    Concern.OLD_CREDENTIAL: N_("its token is older than a year"),
    Concern.FAILED_LOGINS: N_("failed logins in the last week"),
    Concern.NO_FIRMWARE: N_("it tells no version"),
    Concern.NEVER_CONNECTED: N_("it never signed in"),
    Concern.STRANGER: N_("belongs to no device"),
}

router = APIRouter(prefix="/console", include_in_schema=False, dependencies=[Depends(the_manager)])


@router.get("/security")
def security(request: Request, services: UsedServices) -> HTMLResponse:
    """Every device's link with its firmware; whether the raw data is what was anchored."""
    watch = services.tamper_watch
    book = AlarmBook(services.readmodel.database)
    return page(
        request,
        "console/security.html",
        section=SECTION,
        links=services.link_audit.found() if services.link_audit is not None else None,
        certificate_days=services.link_audit.certificate_days() if services.link_audit else None,
        certificate_days_min=CERTIFICATE_DAYS_MIN,
        concern_texts=CONCERN_TEXTS,
        now_ms=services.clock_ms(),
        is_anchoring=watch is not None,
        comparison=watch.latest if watch is not None else None,
        tampered=book.standing(kind=AlarmKind.TAMPERED),
    )


@router.get("/quarantine")
def quarantine(
    request: Request,
    services: UsedServices,
    below: Annotated[int | None, Query(ge=0, le=TIME_MS_MAX)] = None,
) -> HTMLResponse:
    """Readings that were not believed: why, of which meter, and the hour that may lack them."""
    found = quarantined(services.readmodel, services.community, None, below=below, limit=ROWS + 1)
    return page(
        request,
        "console/quarantine.html",
        section=SECTION,
        entries=found[:ROWS],
        following=found[ROWS - 1].reading.number if len(found) > ROWS else None,
        doubt_texts=DOUBT_TEXTS,
        listing_states=LISTING_STATES,
    )


@router.post("/security/check")
async def check(services: LiveServices) -> RedirectResponse:
    """Look at every device's link now."""
    if services.link_audit is not None:
        await asyncio.to_thread(services.link_audit.look)
    return RedirectResponse("/console/security", status_code=303)


@router.post("/security/compare")
async def compare(services: LiveServices) -> RedirectResponse:
    """Compare the raw data with its anchors now."""
    if services.tamper_watch is not None:
        await services.tamper_watch.compare_all()
    return RedirectResponse("/console/security", status_code=303)
