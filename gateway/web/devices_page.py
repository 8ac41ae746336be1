"""My devices: who is online, what came of what was due, who may read, which sources are traded."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from chaincode.energy.community import SELLERS
from chaincode.energy.registry.records import Meter, Res
from gateway.api.access import SignedIn, UsedServices
from gateway.books.quarantined import Quarantined, quarantined
from gateway.services import Services
from gateway.web.device_status import DeviceStatus, device_status, tone_of
from gateway.web.notice_texts import ALARMS
from gateway.web.own_pages import household_of
from gateway.web.plugs_panel import COMMAND_REASONS, COMMAND_STATES, OwnPlug, own_plugs
from gateway.web.readiness import Readiness, readiness
from gateway.web.state_texts import (
    DEVICE_KINDS,
    DOUBT_TEXTS,
    LISTING_STATES,
    REGISTRY_STATES,
    SOURCE_TYPES,
)
from gateway.web.templating import RENEWED, page

SET_ASIDE_SHOWN = 10
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class DevicesView:
    """The whole page of a household."""

    idgrid: str
    devices: Sequence[DeviceStatus]
    plugs: Sequence[OwnPlug]
    taken: Sequence[Meter]
    """Of others, who hand them over to this household."""
    sources: Sequence[Res]
    may_sell: bool
    readiness: Readiness
    set_aside: Sequence[Quarantined]
    """Readings of its devices that were not believed, the newest ones."""


@router.get("/devices")
def devices(request: Request, services: UsedServices, viewer: SignedIn) -> HTMLResponse:
    """Status and availability of one's own devices; access and sources are changed here."""
    return page(
        request,
        "devices.html",
        section="meter",
        renewed=RENEWED,
        view=devices_view(services, household_of(viewer)),
        tone_of=tone_of,
        device_kinds=DEVICE_KINDS,
        alarm_texts=ALARMS,
        command_states=COMMAND_STATES,
        command_reasons=COMMAND_REASONS,
        states=REGISTRY_STATES,
        source_types=SOURCE_TYPES,
        doubt_texts=DOUBT_TEXTS,
        listing_states=LISTING_STATES,
    )


def devices_view(services: Services, idgrid: str) -> DevicesView:
    """Only what is the household's own."""
    community = services.community
    own = [meter for meter in community.meters() if meter.owner_idgrid == idgrid]
    participant = community.participant(idgrid)
    return DevicesView(
        idgrid=idgrid,
        devices=device_status(services, own),
        plugs=own_plugs(services, idgrid),
        taken=[meter for meter in community.meters() if meter.transfer_to == idgrid],
        sources=[one for one in community.sources() if one.owner_idgrid == idgrid],
        may_sell=participant is not None and participant.role in SELLERS,
        readiness=readiness(services, idgrid),
        set_aside=quarantined(
            services.readmodel, services.community, idgrid, limit=SET_ASIDE_SHOWN
        ),
    )
