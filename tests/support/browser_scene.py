"""A page of a running application in headless Chromium, for tests in one event loop."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.unit.gateway.serving import serve

CHROMIUM = shutil.which("chromium")
NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="needs the system part chromium")
PHONE = {"width": 360, "height": 740}
ACTION_TIMEOUT_MS = 15_000


@dataclass(slots=True)
class BrowserScene:
    """A browser and the application's address; `only_page` is for tests that share one page."""

    runner: asyncio.Runner
    browser: Browser
    url: str
    only_page: Page | None = None

    def play(self, scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run one test's steps."""
        self.runner.run(scene())

    async def device(self, **options: Any) -> BrowserContext:
        """A browser of its own: no cookie and no key of another one."""
        context = await self.browser.new_context(
            base_url=self.url, viewport=PHONE, locale="en-GB", **options
        )
        context.set_default_timeout(ACTION_TIMEOUT_MS)
        return context

    async def page(self, **options: Any) -> Page:
        """A page on a device of its own, with the application's first page open."""
        page = await (await self.device(**options)).new_page()
        await page.goto("/problems")
        return page


@contextmanager
def browser_scene(app: FastAPI) -> Iterator[BrowserScene]:
    """Serve the application and start the browser; both end afterwards."""

    async def start(resources: AsyncExitStack) -> tuple[Browser, str]:
        url = await resources.enter_async_context(serve(app))
        playwright = await resources.enter_async_context(async_playwright())
        # A container's root has no user namespace for the browser's own sandbox.
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        resources.push_async_callback(browser.close)
        return browser, url.replace("127.0.0.1", "localhost")

    with asyncio.Runner() as runner:
        resources = AsyncExitStack()
        try:
            browser, url = runner.run(start(resources))
            yield BrowserScene(runner, browser, url)
        finally:
            runner.run(resources.aclose())
