"""The HTTP application: middlewares, the API, the pages. `gateway.server` runs it."""

from pathlib import Path

from fastapi import FastAPI, Request
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.described_app import DescribedApp
from gateway.api.hosts import AllowedHosts, HostCheck
from gateway.api.idempotency import Idempotency
from gateway.api.limits import RateLimit, RequestLimits
from gateway.api.outages import Outages
from gateway.api.problems import install_problem_handlers
from gateway.api.routes import API_VERSION, DESCRIPTION, TITLE, add_api_routes
from gateway.api.same_site import SameSiteOnly
from gateway.services import Services
from gateway.web import (
    account_lists,
    devices_page,
    keys_pages,
    market_lists,
    notice_targets_page,
    notices_page,
    receipt_page,
    statement_page,
    terms_page,
    trust_page,
)
from gateway.web import app_routes as web_app_routes
from gateway.web import routes as web_routes
from gateway.web.assets import ASSETS
from gateway.web.console import audit_page, enrolment_page, security_page
from gateway.web.console import pages as console_pages
from gateway.web.explorer import pages as explorer_pages
from gateway.web.templating import refusal_page

PAGES = (
    web_routes,
    web_app_routes,
    devices_page,
    terms_page,
    statement_page,
    account_lists,
    market_lists,
    receipt_page,
    explorer_pages,
    audit_page,
    console_pages,
    enrolment_page,
    security_page,
    keys_pages,
    notices_page,
    notice_targets_page,
    trust_page,
)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    # Not "no-referrer": browsers then send our own forms with `Origin: null`.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


def create_app(
    services: Services,
    *,
    rate: RateLimit | None = None,
    hosts: AllowedHosts | None = None,
    tls_ca: Path | None = None,
) -> FastAPI:
    """The application over the given use cases; `tls_ca` is for the trust page."""
    app = DescribedApp(
        title=TITLE,
        version=API_VERSION,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(HostCheck, hosts=hosts or AllowedHosts()),
            Middleware(SameSiteOnly),
            Middleware(RequestLimits, rate=rate or RateLimit(), clock_ms=services.clock_ms),
            Middleware(Outages),
            Middleware(Idempotency, answered=services.answered),
        ],
    )
    app.state.services = services
    app.state.tls_ca = tls_ca
    install_problem_handlers(app, page=refusal_page)
    add_api_routes(app)
    for pages in PAGES:
        app.include_router(pages.router)
    app.mount("/static", ASSETS)
    return app


def create_trust_app(
    services: Services, tls_ca: Path, *, https_port: int, hosts: AllowedHosts
) -> FastAPI:
    """The trust page alone, for plain HTTP; every other address leads to HTTPS."""
    app = FastAPI(
        openapi_url=None,
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(HostCheck, hosts=hosts),
            Middleware(RequestLimits, rate=RateLimit(), clock_ms=services.clock_ms),
        ],
    )
    app.state.services = services
    app.state.tls_ca = tls_ca
    install_problem_handlers(app, page=refusal_page)
    app.include_router(trust_page.router)
    app.mount("/static", ASSETS)

    @app.get("/{path:path}")
    def elsewhere(path: str, request: Request) -> RedirectResponse:
        if not path:
            return RedirectResponse("/trust", status_code=303)
        return RedirectResponse(f"https://{request.url.hostname}:{https_port}/{path}", 308)

    return app


class SecurityHeaders:
    """ASGI middleware: no inline script, no foreign hosts, nothing cached."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to every response."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in SECURITY_HEADERS.items()
                        if name.encode() not in present
                    ),
                ]
            await send(message)

        await self._app(scope, receive, with_headers)
