"""Lists of the market's pages, as far back as they go: own orders, offers, requests, deals.

Each page shows the first rows of its lists and leads here.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from gateway.api.access import SignedIn, UsedServices
from gateway.api.marketplace_routes import After
from gateway.books.order_progress import OrderPlace
from gateway.web.market_page import own_orders, tradable_sources
from gateway.web.marketplace_page import Listed, marketplace_view
from gateway.web.own_pages import household_of, reader_or_none
from gateway.web.state_texts import ORDER_STATES, POST_LABELS, REASONS, STATE_TONES
from gateway.web.templating import language_of, page

ORDER_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{1,15}:[!-~]{1,128}$"

router = APIRouter(include_in_schema=False)


@router.get("/market/orders")
def orders(
    request: Request,
    services: UsedServices,
    viewer: SignedIn,
    before: Annotated[str | None, Query(pattern=ORDER_PATTERN)] = None,
) -> HTMLResponse:
    """Every order of the household and what became of it."""
    found = own_orders(services, household_of(viewer), below=OrderPlace.of_cursor(before))
    return page(
        request,
        "market_orders.html",
        section="market",
        found=found,
        order_states=ORDER_STATES,
        tones=STATE_TONES,
        reasons=REASONS,
    )


@router.get("/marketplace")
def marketplace(request: Request, services: UsedServices) -> HTMLResponse:
    """Offers and requests between two households."""
    return _posts(request, services, Listed.ALL, None)


@router.get("/marketplace/offers")
def offers(request: Request, services: UsedServices, before: After = None) -> HTMLResponse:
    """Every offer ever made; the forms of those open."""
    return _posts(request, services, Listed.OFFERS, before)


@router.get("/marketplace/requests")
def requests(request: Request, services: UsedServices, before: After = None) -> HTMLResponse:
    """Every request."""
    return _posts(request, services, Listed.REQUESTS, before)


@router.get("/marketplace/deals")
def deals(
    request: Request, services: UsedServices, viewer: SignedIn, before: After = None
) -> HTMLResponse:
    """Every deal of the household that waits for readings."""
    household_of(viewer)
    return _posts(request, services, Listed.DEALS, before)


def _posts(
    request: Request, services: UsedServices, listed: Listed, before: str | None
) -> HTMLResponse:
    viewer = reader_or_none(request)
    view = marketplace_view(services, viewer, language_of(request), listed=listed, before=before)
    return page(
        request,
        "marketplace.html",
        section="market",
        view=view,
        labels=POST_LABELS,
        sources=tradable_sources(services, viewer.idgrid) if viewer and viewer.idgrid else [],
    )
