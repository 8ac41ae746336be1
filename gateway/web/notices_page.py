"""The inbox of notices, and the choice of what a household is told (docs/notices.md)."""

from dataclasses import dataclass
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse

from gateway.api.access import LiveServices, SignedIn, UsedServices
from gateway.api.webhook_routes import household_of
from gateway.errors import Problem, RequestRefused
from gateway.notices.records import Choices, Kind, NoticeText
from gateway.web.languages import LOCALE_NAMES
from gateway.web.notice_texts import NoticeWriter
from gateway.web.templating import language_of, page

SHOWN_MAX = 100
FORM_BYTES_MAX = 2_048
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class InboxLine:
    """A notice as it is shown."""

    text: NoticeText
    created_ms: int


@router.get("/notices")
def inbox(request: Request, services: UsedServices, viewer: SignedIn) -> HTMLResponse:
    """A household's notices, the newest first."""
    words = language_of(request)
    writer = NoticeWriter(services.community_name, services.local_time)
    entries = services.notices.inbox(household_of(viewer), SHOWN_MAX)
    lines = [InboxLine(writer.text(entry.notice, words), entry.created_ms) for entry in entries]
    return page(request, "notices/inbox.html", section="account", lines=lines)


@router.post("/notices/choices")
async def choose(request: Request, services: LiveServices, viewer: SignedIn) -> RedirectResponse:
    """What is ticked is wanted, the rest is muted, as far as this gateway has ways to tell it."""
    idgrid, channels = household_of(viewer), services.notice_ways.channels
    body = await request.body()
    if len(body) > FORM_BYTES_MAX:
        raise RequestRefused(Problem.MALFORMED, "the form is not one of these pages")
    form = parse_qs(body.decode("latin-1"))
    code = form.get("language", [""])[0]
    if code not in LOCALE_NAMES:
        raise RequestRefused(Problem.INVALID, "that language is not spoken here")
    wanted = set(form.get("wanted", ()))
    muted = frozenset(
        (kind, channel)
        for kind in Kind
        for channel in channels
        if f"{kind.value}:{channel.value}" not in wanted
    )
    await run_in_threadpool(services.notices.choose, idgrid, Choices(muted, code), channels)
    return RedirectResponse("/account#notices", status_code=303)
