"""Who asks: the session of a request, from its cookie or its bearer token."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from chaincode.energy.community import Role
from chaincode.energy.registry.records import Meter
from gateway.errors import Problem, RequestRefused
from gateway.services import Services
from gateway.sessions import Viewer

SESSION_COOKIE = "gridledger_session"


def services_of(request: Request) -> Services:
    """The app's services."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


async def at_one_height(request: Request) -> AsyncIterator[Services]:
    """The services; whatever the route reads of the ledger is of one height."""
    services = services_of(request)
    with services.readmodel.at_one_height():
        yield services


def session_token(request: Request) -> str | None:
    """The session's token, if the request carries one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token
    return request.cookies.get(SESSION_COOKIE)


def viewer_or_none(request: Request) -> Viewer | None:
    """Who holds the session; `None` for a visitor."""
    return services_of(request).sessions.viewer(session_token(request))


def signed_in(request: Request) -> Viewer:
    """A signed-in viewer; 401 otherwise."""
    viewer = viewer_or_none(request)
    if viewer is None:
        raise RequestRefused(Problem.NOT_SIGNED_IN, "this needs a session")
    return viewer


def require_sight(viewer: Viewer, idgrid: str) -> None:
    """403 unless the viewer may see this household."""
    if not viewer.may_see(idgrid):
        raise RequestRefused(Problem.FORBIDDEN, f"{idgrid} is another household")


def require_meter_sight(services: Services, viewer: Viewer, meter: Meter) -> None:
    """403 unless the viewer owns the meter or has its owner's grant, the manager like others."""
    if viewer.idgrid == meter.owner_idgrid:
        return
    grantee = Role.COMMUNITY_MANAGER.value if viewer.is_manager else viewer.idgrid
    now_ms = services.clock_ms()
    if not services.community.may_read(
        meter.owner_idgrid, [meter.meter_id], now_ms, grantee=grantee
    ):
        raise RequestRefused(
            Problem.FORBIDDEN,
            "the owner has not granted access to the meter",
            extensions={"code": "NO_DATA_ACCESS"},
        )


def require_manager(viewer: Viewer) -> None:
    """403 unless the viewer is the community manager."""
    if not viewer.is_manager:
        raise RequestRefused(Problem.FORBIDDEN, "only the community manager may see this")


UsedServices = Annotated[Services, Depends(at_one_height, scope="function")]
"""Of a route that reads and answers; it is a plain `def`, since reading blocks."""
LiveServices = Annotated[Services, Depends(services_of)]
"""Of a route that waits for the ledger."""
SignedIn = Annotated[Viewer, Depends(signed_in)]
"""Parameters of routes."""
