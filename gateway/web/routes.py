"""The household's pages, rendered on the server; each is complete without the script."""

import json
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from chaincode.energy.arguments import ENERGY_WH_MAX, PRICE_UTOKEN_PER_KWH_MAX
from gateway.api.access import SignedIn, UsedServices
from gateway.books.own_records import OwnRecords
from gateway.books.standing_preview import (
    HOURS_PER_WEEK,
    StandingWish,
    contract_argument,
    look_back,
)
from gateway.notices.records import NEVER_MUTED
from gateway.statements.statement_files import CAUSES
from gateway.web.account_page import account_view
from gateway.web.home_page import home_view
from gateway.web.languages import UTOKEN_PER_TOKEN, WH_PER_KWH
from gateway.web.market_page import market_view, tradable_sources
from gateway.web.meter_page import meter_view
from gateway.web.notice_targets_page import push_devices_shown
from gateway.web.notice_texts import CHANNELS, KINDS
from gateway.web.own_pages import household_of, reader_or_none
from gateway.web.production_page import production_view
from gateway.web.standing_page import beginning
from gateway.web.state_texts import (
    ORDER_STATES,
    REASONS,
    REGISTRY_STATES,
    SOURCE_TYPES,
    STATE_TONES,
)
from gateway.web.templating import RENEWED, language_of, page
from gateway.web.written_amounts import whole_units

LISTINGS_PER_DAY = 24
DECIMAL_CHARACTERS_MAX = 24
SOURCE_CHARACTERS_MAX = 64
router = APIRouter(include_in_schema=False)

Kind = Annotated[Literal["day", "month"], Query()]
Day = Annotated[date | None, Query(ge=date(2000, 1, 1), le=date(2099, 12, 31))]
"""Of the years that months are asked for in, so that the day after it is one too."""
Decimals = Annotated[str | None, Query(max_length=DECIMAL_CHARACTERS_MAX)]


@router.get("/")
def home(request: Request, services: UsedServices) -> HTMLResponse:
    """Price and power now, this month's saving, the next gate."""
    view = home_view(services, reader_or_none(request), language_of(request))
    return page(request, "home.html", section="home", renewed=RENEWED, view=view)


@router.get("/market")
def market(request: Request, services: UsedServices) -> HTMLResponse:
    """The live listing, own orders, prices."""
    view = market_view(services, reader_or_none(request), language_of(request))
    opens_by_time = view.panel is not None and view.panel.opens_later
    return page(
        request,
        "market.html",
        section="market",
        renewed=RENEWED if opens_by_time else "",
        view=view,
        order_states=ORDER_STATES,
        tones=STATE_TONES,
        reasons=REASONS,
    )


@router.get("/meter")
def meter(
    request: Request, services: UsedServices, viewer: SignedIn, kind: Kind = "day", day: Day = None
) -> HTMLResponse:
    """Live values and history of one's own meter."""
    view = meter_view(services, household_of(viewer), kind=kind, day=day)
    return page(request, "meter.html", section="meter", renewed=RENEWED, view=view, kind=kind)


@router.get("/production")
def production(
    request: Request, services: UsedServices, viewer: SignedIn, kind: Kind = "day", day: Day = None
) -> HTMLResponse:
    """One's own sources and batteries."""
    view = production_view(services, household_of(viewer), kind=kind, day=day)
    return page(
        request,
        "production.html",
        section="production",
        renewed=RENEWED,
        view=view,
        kind=kind,
        states=REGISTRY_STATES,
        source_types=SOURCE_TYPES,
    )


@router.get("/account")
def account(request: Request, services: UsedServices, viewer: SignedIn) -> HTMLResponse:
    """Money, statements, activity, devices."""
    view = account_view(services, household_of(viewer))
    return page(
        request,
        "account.html",
        section="account",
        view=view,
        notice_kinds=KINDS,
        notice_channels={way: CHANNELS[way] for way in services.notice_ways.channels},
        push_devices=push_devices_shown(services, view.idgrid),
        has_webhooks=services.notice_ways.webhooks is not None,
        causes=CAUSES,
        never_muted=NEVER_MUTED,
        states=REGISTRY_STATES,
        source_types=SOURCE_TYPES,
    )


@router.get("/standing")
def standing(
    request: Request,
    services: UsedServices,
    viewer: SignedIn,
    side: Annotated[Literal["bid", "offer"], Query()] = "bid",
    energy: Decimals = None,
    price: Decimals = None,
    source: Annotated[str, Query(max_length=SOURCE_CHARACTERS_MAX)] = "",
) -> HTMLResponse:
    """A standing order before it is signed, with what it would have done last week."""
    idgrid = household_of(viewer)
    past = OwnRecords(services.readmodel, idgrid).past_hours(HOURS_PER_WEEK)
    begins = beginning(services, side, past)
    wish, is_first = begins.wish, not begins.is_own
    if energy is not None and price is not None:
        energy_wh = whole_units(energy, WH_PER_KWH, ENERGY_WH_MAX)
        limit = whole_units(price, UTOKEN_PER_TOKEN, PRICE_UTOKEN_PER_KWH_MAX)
        wish, is_first = StandingWish(side, energy_wh, limit), False
    sources = tradable_sources(services, idgrid)
    res_ids = [one.res_id for one in sources]
    res_id = source if source in res_ids else next(iter(res_ids), "")
    argument = None
    if wish is not None and (side == "bid" or sources):
        argument = json.dumps(
            contract_argument(
                wish,
                res_id=res_id,
                now_ms=services.clock_ms(),
                listings_per_day=LISTINGS_PER_DAY,
            )
        )
    return page(
        request,
        "standing.html",
        section="home",
        side=side,
        wish=wish,
        is_first=is_first,
        past=look_back(wish, past) if wish is not None else None,
        argument=argument,
        sources=sources,
        res_id=res_id,
        source_types=SOURCE_TYPES,
    )
