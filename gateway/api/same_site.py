"""No other site's page acts here in the name of who is signed in (CSRF).

Browsers say where a request comes from: `Origin`, and `Sec-Fetch-Site`. Programs say neither and
bring no cookie of a browser.
"""

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.limits import refuse
from gateway.errors import Problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({b"same-origin", b"none"})


class SameSiteOnly:
    """ASGI middleware: refuses what changes something and was sent by another site's page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on unless it comes from elsewhere."""
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS and _is_foreign(scope):
            detail = "only pages of this gateway may send this"
            await refuse(scope, send, Problem.CROSS_SITE, detail, {})
            return
        await self._app(scope, receive, send)


def _is_foreign(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    if headers.get(b"sec-fetch-site", b"none") not in OWN_SITES:
        return True
    origin = headers.get(b"origin")
    if origin is None:
        return False
    try:
        sent_by = urlsplit(origin.decode("latin-1")).netloc
    except ValueError:
        return True
    return bool(sent_by.encode("latin-1") != headers.get(b"host", b""))
