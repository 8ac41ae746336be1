"""Who asks: the session of a request, from its cookie or its bearer token."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from chaincode.energy.community import Role as ContractRole
from chaincode.energy.registry.records import Meter
from gateway.errors import Problem, RequestRefused
from gateway.scopes import Role, Scope
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
    """Who holds the session or the script's token; `None` for a visitor."""
    services, text = services_of(request), session_token(request)
    token = services.api_tokens.find(text) if text else None
    if token is None:
        return services.sessions.viewer(text)
    role = token.role
    return Viewer(
        token.idgrid,
        is_manager=role is Role.MANAGER,
        staff_role=role if role in {Role.OPERATOR, Role.AUDITOR} else None,
        token_scopes=frozenset(token.scopes),
    )


def signed_in(request: Request) -> Viewer:
    """A signed-in viewer; 401 otherwise."""
    viewer = viewer_or_none(request)
    if viewer is None:
        raise RequestRefused(Problem.NOT_SIGNED_IN, "this needs a session")
    return viewer


def person_signed_in(request: Request) -> Viewer:
    """A signed-in person; 401 for a visitor, 403 for a script's token.

    What opens further sessions or names keys is not for tokens: they would outgrow their scopes.
    """
    viewer = signed_in(request)
    if viewer.token_scopes is not None:
        raise RequestRefused(Problem.FORBIDDEN, "this needs a session; a token cannot do it")
    return viewer


def require_sight(viewer: Viewer, idgrid: str) -> None:
    """403 unless the viewer may see this household."""
    if not viewer.may_see(idgrid):
        raise RequestRefused(Problem.FORBIDDEN, f"{idgrid} is another household")


def no_such_device(viewer: Viewer, what: str) -> RequestRefused:
    """A household learns the same of a device that nobody has and of somebody else's."""
    if viewer.is_manager or viewer.is_oracle:
        return RequestRefused(Problem.NOT_FOUND, f"there is no {what}")
    return _no_data_access()


def _no_data_access() -> RequestRefused:
    return RequestRefused(
        Problem.FORBIDDEN,
        "the owner has not granted access to the meter",
        extensions={"code": "NO_DATA_ACCESS"},
    )


def require_meter_sight(services: Services, viewer: Viewer, meter: Meter) -> None:
    """403 unless the viewer owns the meter or has its owner's grant, the manager like others."""
    if viewer.idgrid == meter.owner_idgrid and viewer.may(Scope.OWN_READ):
        return
    grantee = ContractRole.COMMUNITY_MANAGER.value if viewer.is_manager else viewer.idgrid
    now_ms = services.clock_ms()
    if not services.community.may_read(
        meter.owner_idgrid, [meter.meter_id], now_ms, grantee=grantee
    ):
        raise _no_data_access()


def require_manager(viewer: Viewer) -> None:
    """403 unless the viewer is the community manager."""
    if not viewer.is_manager or not viewer.may(Scope.COMMUNITY_WRITE):
        raise RequestRefused(Problem.FORBIDDEN, "only the community manager may do this")


def require_scope(viewer: Viewer, scope: Scope) -> None:
    """403 unless the viewer's role and token have this scope."""
    if not viewer.may(scope):
        raise RequestRefused(
            Problem.FORBIDDEN, f"this needs the scope {scope}", extensions={"scope": scope.value}
        )


def may_relay(request: Request) -> None:
    """Signed work is relayed for anybody, but not for a token that lacks the scope."""
    viewer = viewer_or_none(request)
    if viewer is not None:
        require_scope(viewer, Scope.TRANSACTIONS_WRITE)


MaybeSignedIn = Annotated[Viewer | None, Depends(viewer_or_none)]
UsedServices = Annotated[Services, Depends(at_one_height, scope="function")]
"""Of a route that reads and answers; it is a plain `def`, since reading blocks."""
LiveServices = Annotated[Services, Depends(services_of)]
"""Of a route that waits for the ledger."""
SignedIn = Annotated[Viewer, Depends(signed_in)]
SignedInPerson = Annotated[Viewer, Depends(person_signed_in)]
"""Who is signed in as a person, not as a script's token."""
"""Parameters of routes."""
