"""The community's terms: everybody may read them, a household agrees to them or takes it back."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from gateway.api.access import UsedServices, viewer_or_none
from gateway.web.templating import language_of, page
from gateway.web.terms import terms_of

router = APIRouter(include_in_schema=False)


@router.get("/terms")
def terms(request: Request, services: UsedServices) -> HTMLResponse:
    """The text; for a household its own consent, with when."""
    viewer = viewer_or_none(request)
    idgrid = viewer.idgrid if viewer else ""
    return page(
        request,
        "terms.html",
        section="account" if idgrid else "",
        terms=terms_of(services, language_of(request)),
        participant=services.community.participant(idgrid) if idgrid else None,
    )
