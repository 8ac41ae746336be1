"""A short look in every run: the pages open in Chromium, live and without errors."""

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.chromium import WIDTHS, overflow_px, page_in, settled
from tests.e2e.browser.street import live_through, open_with_orders, settle_in
from tests.e2e.browser.village import village

pytestmark = pytest.mark.slow


def test_the_pages_open_live_at_both_widths(browser):
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=4)
        open_with_orders(it, street)
        for width in WIDTHS:
            with page_in(browser, width=width) as page:
                page.goto(it.url + it.sign_in(street.sunny.idgrid))
                for path in ("/", "/market", "/meter", "/production", "/account"):
                    page.goto(it.url + path)
                    settled(page)
                    expect(page.locator("#link-state")).to_have_attribute("data-state", "live")
                    assert overflow_px(page) == 0
