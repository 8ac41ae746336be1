"""Pages about keys: joining with a letter, signing in, the manager's letters and approvals."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from gateway.api.access import SignedIn, UsedServices, require_manager
from gateway.web.templating import page

router = APIRouter(include_in_schema=False)


@router.get("/enrol")
def enrol(request: Request) -> HTMLResponse:
    """For who has a letter; its code stands behind `#` and does not come here."""
    return page(request, "keys/enrol.html")


@router.get("/login")
def login(request: Request) -> HTMLResponse:
    """Passkey, or IDgrid and password."""
    return page(request, "keys/login.html")


@router.get("/manager/keys")
def manager_keys(request: Request, services: UsedServices, viewer: SignedIn) -> HTMLResponse:
    """Manager: letters, and keys that wait."""
    require_manager(viewer)
    participants = services.community.participants()
    return page(request, "keys/manager.html", section="console", participants=participants)
