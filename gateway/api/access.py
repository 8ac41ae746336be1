"""Who asks: the session of a request, from its cookie or its bearer token."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer, SecurityScopes

from chaincode.energy.community import Role as ContractRole
from chaincode.energy.registry.records import Meter
from gateway.errors import Problem, RequestRefused
from gateway.identity.identity_log import staff_called
from gateway.identity.scopes import Role, Scope
from gateway.identity.sessions import Viewer
from gateway.services import Services

SESSION_COOKIE = "gridledger_session"

COOKIE = APIKeyCookie(
    name=SESSION_COOKIE,
    scheme_name="session",
    auto_error=False,
    description="A person's session: the cookie that signing in sets.",
)
BEARER = HTTPBearer(
    scheme_name="token",
    auto_error=False,
    description="A script's token of `POST /v1/tokens`, with scopes; or a session's own token.",
)
VISITOR = HTTPBearer(scheme_name="visitor", auto_error=False)
"""Marks, in descriptions only, what is open to who has not signed in."""


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


def try_of_secret(request: Request) -> AbstractContextManager[None]:
    """Around the check of a code, a password or a signature: wrong ones count per address."""
    return services_of(request).tries.of(request.client.host if request.client else "")


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


async def ways_in(
    _session: Annotated[object, Security(COOKIE)], _token: Annotated[object, Security(BEARER)]
) -> None:
    """What a request may carry; for the description, since `viewer_or_none` reads it."""


def session_name(request: Request) -> str:
    """What tells who asks from others of the same account: a name of the session or the token."""
    services, text = services_of(request), session_token(request)
    token = services.api_tokens.find(text) if text else None
    return token.label if token is not None else services.people.own_sessions.name_of(text or "")


def log_actor(request: Request) -> str:
    """Who asks, as the identity log names it: an IDgrid, or staff with a name of its session."""
    viewer = viewer_or_none(request)
    if viewer is None:
        return ""
    return staff_called(session_name(request)) if viewer.is_manager else viewer.idgrid


def signed_in(
    request: Request, doors: SecurityScopes, _ways: Annotated[None, Security(ways_in)]
) -> Viewer:
    """Who is signed in; 401 for a visitor, 403 for who has none of the route's scopes."""
    viewer = viewer_or_none(request)
    if viewer is None:
        raise RequestRefused(Problem.NOT_SIGNED_IN, "this needs a session")
    if doors.scopes and not any(viewer.may(Scope(name)) for name in doors.scopes):
        raise _needs(*(Scope(name) for name in doors.scopes))
    return viewer


def person_signed_in(viewer: Annotated[Viewer, Security(signed_in)]) -> Viewer:
    """A signed-in person; 401 for a visitor, 403 for a script's token.

    What opens further sessions or names keys is not for tokens: they would outgrow their scopes.
    """
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
        raise _needs(scope)


def _needs(*scopes: Scope) -> RequestRefused:
    """The refusal of who has none of these scopes; it names the first."""
    return RequestRefused(
        Problem.FORBIDDEN,
        f"this needs the scope {' or '.join(scopes)}",
        extensions={"scope": scopes[0].value},
    )


def maybe_signed_in(
    request: Request,
    _ways: Annotated[None, Security(ways_in)],
    _visitor: Annotated[object, Security(VISITOR)],
) -> Viewer | None:
    """Who is signed in, if anybody: the answer depends on it."""
    return viewer_or_none(request)


MaybeSignedIn = Annotated[Viewer | None, Depends(maybe_signed_in)]


def may_relay(viewer: MaybeSignedIn) -> None:
    """Signed work is relayed for anybody, but not for a token that lacks the scope."""
    if viewer is not None:
        require_scope(viewer, Scope.TRANSACTIONS_WRITE)


UsedServices = Annotated[Services, Depends(at_one_height, scope="function")]
"""Of a route that reads and answers; it is a plain `def`, since reading blocks."""
LiveServices = Annotated[Services, Depends(services_of)]
"""Of a route that waits for the ledger."""
LogActor = Annotated[str, Depends(log_actor)]
"""Of a route whose act the identity log tells."""
SignedIn = Annotated[Viewer, Security(signed_in)]
OwnReader = Annotated[Viewer, Security(signed_in, scopes=[Scope.OWN_READ, Scope.COMMUNITY_READ])]
"""Who reads one's own, or, for the community, everybody's."""
Owner = Annotated[Viewer, Security(signed_in, scopes=[Scope.OWN_READ])]
DeviceReader = Annotated[Viewer, Security(signed_in, scopes=[Scope.OWN_READ, Scope.DEVICES_READ])]
PlugSwitcher = Annotated[Viewer, Security(signed_in, scopes=[Scope.DEVICES_SWITCH])]
CommunityReader = Annotated[Viewer, Security(signed_in, scopes=[Scope.COMMUNITY_READ])]
Manager = Annotated[Viewer, Security(signed_in, scopes=[Scope.COMMUNITY_WRITE])]
TokenMaker = Annotated[Viewer, Security(signed_in, scopes=[Scope.TOKENS_WRITE])]
SignedInPerson = Annotated[Viewer, Depends(person_signed_in)]
"""Who is signed in as a person, not as a script's token."""
"""Parameters of routes."""
