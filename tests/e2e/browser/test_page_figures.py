"""What `gridledger bench gateway` measures of pages: weight within the goal, a first paint."""

import pytest

from network.bench.page import WEIGHT_BYTES_MAX, measured_page
from tests.e2e.browser.chromium import chromium_path
from tests.e2e.browser.street import live_through, open_with_orders, settle_in
from tests.e2e.browser.village import village

pytestmark = pytest.mark.full


def test_the_heaviest_pages_weigh_less_than_the_goal():
    chromium_path()
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=24)
        open_with_orders(it, street)
        for path in ("/", "/market", "/meter"):
            sign_in = it.url + it.sign_in(street.sunny.idgrid)
            found = measured_page(it.url + path, sign_in=sign_in, runs=1)
            assert 0 < found.weight_bytes < WEIGHT_BYTES_MAX
            assert found.first_contentful_paint_ms > 0
