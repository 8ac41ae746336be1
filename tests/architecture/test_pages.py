"""Every page that the gateway serves is looked at in a browser by the tests."""

from typing import get_type_hints

from starlette.responses import HTMLResponse
from starlette.routing import Match, Route

from gateway.application import PAGES
from tests.e2e.browser.page_addresses import HOUSEHOLD, MANAGER, VISITOR


def served() -> list[Route]:
    routes = [route for module in PAGES for route in module.router.routes]
    return [
        route
        for route in routes
        if isinstance(route, Route)
        and "GET" in (route.methods or ())
        and get_type_hints(route.endpoint).get("return") is HTMLResponse
    ]


def is_looked_at(route: Route) -> bool:
    for address in (*HOUSEHOLD.values(), *MANAGER.values(), *VISITOR.values()):
        path = address.partition("?")[0]
        scope = {"type": "http", "method": "GET", "path": path}
        if path == route.path or route.matches(scope)[0] is Match.FULL:
            return True
    return False


def test_every_page_is_looked_at_in_a_browser() -> None:
    assert len(served()) > 30
    missing = [route.path for route in served() if not is_looked_at(route)]
    assert missing == [], "name them in tests/e2e/browser/page_addresses.py"
