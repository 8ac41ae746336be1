"""Passkeys and open sessions of who is signed in, a household or staff, and links for staff."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response, status
from pydantic import Field

from gateway.api.access import (
    LiveServices,
    LogActor,
    SignedInPerson,
    require_manager,
    session_token,
    try_of_secret,
)
from gateway.api.identity_answers import LoginLink, PasskeyOptions
from gateway.api.schemas import Body, DeviceLabel, Page, also_refused
from gateway.api.session_cookie import begin_session, site_of
from gateway.errors import Problem, RequestRefused
from gateway.identity.own_sessions import SESSION_ID_CHARACTERS, OpenSession
from gateway.identity.passkeys import PASSKEY_ID_CHARACTERS, Passkey
from gateway.identity.sessions import Viewer, Way, viewer_of

CREDENTIAL_MEMBERS_MAX = 16

router = APIRouter(prefix="/v1", tags=["identity"])

Credential = Annotated[dict[str, Any], Field(max_length=CREDENTIAL_MEMBERS_MAX)]
PasskeyId = Annotated[str, Path(pattern=rf"^[0-9a-f]{{{PASSKEY_ID_CHARACTERS}}}$")]
SessionId = Annotated[str, Path(pattern=rf"^[0-9a-f]{{{SESSION_ID_CHARACTERS}}}$")]


class NewPasskey(Body):
    """What the browser answered to `/passkeys/options`."""

    credential: Credential
    label: DeviceLabel = ""


class PasskeyLogin(Body):
    """What the browser answered to `/login/passkey/options`."""

    credential: Credential


@router.get("/passkeys")
def own_passkeys(services: LiveServices, viewer: SignedInPerson) -> Page[Passkey]:
    """The household's passkeys, or the staff's, the oldest first."""
    found = services.people.passkeys.of(_holder(viewer))
    return Page(items=found, next=None, height=services.readmodel.height)


@router.post("/passkeys/options")
def passkey_options(
    request: Request, services: LiveServices, viewer: SignedInPerson
) -> PasskeyOptions:
    """What the browser needs to make a passkey for who is signed in."""
    options = services.people.passkeys.creation_options(_holder(viewer), site_of(request))
    return PasskeyOptions(**options)


@router.post("/passkeys", status_code=status.HTTP_204_NO_CONTENT)
def add_passkey(
    body: NewPasskey, request: Request, services: LiveServices, viewer: SignedInPerson
) -> None:
    """Keep a new passkey's public key."""
    site = site_of(request)
    services.people.passkeys.add(
        _holder(viewer), body.credential, body.label, site, viewer.key_fingerprint
    )


@router.delete(
    "/passkeys/{passkey_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    openapi_extra=also_refused(404),
)
def remove_passkey(
    passkey_id: PasskeyId, services: LiveServices, viewer: SignedInPerson, actor: LogActor
) -> None:
    """It signs nobody in any more, and the sessions it opened end."""
    services.people.passkeys.remove(_holder(viewer), passkey_id, actor=actor)


@router.post("/login/passkey/options")
def passkey_login_options(request: Request, services: LiveServices) -> PasskeyOptions:
    """What the browser needs to log in; the same for everybody."""
    return PasskeyOptions(**services.people.passkeys.login_options(site_of(request)))


@router.post(
    "/login/passkey",
    status_code=status.HTTP_204_NO_CONTENT,
    openapi_extra=also_refused(401),
)
def passkey_login(
    body: PasskeyLogin, request: Request, response: Response, services: LiveServices
) -> None:
    """A session for the household, or the staff, whose passkey answered."""
    with try_of_secret(request):
        by = services.people.passkeys.login(body.credential, site_of(request))
    viewer = viewer_of(by.holder)
    begin_session(services, viewer, request, response, Way.PASSKEY, passkey_id=by.passkey_id)


@router.get("/sessions")
def own_sessions(
    request: Request, services: LiveServices, viewer: SignedInPerson
) -> Page[OpenSession]:
    """The open sessions of the household, or of the staff, the newest first."""
    token = session_token(request) or ""
    found = services.people.own_sessions.of(_holder(viewer), token)
    return Page(items=found, next=None, height=services.readmodel.height)


@router.delete(
    "/sessions/{session_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    openapi_extra=also_refused(404),
)
def end_session(
    session_id: SessionId, services: LiveServices, viewer: SignedInPerson, actor: LogActor
) -> None:
    """End one of them, on every gateway that shares the database."""
    services.people.own_sessions.end(_holder(viewer), session_id, actor=actor)


@router.post("/login/links", status_code=status.HTTP_201_CREATED)
def write_link(
    request: Request, services: LiveServices, viewer: SignedInPerson, actor: LogActor
) -> LoginLink:
    """Manager: a login link for staff on another device. It works once, within the hour."""
    require_manager(viewer)
    token, expires_ms = services.people.own_sessions.write_staff_link(actor=actor)
    origin = site_of(request).origin
    return LoginLink(url=f"{origin}/login/{token}", expires_ms=expires_ms)


def _holder(viewer: Viewer) -> str:
    if not viewer.holder:
        raise RequestRefused(Problem.FORBIDDEN, "this is for households and the manager")
    return viewer.holder
