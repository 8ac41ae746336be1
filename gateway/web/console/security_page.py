"""The manager's page about devices' links and stored data: who got in, what was changed."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, RedirectResponse

from gateway.api.access import LiveServices, UsedServices
from gateway.hems.alarms import AlarmBook, AlarmKind
from gateway.web.console.pages import SECTION, the_manager
from gateway.web.templating import page

router = APIRouter(prefix="/console", include_in_schema=False, dependencies=[Depends(the_manager)])


@router.get("/security")
def security(request: Request, services: UsedServices) -> HTMLResponse:
    """Whether the raw data is what was anchored."""
    watch = services.tamper_watch
    book = AlarmBook(services.readmodel.database)
    return page(
        request,
        "console/security.html",
        section=SECTION,
        is_anchoring=watch is not None,
        comparison=watch.latest if watch is not None else None,
        tampered=book.standing(kind=AlarmKind.TAMPERED),
    )


@router.post("/security/compare")
async def compare(services: LiveServices) -> RedirectResponse:
    """Compare the raw data with its anchors now."""
    if services.tamper_watch is not None:
        await services.tamper_watch.compare_all()
    return RedirectResponse("/console/security", status_code=303)
