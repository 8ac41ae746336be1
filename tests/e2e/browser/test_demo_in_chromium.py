"""The pages behind the demo's two links in a real browser, and a plug switched there."""

import asyncio

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser.chromium import (
    WIDTHS,
    accessibility_findings,
    keep_screenshot,
    overflow_px,
    page_in,
    settled,
    small_targets,
)
from tests.e2e.scene import Scene
from tests.e2e.test_demo_pages import HOUSEHOLD_PAGES, MANAGER_PAGES

pytestmark = pytest.mark.full
PLUG = "fridge-01"
LOOKED_INTO = ("/meter", "/production", "/devices", "/console/meters", "/console/security")
"""By axe-core: pages of devices; the others are, with data of the test ledger."""


def session_of(demo, *, is_manager: bool) -> str:
    """The token of a session of a printed link, which works once."""

    async def ask() -> dict[str, str]:
        async with demo.http() as http, demo.actors() as (actors, peers):
            scene = Scene(demo, http, actors, peers)
            return await (scene.manager_session() if is_manager else scene.household_session())

    return asyncio.run(ask())["Authorization"].removeprefix("Bearer ")


def sign_in(page: Page, demo, token: str) -> str:
    """The address of the gateway, whose pages this browser may open from now on."""
    url = demo.settings.gateway_url
    page.context.add_cookies([{"name": "gridledger_session", "value": token, "url": url}])
    return url


@pytest.fixture(scope="module")
def sessions(demo):
    """Of the household and the manager; asked before the browser's loop runs in this thread."""
    return {is_manager: session_of(demo, is_manager=is_manager) for is_manager in (False, True)}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("is_manager", [False, True])
def test_every_page_is_usable(demo, sessions, browser, width, is_manager):
    pages = MANAGER_PAGES if is_manager else HOUSEHOLD_PAGES
    with page_in(browser, width=width) as page:
        url = sign_in(page, demo, sessions[is_manager])
        for path in pages:
            page.goto(url + path)
            settled(page)
            who = "manager" if is_manager else "household"
            name = "".join(letter if letter.isalnum() else "-" for letter in path.lower())
            keep_screenshot(page, f"demo-{who}{name}")
            assert overflow_px(page) == 0, path
            if path in LOOKED_INTO:
                assert accessibility_findings(page) == [], path
            assert small_targets(page) == [], path


def test_a_plug_is_switched_after_a_question_and_its_answer_is_shown(demo, sessions, browser):
    with page_in(browser) as page:
        url = sign_in(page, demo, sessions[False])
        page.goto(f"{url}/devices")
        row, dialog = page.locator(f"[data-plug={PLUG}]"), page.locator("#plug-dialog")
        told = page.locator("#plug-status")
        state = row.locator("[data-plug-state]")
        expect(state).to_have_text("switched on")
        row.get_by_role("button", name="Switch off").click()
        expect(dialog).to_contain_text(f"Switch {PLUG} off?")
        dialog.get_by_role("button", name="Leave it as it is").click()
        expect(told).to_be_hidden()
        for button, now in (("Switch off", "switched off"), ("Switch on", "switched on")):
            row.get_by_role("button", name=button).click()
            assert accessibility_findings(page) == []
            dialog.get_by_role("button", name="Yes, switch").click()
            expect(told).to_have_text("Done: the plug has answered.")
            expect(state).to_have_text(now)
            expect(row).to_contain_text(": done")
        keep_screenshot(page, "demo-plug")
