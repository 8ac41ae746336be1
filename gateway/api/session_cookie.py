"""The cookie of a session, and this gateway as the browser knows it."""

from fastapi import Request, Response

from gateway.api.access import SESSION_COOKIE
from gateway.identity.passkeys import Site
from gateway.identity.sessions import SESSION_LIFETIME_MS, Viewer, Way
from gateway.services import Services


def begin_session(
    services: Services,
    viewer: Viewer,
    request: Request,
    response: Response,
    way: Way,
    *,
    passkey_id: str = "",
) -> None:
    """Set the cookie of a new session."""
    token = services.sessions.begin(viewer, way, passkey_id)
    set_session_cookie(response, token, request)


def set_session_cookie(response: Response, token: str, request: Request) -> None:
    """The session's cookie: no script reads it, no other site's page sends it along."""
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=SESSION_LIFETIME_MS // 1000,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def site_of(request: Request) -> Site:
    """This gateway as the browser knows it."""
    return Site(
        rp_id=request.url.hostname or "", origin=f"{request.url.scheme}://{request.url.netloc}"
    )
