"""The browser: Debian's Chromium, pages that fail a test when they complain, kept screenshots."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

WIDTHS = (360, 1280)
EXPECTED_WITHIN_MS = 60_000
"""Longest wait for what a page should show, on a machine that is busy with other tests."""
HEIGHT_PX = 800
TARGET_PX_MIN = 44
SCREENSHOTS = Path(__file__).parents[3] / ".cache" / "screenshots"
"""Artefacts of the last run, to be looked at; not committed."""
SERIOUS = ("serious", "critical")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
PRESSED = "button, a.button, nav a, select, summary, input:not([type=hidden])"
SMALL_TARGETS = """([min, pressed]) => [...document.querySelectorAll(pressed)]
  .filter((one) => one.checkVisibility({visibilityProperty: true}) && !one.closest("[hidden]"))
  .map((one) => [(one.closest("label") ?? one).getBoundingClientRect(), one])
  .map(([box, one]) => [box, one.outerHTML.slice(0, 90)])
  .filter(([box]) => box.width > 0 && (box.height < min - 0.5 || box.width < min - 0.5))
  .map(([box, text]) => `${Math.round(box.width)} x ${Math.round(box.height)}: ${text}`)"""

WIDER_THAN_ITS_PLACE = """() => [...document.querySelectorAll(".scroll")]
  .map((one) => [one.scrollWidth - one.clientWidth, one.getAttribute("aria-label")])
  .filter(([by]) => by > 1)
  .map(([by, name]) => `${name}: ${by}`)"""


def chromium_path() -> str:
    """Debian's Chromium; without it tests are skipped and `./test` names it as missing."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is missing: apt install chromium")
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """A started browser; root may not sandbox."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=EXPECTED_WITHIN_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=arguments)
        yield browser
        browser.close()


@contextmanager
def page_in(
    browser: Browser, *, width: int = 360, may_fail: bool = False, **options: Any
) -> Iterator[Page]:
    """A page of a fresh profile; an error it writes fails the test unless it `may_fail`."""
    settings = {"locale": "en-GB", "viewport": {"width": width, "height": HEIGHT_PX}} | options
    context = browser.new_context(**settings)
    context.set_default_timeout(EXPECTED_WITHIN_MS)
    page = context.new_page()
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
    finally:
        context.close()
    assert may_fail or complaints == []


def settled(page: Page) -> None:
    """Wait until the page listens for blocks and its charts are drawn."""
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-chart]')].every((one) => one.dataset.points)"
    )


def keep_screenshot(page: Page, name: str, *, whole: bool = True) -> Path:
    """`<name>-<width>.png` among the artefacts."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    assert re.fullmatch(r"[a-z0-9-]+", name)
    assert page.viewport_size is not None
    path = SCREENSHOTS / f"{name}-{page.viewport_size['width']}.png"
    page.screenshot(path=path, full_page=whole, animations="disabled")
    return path


def accessibility_findings(page: Page) -> list[str]:
    """What axe-core finds serious: rule, help and the first places."""
    page.evaluate("scrollTo(0, 0)")  # else the menu that sticks to the top hides what is below it
    results = Axe().run(page, options=RULES).response
    return [
        f"{found['id']}: {found['help']}: {[node['html'][:120] for node in found['nodes'][:3]]}"
        for found in results["violations"]
        if found["impact"] in SERIOUS
    ]


def small_targets(page: Page) -> list[str]:
    """What can be pressed and is smaller than a fingertip."""
    found: list[str] = page.evaluate(SMALL_TARGETS, [TARGET_PX_MIN, PRESSED])
    return found


def sideways(page: Page) -> list[str]:
    """Lists and tables that are wider than their place, so that one has to push them."""
    found: list[str] = page.evaluate(WIDER_THAN_ITS_PLACE)
    return found


def overflow_px(page: Page) -> int:
    """How far the page is wider than the screen."""
    return int(
        page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
    )
