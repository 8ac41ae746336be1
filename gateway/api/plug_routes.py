"""Plugs over HTTP: switching them, and what their maker's service says. Their owner's alone."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Response, status
from pydantic import Field, JsonValue

from chaincode.energy.registry.devices import PLUG
from gateway.api.access import LiveServices, Owner, PlugSwitcher
from gateway.api.device_routes import DeviceId, hems_of, require_owner
from gateway.api.schemas import Body
from gateway.errors import Problem, RequestRefused
from gateway.hems.own_switching import LIFETIME_MS_DEFAULT, OwnSwitching
from gateway.hems.plug_services import DEVICE, MONTHLY, PlugServiceError
from gateway.hems.stored_plugs import StoredPlugs
from gateway.hems.switching import SwitchCommand
from gateway.identity.sessions import Viewer
from gateway.services import Services

LIFETIME_MS_MIN, LIFETIME_MS_MAX = 1_000, 60_000

router = APIRouter(prefix="/v1", tags=["devices"])

CommandId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]


MakersAnswer = Annotated[
    dict[str, JsonValue],
    Field(
        description="As the service of the plug's maker answers, or one of the eWeLink kind would."
    ),
]


class SwitchRequest(Body):
    """On or off, and how long after now the device may still begin."""

    on: Annotated[bool, Field(strict=True)]
    lifetime_ms: Annotated[int, Field(strict=True, ge=LIFETIME_MS_MIN, le=LIFETIME_MS_MAX)] = (
        LIFETIME_MS_DEFAULT
    )


@router.post("/devices/{device_id}/switch", status_code=status.HTTP_202_ACCEPTED)
async def switch(
    device_id: DeviceId,
    body: SwitchRequest,
    services: LiveServices,
    viewer: PlugSwitcher,
    response: Response,
) -> SwitchCommand:
    """Send a plug a command, with an id and an expiry; owners only. It ends the one before."""
    await asyncio.to_thread(require_owner, services, viewer, device_id)
    hems = hems_of(services)
    command = await asyncio.to_thread(
        OwnSwitching(services.community, hems.stores.switches).switch,
        viewer.idgrid,
        device_id,
        is_on=body.on,
        now_ms=services.clock_ms(),
        lifetime_ms=body.lifetime_ms,
    )
    hems.has_command.set()
    response.headers["Location"] = f"/v1/devices/{device_id}/commands/{command.command_id}"
    return command


@router.get("/devices/{device_id}/commands/{command_id}")
async def command(
    device_id: DeviceId, command_id: CommandId, services: LiveServices, viewer: PlugSwitcher
) -> SwitchCommand:
    """How a command stands: empty, accepted, done, failed or refused; owners only."""
    owned_since_ms = await asyncio.to_thread(require_owner, services, viewer, device_id)
    found = await asyncio.to_thread(hems_of(services).stores.switches.get, command_id)
    if found is None or found.device_id != device_id or found.issued_ms < owned_since_ms:
        raise RequestRefused(Problem.NOT_FOUND, f"{device_id} has no command {command_id}")
    return found


@router.get("/devices/{device_id}/plug")
async def plug(device_id: DeviceId, services: LiveServices, viewer: Owner) -> MakersAnswer:
    """A plug as its maker's service, or this gateway's data, describes it now; owners only."""
    return await _ask(services, viewer, device_id, DEVICE)


@router.get("/devices/{device_id}/plug/monthly")
async def plug_by_month(
    device_id: DeviceId, services: LiveServices, viewer: Owner
) -> MakersAnswer:
    """A plug's use this month as its maker's service, or this gateway, counts it; owners only."""
    return await _ask(services, viewer, device_id, MONTHLY)


async def _ask(services: Services, viewer: Viewer, device_id: str, what: str) -> MakersAnswer:
    await asyncio.to_thread(require_owner, services, viewer, device_id)
    try:
        found = await services.plug_services.ask(device_id, what)
    except PlugServiceError as failed:
        raise RequestRefused(Problem.PLUG_SERVICE_FAILED, str(failed)) from failed
    if found is not None:
        return found
    return await asyncio.to_thread(_stored, services, device_id, what)


def _stored(services: Services, device_id: str, what: str) -> dict[str, JsonValue]:
    """Of a plug without such a service, from what it told this gateway."""
    device = services.community.meter(device_id)
    if device is None or device.kind != PLUG or services.hems is None:
        raise RequestRefused(Problem.NOT_FOUND, f"{device_id} is no plug that is known here")
    stores = services.hems.stores
    plugs = StoredPlugs(stores.devices, stores.measurements, services.local_time)
    return plugs.device(device) if what == DEVICE else plugs.month(device, services.clock_ms())
