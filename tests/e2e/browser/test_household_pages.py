"""Every household page on a phone and on a desk: whole, without errors, usable by everyone."""

import pytest

from tests.e2e.browser.chromium import (
    accessibility_findings,
    keep_screenshot,
    overflow_px,
    page_in,
    settled,
    small_targets,
)
from tests.e2e.browser.street import live_through, open_with_orders, settle_in
from tests.e2e.browser.village import village

pytestmark = pytest.mark.full
HOURS = 30
PAGES = {
    "home": "/",
    "market": "/market",
    "marketplace": "/marketplace",
    "meter": "/meter",
    "meter-month": "/meter?kind=month",
    "devices": "/devices",
    "production": "/production",
    "notices": "/notices",
    "terms": "/terms",
    "account": "/account",
    "standing": "/standing?side=offer",
    "offline": "/offline",
}


@pytest.fixture(scope="module")
def scene():
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=HOURS)
        open_with_orders(it, street)
        yield it, street


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "light"), (360, "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_its_screen_and_everyone_can_use_it(browser, scene, name, scheme, width):
    it, street = scene
    with page_in(browser, width=width, color_scheme=scheme) as page:
        page.goto(it.url + it.sign_in(street.sunny.idgrid))
        page.goto(it.url + PAGES[name])
        settled(page)
        for summary in page.locator("summary:visible").all():
            summary.click()
        keep_screenshot(page, f"{name}-{scheme}")
        assert overflow_px(page) == 0
        assert small_targets(page) == []
        assert accessibility_findings(page) == []


@pytest.mark.parametrize("locale", ["es-CL", "pt-PT"])
@pytest.mark.parametrize("name", PAGES)
def test_longer_words_fit_too(browser, scene, name, locale):
    it, street = scene
    with page_in(browser, width=360, locale=locale) as page:
        page.goto(it.url + it.sign_in(street.sunny.idgrid))
        page.goto(it.url + PAGES[name])
        settled(page)
        keep_screenshot(page, f"{name}-{locale[:2]}")
        assert page.locator("html").get_attribute("lang") == locale
        assert overflow_px(page) == 0
        assert small_targets(page) == []
