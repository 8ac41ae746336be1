"""Every page on a phone and on a desk: whole, without errors, usable by everyone.

tests/architecture/test_pages.py compares the addresses with what the gateway serves.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page

from gateway.hems.link_audit import LinkAudit
from gateway.mqtt.broker_log import SignIn
from gateway.notices.outside_http import Reach
from gateway.notices.push_devices import PushDevices
from gateway.notices.ways import NoticeWays
from gateway.notices.webhooks import MASTER_BYTES, Webhooks
from gateway.services import Services
from network.certificates.gateway_tls import write_gateway_tls
from tests.e2e.browser.chromium import (
    WIDTHS,
    accessibility_findings,
    keep_screenshot,
    overflow_px,
    page_in,
    settled,
    sideways,
    small_targets,
)
from tests.e2e.browser.page_addresses import HOUSEHOLD, MANAGER, VISITOR, names_in
from tests.e2e.browser.street import Street, live_through, open_with_orders, settle_in
from tests.e2e.browser.village import Village, village
from tests.unit.gateway.metering.data_service import Keys, Scene

pytestmark = pytest.mark.full
HOURS = 30
NOT_THERE = "not-there"
COMPLAINS = {NOT_THERE, "receipt"}
"""Refused on purpose; and the village has no validators for the receipt page to learn of."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    tls = write_gateway_tls(
        tmp_path_factory.mktemp("tls"), ["localhost"], now=datetime.now(tz=UTC)
    )
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=HOURS)
        open_with_orders(it, street)
        it.app.state.tls_ca = Path(tls["ca"])
        it.app.state.services = with_everything(it, street)
        yield it, street


def with_everything(it: Village, street: Street) -> Services:
    """A gateway with devices' data and ways of notices; the usual village has neither."""
    services = it.services
    heard = Scene(Keys(it.meters[street.sunny.meter_id]), now_ms=services.clock_ms())
    heard.hear_reading(it.meters[street.sunny.meter_id])
    database, clock_ms = services.readmodel.database, services.clock_ms
    links = heard.stores.links
    links.note([SignIn(street.sunny.meter_id, "192.0.2.7", is_refused=False)], clock_ms())
    links.note([SignIn("", "198.51.100.23", is_refused=True)], clock_ms())
    audit = LinkAudit(links, heard.stores.devices, clock_ms)
    audit.look()
    ways = NoticeWays(
        webhooks=Webhooks(database, clock_ms, Reach(), bytes(MASTER_BYTES)),
        push=PushDevices(database, clock_ms, Reach(), bytes(range(65))),
    )
    return replace(services, hems=heard.service, notice_ways=ways, link_audit=audit)


def visit(page: Page, scene, address: str, picture: str) -> None:
    """Open the page with everything that folds unfolded; its picture is kept."""
    it, street = scene
    answer = page.goto(it.url + address.format(**names_in(it, street)))
    assert answer is not None
    assert answer.status == (404 if picture.startswith(NOT_THERE) else 200)
    settled(page)
    for summary in page.locator("summary:visible").all():
        summary.click()
    keep_screenshot(page, picture)


def everyone_can_use(page: Page) -> None:
    assert overflow_px(page) == 0
    assert small_targets(page) == []
    assert accessibility_findings(page) == []


@pytest.mark.row("E125")
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "light"), (360, "dark")])
@pytest.mark.parametrize("name", HOUSEHOLD)
def test_a_household_s_page(browser, scene, name, scheme, width):
    it, street = scene
    with page_in(browser, width=width, color_scheme=scheme) as page:
        page.goto(it.url + it.sign_in(street.sunny.idgrid))
        visit(page, scene, HOUSEHOLD[name], f"{name}-{scheme}")
        everyone_can_use(page)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", MANAGER)
def test_a_manager_s_page(browser, scene, name, width):
    it, _ = scene
    with page_in(browser, width=width) as page:
        page.goto(it.url + it.sign_in("", is_manager=True))
        visit(page, scene, MANAGER[name], name)
        everyone_can_use(page)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", VISITOR)
def test_a_visitor_s_page(browser, scene, name, width):
    with page_in(browser, width=width, may_fail=name in COMPLAINS) as page:
        visit(page, scene, VISITOR[name], name)
        everyone_can_use(page)


@pytest.mark.parametrize("locale", ["es-CL", "pt-PT"])
@pytest.mark.parametrize("name", HOUSEHOLD)
def test_longer_words_fit_too(browser, scene, name, locale):
    it, street = scene
    with page_in(browser, width=360, locale=locale) as page:
        page.goto(it.url + it.sign_in(street.sunny.idgrid))
        visit(page, scene, HOUSEHOLD[name], f"{name}-{locale[:2]}")
        assert page.locator("html").get_attribute("lang") == locale
        assert overflow_px(page) == 0
        assert small_targets(page) == []


@pytest.mark.parametrize("locale", ["es-CL", "pt-PT"])
@pytest.mark.parametrize("name", MANAGER)
def test_a_manager_s_lists_fit_a_phone_in_longer_words(browser, scene, name, locale):
    it, _ = scene
    with page_in(browser, width=360, locale=locale) as page:
        page.goto(it.url + it.sign_in("", is_manager=True))
        visit(page, scene, MANAGER[name], f"{name}-{locale[:2]}")
        assert overflow_px(page) == 0
        assert small_targets(page) == []
        assert sideways(page) == []
