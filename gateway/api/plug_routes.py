"""Plugs over HTTP: what their maker's service says of them. Their owner's alone."""

import asyncio
from typing import Any

from fastapi import APIRouter

from gateway.api.access import LiveServices, SignedIn, require_scope
from gateway.api.device_routes import DeviceId, require_owner
from gateway.errors import Problem, RequestRefused
from gateway.hems.plug_services import DEVICE, MONTHLY, PlugServiceError
from gateway.scopes import Scope
from gateway.services import Services
from gateway.sessions import Viewer

router = APIRouter(prefix="/v1", tags=["devices"])


@router.get("/devices/{device_id}/plug")
async def plug(device_id: DeviceId, services: LiveServices, viewer: SignedIn) -> dict[str, Any]:
    """A plug as its maker's service describes it now; owners only."""
    return await _ask(services, viewer, device_id, DEVICE)


@router.get("/devices/{device_id}/plug/monthly")
async def plug_by_month(
    device_id: DeviceId, services: LiveServices, viewer: SignedIn
) -> dict[str, Any]:
    """A plug's use by month as its maker's service counts it; owners only."""
    return await _ask(services, viewer, device_id, MONTHLY)


async def _ask(services: Services, viewer: Viewer, device_id: str, what: str) -> dict[str, Any]:
    require_scope(viewer, Scope.OWN_READ)
    await asyncio.to_thread(require_owner, services, viewer, device_id)
    try:
        found = await services.plug_services.ask(device_id, what)
    except PlugServiceError as failed:
        raise RequestRefused(Problem.PLUG_SERVICE_FAILED, str(failed)) from failed
    if found is None:
        raise RequestRefused(Problem.NOT_FOUND, f"{device_id} has no service of its maker")
    return found
