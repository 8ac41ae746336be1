"""The page and its live part, rendered on the server; works without the script."""

from fastapi import APIRouter, Request
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse

from gateway.api.access import UsedServices, viewer_or_none
from gateway.web.marketplace_page import marketplace_view
from gateway.web.page import PageView, hour_label, kwh, page_view, tokens
from gateway.web.templating import FOLDER, template

router = APIRouter(include_in_schema=False)
static_files = StaticFiles(directory=FOLDER / "static")


@router.get("/")
def page(request: Request, services: UsedServices) -> HTMLResponse:
    """The whole page."""
    return HTMLResponse(render("page.html", page_view(services, viewer_or_none(request))))


@router.get("/live")
def live(request: Request, services: UsedServices) -> HTMLResponse:
    """The sections that change, for the script."""
    return HTMLResponse(render("live.html", page_view(services, viewer_or_none(request))))


@router.get("/marketplace")
def marketplace(request: Request, services: UsedServices) -> HTMLResponse:
    """Offers and requests between two households."""
    view = marketplace_view(services, viewer_or_none(request))
    return HTMLResponse(template("marketplace.html").render(view=view, tokens=tokens, kwh=kwh))


def render(name: str, view: PageView) -> str:
    """A template with the view and the number formats."""

    def label(listing_id: str) -> str:
        return hour_label(listing_id, view.utc_offset_minutes)

    return template(name).render(view=view, tokens=tokens, kwh=kwh, label=label)
