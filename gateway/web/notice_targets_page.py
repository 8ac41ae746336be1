"""A household's webhooks, a new one's secret shown once, and the end of its devices."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse

from gateway.api.access import LiveServices, SignedIn, UsedServices
from gateway.api.push_routes import push_devices_of
from gateway.api.webhook_routes import household_of, webhooks_of
from gateway.errors import Problem, RequestRefused
from gateway.notices.outbox import GIVEN_UP, SENT, WAITING
from gateway.notices.outside_http import URL_CHARACTERS_MAX
from gateway.notices.push_devices import PushDevice
from gateway.services import Services
from gateway.web.languages import N_
from gateway.web.templating import page

FORM_BYTES_MAX = 3 * URL_CHARACTERS_MAX + 100
"""Every character of an address may come as three."""
STATES: Mapping[str, str] = {
    WAITING: N_("is tried again"),
    SENT: N_("the newest arrived"),
    GIVEN_UP: N_("the newest was given up"),
}
router = APIRouter(include_in_schema=False)


@router.get("/notices/webhooks")
def webhooks(request: Request, services: UsedServices, viewer: SignedIn) -> HTMLResponse:
    """Where a household's notices are posted."""
    return _shown(request, services, household_of(viewer))


@router.post("/notices/webhooks")
async def add(request: Request, services: LiveServices, viewer: SignedIn) -> HTMLResponse:
    """A new one; the page shows its secret."""
    idgrid, form = household_of(viewer), await _form(request)
    secret, _ = await run_in_threadpool(
        webhooks_of(services).add,
        idgrid,
        form.get("url", ""),
        key_fingerprint=viewer.key_fingerprint,
    )
    return await run_in_threadpool(_shown, request, services, idgrid, secret=secret)


@router.post("/notices/devices/remove")
async def remove_device(
    request: Request, services: LiveServices, viewer: SignedIn
) -> RedirectResponse:
    """Tell a browser nothing more."""
    idgrid, form = household_of(viewer), await _form(request)
    await run_in_threadpool(push_devices_of(services).remove, form.get("device", ""), idgrid)
    return RedirectResponse("/account#notices", status_code=303)


@router.post("/notices/webhooks/remove")
async def remove(request: Request, services: LiveServices, viewer: SignedIn) -> RedirectResponse:
    """End one."""
    idgrid, form = household_of(viewer), await _form(request)
    await run_in_threadpool(webhooks_of(services).remove, form.get("webhook", ""), idgrid)
    return RedirectResponse("/notices/webhooks", status_code=303)


def _shown(request: Request, services: Services, idgrid: str, *, secret: str = "") -> HTMLResponse:
    return page(
        request,
        "notices/webhooks.html",
        section="account",
        webhooks=webhooks_of(services).of(idgrid),
        states=STATES,
        secret=secret,
        url_characters_max=URL_CHARACTERS_MAX,
    )


async def _form(request: Request) -> dict[str, str]:
    body = await request.body()
    if len(body) > FORM_BYTES_MAX:
        raise RequestRefused(Problem.MALFORMED, "the form is not one of these pages")
    return {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}


def push_devices_shown(services: Services, idgrid: str) -> Sequence[PushDevice] | None:
    """A household's browsers that are told; None in a gateway without Web Push."""
    push = services.notice_ways.push
    return None if push is None else push.of(idgrid)
