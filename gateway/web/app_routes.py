"""What makes the pages an app one can install, and the choice of language."""

import json
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Header, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from gateway.api.access import UsedServices
from gateway.errors import Problem, RequestRefused
from gateway.web.assets import ASSETS
from gateway.web.languages import LOCALE_NAMES, N_
from gateway.web.refusal_texts import all_refusal_texts
from gateway.web.templating import LANGUAGE_COOKIE, language_of, page
from ledger.crypto.hashing import sha256

LANGUAGE_KEPT_S = 365 * 24 * 60 * 60
FORM_BYTES_MAX = 1_024
WORKER = "service-worker.js"
ICON = "/static/icons/icon-192.png"
SHELL = ("page.css", "page.js", "vendor/htmx.min.js", "icon.svg")
"""What the worker keeps: a page shows at once, and "you are offline" looks like the rest."""
RECEIPT_SHELL = ("receipts/page.js",)
RECEIPT_MODULES = (
    "receipts/check-receipt.js",
    "receipts/receipt-file.js",
    "receipts/receipt-words.js",
)
"""What checks receipts without a connection; modules are imported without the hash in the name."""

router = APIRouter(include_in_schema=False)


@router.get("/manifest.webmanifest")
def manifest(request: Request, services: UsedServices) -> JSONResponse:
    """Name, colours and icons of the installed app."""
    words = language_of(request)
    icons = [
        {"src": ASSETS.url("icon.svg"), "sizes": "any", "type": "image/svg+xml"},
        *(
            {
                "src": ASSETS.url(f"icons/icon-{size}.png"),
                "sizes": f"{size}x{size}",
                "type": "image/png",
                "purpose": "any maskable",
            }
            for size in (192, 512)
        ),
    ]
    content = {
        "id": "/",
        "name": services.community_name,
        "short_name": words.text(N_("Energy")),
        "description": words.text(N_("Local energy market of the community")),
        "lang": words.tag,
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#f3f6f4",
        "theme_color": "#1d7a46",
        "icons": icons,
    }
    return JSONResponse(content, media_type="application/manifest+json")


@router.get("/service-worker.js")
async def service_worker() -> Response:
    """The worker, which rules the whole site only if it is served from its root."""
    asset = ASSETS.find(WORKER)
    assert asset is not None, "the worker is one of the files"
    urls = [ASSETS.url(name) for name in (*SHELL, *RECEIPT_SHELL, *RECEIPT_MODULES)]
    kept = [*urls, *(f"/static/{name}" for name in RECEIPT_MODULES)]
    stamp = sha256(" ".join(urls).encode()).hex()
    head = f'"use strict";const SHELL={json.dumps(kept)},STAMP="{stamp}",ICON="{ICON}";\n'
    return Response(head.encode() + asset.content, media_type="text/javascript")


@router.get("/offline")
def offline(request: Request) -> HTMLResponse:
    """What the worker shows when the gateway does not answer."""
    return page(request, "offline.html")


@router.get("/refusal-texts")
async def refusal_texts(request: Request) -> JSONResponse:
    """What every code of a refusal means, in the reader's language."""
    return JSONResponse(all_refusal_texts(language_of(request)))


@router.post("/language")
async def choose_language(
    request: Request, sec_fetch_site: Annotated[str | None, Header()] = None
) -> Response:
    """Keep the choice in a cookie and go back to the page it was made on."""
    body = await request.body()
    if len(body) > FORM_BYTES_MAX or sec_fetch_site == "cross-site":
        raise RequestRefused(Problem.MALFORMED, "the form is not one of these pages")
    form = parse_qs(body.decode("latin-1"))
    code, back = form.get("language", [""])[0], form.get("back", ["/"])[0]
    if code not in LOCALE_NAMES:
        raise RequestRefused(Problem.INVALID, "that language is not spoken here")
    # Two slashes would name another site.
    is_ours = back.startswith("/") and not back.startswith(("//", "/\\"))
    answer = RedirectResponse(back if is_ours else "/", status_code=303)
    answer.set_cookie(
        LANGUAGE_COOKIE,
        code,
        max_age=LANGUAGE_KEPT_S,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer
