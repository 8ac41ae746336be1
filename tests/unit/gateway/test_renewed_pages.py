"""Pages with values of devices follow them: also when no block comes."""

import re

import pytest

from tests.e2e.browser.street import settle_in
from tests.e2e.browser.village import village
from tests.unit.gateway.pages import Visitor, visiting


@pytest.fixture(scope="module")
def visitor() -> Visitor:
    with village() as it:
        yield visiting(it.services, settle_in(it).sunny.idgrid)


@pytest.mark.parametrize("path", ["/", "/meter", "/production", "/devices"])
def test_pages_with_values_of_devices_are_fetched_between_blocks_too(visitor, path):
    text = visitor.get(path).text
    assert 'hx-trigger="ledger-block from:body throttle:600ms, every 20s"' in text


def test_other_pages_wait_for_a_block(visitor):
    assert "every 20s" not in visitor.get("/account").text


def test_what_appliances_use_is_in_a_live_part(visitor):
    text = visitor.get("/meter").text
    section = text[text.index('<section class="card" id="appliances"') :].partition("</section>")
    live = re.compile(r'<div id="appliances-live" data-live>.*appliances-title', re.DOTALL)
    assert live.search(section[0])
    assert section[0].count("<div") == section[0].count("</div>")
