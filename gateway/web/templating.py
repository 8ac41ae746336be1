"""The templates: everything is escaped, a name that is not there is an error.

A page extends `layout.html` and is rendered with `page(request, "name.html", section=…, **what)`;
its texts stand in `_("…")` or `{% trans %}` and are translated (`gateway.web.languages`). Text in
a template that is not marked, or without translation, fails a test.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse

from gateway.api.access import services_of, viewer_or_none
from gateway.currency import Currencies
from gateway.errors import RequestRefused
from gateway.identity.sessions import Viewer
from gateway.local_time import LocalTime
from gateway.web.assets import ASSETS
from gateway.web.function_texts import ALL_TITLES, FUNCTION_TITLES
from gateway.web.languages import N_, NAMES, Language, chosen_language, language
from gateway.web.refusal_texts import refusal_text
from gateway.web.state_texts import CONNECTION_KINDS, REGISTRY_STATES, ROLES

FOLDER = Path(__file__).parent
UNIT_OF_PAGES = "token"
"""What everything is in anyway."""
LANGUAGE_COOKIE = "gridledger_language"
RENEWED = ", every 20s"
"""Of pages with values of devices, beside every block: readings, and silence, make none."""


@dataclass(frozen=True, slots=True)
class Section:
    """An entry of the navigation."""

    name: str
    path: str
    title: str


SECTIONS = (
    Section("home", "/", N_("Home")),
    Section("market", "/market", N_("Market")),
    Section("meter", "/meter", N_("Smart Meter")),
    Section("production", "/production", N_("PV & battery")),
    Section("account", "/account", N_("Account")),
)
PUBLIC_SECTIONS = frozenset({"home", "market"})
"""Those that belong to no household."""
MANAGER_SECTION = Section("console", "/console", N_("Manager"))


@dataclass(frozen=True, slots=True)
class Frame:
    """What the layout shows around every page. `hour_ms` is the real length of a market hour."""

    community_name: str
    viewer: Viewer | None
    language: Language
    path: str
    address: str
    """Path and query, to fetch the same page again."""
    section: str
    sections: Sequence[Section]
    now_ms: int
    hour_ms: int
    height: int
    local: LocalTime
    currencies: Currencies

    @property
    def utc_offset_minutes(self) -> int:
        """Of the clocks now; one for a whole chart, so that its axis never goes back."""
        return self.local.offset_minutes(self.now_ms)


def page(
    request: Request, name: str, *, section: str = "", status: int = 200, **content: object
) -> HTMLResponse:
    """A template in the reader's language, with the frame as `frame`."""
    frame = frame_of(request, section)
    html = render(name, frame, **content)
    return HTMLResponse(
        html, status, {"content-language": frame.language.tag, "vary": "accept-language, cookie"}
    )


def language_of(request: Request) -> Language:
    """The reader's language."""
    return chosen_language(
        request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language")
    )


def frame_of(request: Request, section: str) -> Frame:
    """The frame of a request's page."""
    services, viewer = services_of(request), viewer_or_none(request)
    return Frame(
        community_name=services.community_name,
        viewer=viewer,
        language=language_of(request),
        path=request.url.path,
        address=str(request.url.replace(scheme="", netloc="")),
        section=section,
        sections=sections_for(viewer),
        now_ms=services.clock_ms(),
        hour_ms=services.energy_hour_ms,
        height=services.market.height,
        local=services.local_time,
        currencies=services.currencies,
    )


def sections_for(viewer: Viewer | None) -> tuple[Section, ...]:
    """What leads somewhere for this viewer; a visitor sees all, and is asked to sign in."""
    is_household = viewer is None or bool(viewer.idgrid)
    shown = tuple(one for one in SECTIONS if is_household or one.name in PUBLIC_SECTIONS)
    is_manager = viewer is not None and viewer.is_manager
    return (*shown, MANAGER_SECTION) if is_manager else shown


def render(name: str, frame: Frame, **content: object) -> str:
    """A template with number and date formats of the frame's language and offset."""
    words = frame.language
    local = frame.local
    return (
        _environment(words.code)
        .get_template(name)
        .render(
            frame=frame,
            tokens=words.tokens,
            kwh=words.kwh,
            typed=words.typed,
            kw=words.kw,
            number=words.number,
            hour=lambda listing_id: words.hour(listing_id, local),
            span=lambda listing_id: words.span(listing_id, local),
            instant=lambda at_ms: words.instant(at_ms, local, frame.now_ms),
            day=words.day,
            month=words.month,
            in_units=lambda utoken: in_units(words, frame.currencies, utoken),
            refusal=lambda code, detail="": refusal_text(words, code, detail),
            **content,
        )
    )


def in_units(words: Language, currencies: Currencies, utoken: int) -> str:
    """An amount, or a price per kWh, in every unit of the community but the token (E061)."""
    return " · ".join(
        f"{words.number(Decimal(currencies.shown(utoken, name)), unit.digits)} {name}"
        for name, unit in currencies.units.items()
        if name != UNIT_OF_PAGES
    )


def refusal_page(request: Request, refused: RequestRefused) -> HTMLResponse:
    """A refusal for people: what a problem document says, and the way back."""
    kind = refused.problem.value
    answer = page(request, "refusal.html", status=kind.status, problem=kind, detail=refused.detail)
    answer.headers.update(refused.headers)
    return answer


@cache
def _environment(code: str) -> Environment:
    """One per language: the translations are the environment's."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    words = language(code).words
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        words.gettext, words.ngettext, newstyle=True
    )
    environment.globals |= {
        "asset": ASSETS.url,
        "integrity": ASSETS.integrity,
        "language_names": NAMES,
        "function_titles": FUNCTION_TITLES,
        "all_titles": ALL_TITLES,
        "roles": ROLES,
        "connection_kinds": CONNECTION_KINDS,
        "states": REGISTRY_STATES,
    }
    return environment
