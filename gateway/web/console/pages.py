"""The pages. What changes the ledger is signed in the manager's browser, like anything."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import HTMLResponse, Response

from chaincode.energy.hours import HOUR_MS, listing_id_at
from chaincode.energy.market.approvals import PendingOrder
from chaincode.energy.oracle.records import PricePoint
from chaincode.energy.registry.records import Meter
from chaincode.energy.sharing.records import SharingKey
from gateway.api.access import SignedIn, UsedServices, log_actor, require_manager
from gateway.api.settlement_routes import MONTH_PATTERN, Month
from gateway.books.community import Community
from gateway.books.ledger_records import LedgerRecords
from gateway.identity.sessions import Viewer
from gateway.readmodel import market_queries
from gateway.services import Services
from gateway.statements.grid_exports import devices_csv, energy_csv, sharing_csv
from gateway.statements.month_check import month_check, months_with_settlements
from gateway.web.console.market_terms import market_terms
from gateway.web.console.price_states import in_force
from gateway.web.console.servers_panel import server_status
from gateway.web.device_status import device_status
from gateway.web.notice_texts import ALARMS
from gateway.web.state_texts import (
    DEVICE_KINDS,
    REGISTRY_STATES,
    SOURCE_TYPES,
    listing_state,
    opens_later,
)
from gateway.web.templating import page

ROWS = 25
NEXT_HOURS = 24
SECTION = "console"


def the_manager(viewer: SignedIn) -> Viewer:
    """401 for a visitor, 403 for a household."""
    require_manager(viewer)
    return viewer


router = APIRouter(prefix="/console", include_in_schema=False, dependencies=[Depends(the_manager)])

AskedMonth = Annotated[str | None, Query(pattern=MONTH_PATTERN)]


@router.get("")
def queue(request: Request, services: UsedServices) -> HTMLResponse:
    """What waits for a decision."""
    community = services.community
    return page(
        request,
        "console/queue.html",
        section=SECTION,
        participants=[one for one in community.participants() if one.status == "pending"],
        meters=[one for one in community.meters() if _waits(community, one)],
        sources=[one for one in community.sources() if one.status == "pending"],
        orders=[
            one
            for one in LedgerRecords(services.readmodel).all(PendingOrder, "pending")
            if not one.order_id
        ],
        key_requests=services.people.enrolment.waiting(),
        source_types=SOURCE_TYPES,
        is_conserved=community.money().is_conserved,
    )


@router.get("/members")
def members(request: Request, services: UsedServices) -> HTMLResponse:
    """IDgrids: register, approve, suspend; money issued to them."""
    community = services.community
    return page(
        request,
        "console/members.html",
        section=SECTION,
        participants=community.participants(),
        accounts={account.idgrid: account for account in community.accounts()},
        sources=community.sources(),
        states=REGISTRY_STATES,
        source_types=SOURCE_TYPES,
    )


@router.get("/meters")
def meters(request: Request, services: UsedServices) -> HTMLResponse:
    """Devices: registered, online, last seen, how many of the expected readings came."""
    return page(
        request,
        "console/meters.html",
        section=SECTION,
        servers=server_status(services),
        devices=device_status(services, services.community.meters()),
        states=REGISTRY_STATES,
        device_kinds=DEVICE_KINDS,
        alarm_texts=ALARMS,
        participants=services.community.participants(),
        proved={one: code.fingerprint for one, code in services.device_enrolment.codes().items()},
    )


@router.get("/listings")
def listings(
    request: Request,
    services: UsedServices,
    before: Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}$")] = None,
) -> HTMLResponse:
    """Listings: open one, follow them, stop one in an emergency."""
    found = market_queries.listings(services.readmodel, before=before, limit=ROWS)
    now_ms = services.clock_ms()
    return page(
        request,
        "console/listings.html",
        section=SECTION,
        listings=found.items,
        following=found.next,
        state_of=lambda one: listing_state(one, now_ms),
        opens_later=lambda one: opens_later(one, now_ms),
        next_hours=_next_hours(services),
        terms=market_terms(LedgerRecords(services.readmodel)),
    )


@router.get("/prices")
def prices(request: Request, services: UsedServices) -> HTMLResponse:
    """Prices and tariffs in force and to come."""
    found = LedgerRecords(services.readmodel).all(PricePoint, "price")
    newest_first = sorted(found, key=lambda point: point.effective_from_ms, reverse=True)
    return page(
        request,
        "console/prices.html",
        section=SECTION,
        prices=newest_first[:ROWS],
        in_force=in_force(found, services.clock_ms()),
    )


@router.get("/sharing")
def sharing(request: Request, services: UsedServices) -> HTMLResponse:
    """Sharing keys, each with the time it is in force."""
    keys = LedgerRecords(services.readmodel).all(SharingKey, "sharingkey")
    ends = [key.effective_from_ms for key in keys[1:]]
    return page(
        request,
        "console/sharing.html",
        section=SECTION,
        keys=list(zip(keys, [*ends, None], strict=False))[::-1],
        participants=services.community.participants(),
    )


@router.get("/statements")
def statements(request: Request, services: UsedServices, month: AskedMonth = None) -> HTMLResponse:
    """A month before it is sent: settled, balanced, issued."""
    months = months_with_settlements(services.readmodel)
    asked = month or (months[0] if months else None)
    return page(
        request,
        "console/statements.html",
        section=SECTION,
        months=months,
        months_shown={one: _in_it(one) for one in {*months, *([asked] if asked else [])}},
        check=None
        if asked is None
        else month_check(services.readmodel, asked, services.clock_ms()),
    )


@router.get("/exports")
def exports(request: Request, services: UsedServices) -> HTMLResponse:
    """Files for the grid operator."""
    months = months_with_settlements(services.readmodel)
    return page(
        request,
        "console/exports.html",
        section=SECTION,
        months_shown={one: _in_it(one) for one in months},
    )


@router.get("/exports/energy-{month}.csv")
def energy_file(request: Request, services: UsedServices, month: Month) -> Response:
    """Energy per hour and connection of a month."""
    _log_export(request, services, f"energy {month}")
    return _csv(energy_csv(services.readmodel, month), f"energy-{month}")


@router.get("/exports/{name}.csv")
def register_file(
    request: Request,
    services: UsedServices,
    name: Annotated[Literal["devices", "sharing"], Path()],
) -> Response:
    """Devices, or sharing keys."""
    _log_export(request, services, name)
    make = devices_csv if name == "devices" else sharing_csv
    return _csv(make(services.readmodel), name)


def _waits(community: Community, meter: Meter) -> bool:
    """Whether the grid operator has to look at it: it is new, or measures elsewhere now."""
    if meter.status == "pending":
        return True
    if meter.is_at_connection:
        owner = community.participant(meter.owner_idgrid)
        return owner is not None and meter.meter_id not in owner.meter_ids
    return meter.res_id is not None and meter.res_id != meter.approved_res_id


def _in_it(month: str) -> datetime:
    """A day of a month `YYYY-MM`, to write it by."""
    return datetime.fromisoformat(f"{month}-15")


def _next_hours(services: Services) -> list[str]:
    """Hours of delivery to come that have no listing yet."""
    ids = [listing_id_at(services.clock_ms() + at * HOUR_MS) for at in range(1, NEXT_HOURS + 1)]
    return [one for one in ids if services.market.listing(one) is None]


def _log_export(request: Request, services: Services, what: str) -> None:
    """Files leave the ledger's sight, so the gateway's own log has them, and who took them."""
    actor = log_actor(request)
    with services.readmodel.database.writing() as connection:
        services.people.log.add(connection, actor=actor, action="export", idgrid="", detail=what)


def _csv(text: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)
