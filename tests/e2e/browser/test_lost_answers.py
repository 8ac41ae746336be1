"""What the dialog says of an order when an answer is late, lost or changed: only what is known."""

import re
from base64 import b64decode, b64encode
from dataclasses import replace

import pytest
from playwright.sync_api import Page, Route, expect

from chaincode.shim.testing import make_identity
from gateway.hems.batteries import BatteryStore
from gateway.hems.plausibility import Limits
from gateway.hems.running import open_service
from gateway.shared_state.submissions import Submissions
from tests.e2e.browser.chromium import (
    accessibility_findings,
    keep_screenshot,
    overflow_px,
    page_in,
    small_targets,
)
from tests.e2e.browser.key_steps import SUBMIT, signed_in_with_key, told
from tests.e2e.browser.street import OPEN_HOUR, settle_in
from tests.e2e.browser.village import village
from tests.support.gateway_database import fresh_database
from tests.unit.energy.community import DSO, FLOOR, Community

pytestmark = pytest.mark.full
READERS = [(360, "es-CL"), (1280, "es-CL"), (1280, "en-GB")]
SENT_ONLY = {
    "es-CL": "Se envió y todavía no está en el registro.",
    "en-GB": "It was sent, and is not on the ledger yet.",
}
CHANGED = {
    "es-CL": "Lo que volvió para firmar no es lo que usted confirmó.",
    "en-GB": "What came back to be signed is not what you confirmed.",
}
UNSENT = {
    "es-CL": "No se pudo enviar. No se cambió nada.",
    "en-GB": "It could not be sent. Nothing was changed.",
}
LOOK = {
    "es-CL": "Ver la transacción",
    "en-GB": "Look at the transaction",
    "pt-PT": "Ver a transação",
}
TRIES_MAX = 4
"""Of ledger_client.js."""
PLUG = "fridge-01"
FOLLOW = re.compile(r"/v1/transactions/[0-9a-f]{64}$")
COUNT_EVENTS = """() => {
  window.committed = 0;
  document.addEventListener("ledger:committed", () => { window.committed += 1; });
}"""


@pytest.fixture(scope="module")
def scene():
    with village() as it:
        street = settle_in(it)
        it.act(lambda community: community.open(OPEN_HOUR, opens_at_ms=0))
        yield it, street


def bid(page: Page, it, home, energy_kwh: str) -> int:
    """Sign a bid on the market's page; the height before it."""
    page.goto(f"{it.url}/market")
    page.evaluate(COUNT_EVENTS)
    page.locator("#bid-energy").fill(energy_kwh)
    page.locator("#place button[type=submit]").first.click()
    height: int = it.services.market.height
    page.locator("#sign-dialog [data-part=sign]").click()
    return height


def events(page: Page) -> int:
    return int(page.evaluate("window.committed"))


def accepted_only(route: Route) -> None:
    """As the gateway answers when nothing was in a block in time; this one never is."""
    route.fulfill(status=202, json={"transaction_id": "0" * 64, "status": "submitted"})


def lost_on_its_way_back(route: Route) -> None:
    route.fetch()
    route.abort("connectionreset")


def good_dialog(page: Page, name: str) -> None:
    keep_screenshot(page, name, whole=False)
    assert overflow_px(page) == 0
    assert small_targets(page) == []
    assert accessibility_findings(page) == []


@pytest.mark.parametrize(("width", "locale"), READERS)
def test_what_is_in_no_block_in_time_is_told_as_sent_and_no_step_follows(
    browser, scene, width, locale
):
    it, street = scene
    with page_in(browser, width=width, locale=locale, may_fail=True) as page:
        signed_in_with_key(page, it, street.flat)
        page.route(SUBMIT, accepted_only)
        height = bid(page, it, street.flat, "1")
        assert told(page, "undecided").startswith(SENT_ONLY[locale])
        link = page.locator("#sign-dialog [data-part=transaction] a")
        expect(link).to_have_attribute(
            "href", re.compile(r"^/explorer/transactions/[0-9a-f]{64}$")
        )
        expect(page.locator("#sign-dialog [data-part=balance]")).to_be_empty()
        assert (events(page), it.services.market.height) == (0, height)
        good_dialog(page, f"sent-only-{locale[:2]}")


def test_what_came_into_a_block_after_the_answer_is_told_as_on_the_ledger(browser, scene):
    it, street = scene

    def answered_early(route: Route) -> None:
        route.fetch()
        accepted_only(route)

    with page_in(browser, may_fail=True) as page:
        signed_in_with_key(page, it, street.flat)
        page.route(SUBMIT, answered_early)
        height = bid(page, it, street.flat, "1.01")
        assert told(page, "committed") == "It is on the ledger."
        assert (events(page), it.services.market.height) == (1, height + 1)


def test_an_answer_that_is_lost_is_looked_for_and_makes_one_order(browser, scene):
    it, street = scene
    with page_in(browser, may_fail=True) as page:
        signed_in_with_key(page, it, street.flat)
        page.route(SUBMIT, lost_on_its_way_back)
        height = bid(page, it, street.flat, "1.02")
        assert told(page, "committed") == "It is on the ledger."
        assert (events(page), it.services.market.height) == (1, height + 1)


@pytest.mark.parametrize("status", [503, 504])
def test_a_gateway_that_fails_after_it_was_sent_does_not_say_that_nothing_changed(
    browser, scene, status
):
    """A balancer's answer for a replica that stopped; ordering had the transaction already."""
    it, street = scene

    def failed(route: Route) -> None:
        route.fetch()
        route.fulfill(status=status, content_type="text/html", body="<h1>Gateway Time-out</h1>")

    with page_in(browser, may_fail=True) as page:
        signed_in_with_key(page, it, street.flat)
        page.route(SUBMIT, failed)
        height = bid(page, it, street.flat, "1.03")
        assert told(page, "committed") == "It is on the ledger."
        assert it.services.market.height == height + 1


def test_a_connection_that_stays_lost_leads_to_the_transaction(browser, scene):
    it, street = scene
    with page_in(browser, may_fail=True) as page:
        signed_in_with_key(page, it, street.flat)
        page.route(SUBMIT, lost_on_its_way_back)
        page.route(FOLLOW, lambda route: route.abort("internetdisconnected"))
        height = bid(page, it, street.flat, "1.04")
        assert told(page, "undecided").startswith(SENT_ONLY["en-GB"])
        assert (events(page), it.services.market.height) == (0, height + 1)
        page.unroute_all()
        page.locator("#sign-dialog [data-part=transaction] a").click()
        expect(page.locator("#status")).to_have_attribute("data-status", "1")


def test_what_a_block_has_as_invalid_is_refused_though_it_was_accepted_first(browser, scene):
    it, street = scene
    found = {"status": "invalid", "code": "ENDORSEMENT_POLICY_FAILURE", "is_retryable": False}
    with page_in(browser, locale="es-CL", may_fail=True) as page:
        signed_in_with_key(page, it, street.flat)
        page.route(SUBMIT, accepted_only)
        page.route(FOLLOW, lambda route: route.fulfill(json={"transaction_id": ""} | found))
        bid(page, it, street.flat, "1.05")
        assert told(page, "refused").startswith("Muy pocos miembros confirmaron la transacción")
        link = page.locator("#sign-dialog [data-part=transaction] a")
        expect(link).to_have_attribute(
            "href", re.compile(r"^/explorer/transactions/[0-9a-f]{64}$")
        )
        assert events(page) == 0


@pytest.mark.parametrize(("width", "locale"), [*READERS, (360, "pt-PT")])
def test_what_is_on_the_ledger_as_invalid_leads_to_its_transaction(browser, scene, width, locale):
    """Each time it is sent, another order of the household is in a block first."""
    it, street = scene
    conflicts = []

    def another_order(community: Community) -> None:
        conflicts.append(community.bid(street.bakery, 10, FLOOR, OPEN_HOUR))

    def after_another_order(route: Route) -> None:
        it.act(another_order)
        route.continue_()

    with page_in(browser, width=width, locale=locale, may_fail=True) as page:
        signed_in_with_key(page, it, street.bakery)
        page.route(SUBMIT, after_another_order)
        bid(page, it, street.bakery, "1.09")
        told(page, "refused")
        link = page.locator("#sign-dialog").get_by_role("link", name=LOOK[locale])
        expect(link).to_be_visible()
        good_dialog(page, f"invalid-{locale[:2]}")
        link.click()
        expect(page.locator("#status")).to_contain_text("MVCC_READ_CONFLICT")
        assert len(conflicts) == TRIES_MAX


@pytest.mark.parametrize(("width", "locale"), READERS)
def test_what_a_gateway_changed_is_named_so_and_goes_nowhere(browser, scene, width, locale):
    it, street = scene

    def changed(route: Route) -> None:
        answer = route.fetch()
        raw = bytearray(b64decode(answer.json()["to_sign"]))
        at = raw.index(b"1060")
        raw[at : at + 4] = b"9960"
        route.fulfill(json=answer.json() | {"to_sign": b64encode(bytes(raw)).decode()})

    with page_in(browser, width=width, locale=locale, may_fail=True) as page:
        signed_in_with_key(page, it, street.flat)
        sent: list[str] = []
        page.on("request", lambda one: sent.append(one.url) if SUBMIT.search(one.url) else None)
        page.route("**/v1/transactions/endorse", changed)
        height = bid(page, it, street.flat, "1.06")
        assert told(page, "tampered").startswith(CHANGED[locale])
        said = page.locator("#sign-dialog [data-part=said]")
        said.locator("summary").click()
        expect(said.locator("p")).to_have_text("the transaction has other arguments")
        assert (sent, events(page), it.services.market.height) == ([], 0, height)
        good_dialog(page, f"changed-by-the-gateway-{locale[:2]}")


@pytest.mark.parametrize(("width", "locale"), READERS)
def test_what_never_left_is_told_as_not_sent(browser, scene, width, locale):
    it, street = scene
    with page_in(browser, width=width, locale=locale, may_fail=True) as page:
        signed_in_with_key(page, it, street.flat)
        page.route("**/v1/transactions/endorse", lambda route: route.abort("connectionreset"))
        height = bid(page, it, street.flat, "1.07")
        assert told(page, "failed") == UNSENT[locale]
        assert (events(page), it.services.market.height) == (0, height)
        good_dialog(page, f"not-sent-{locale[:2]}")


def test_a_plug_that_was_refused_and_one_nobody_knows_of_are_told_apart(browser, scene):
    it, street = scene
    with_plug(it, street.sunny)
    refused = {"type": "/problems/plug-service-failed", "status": 500, "detail": "no good answer"}
    with page_in(browser, locale="es-CL", may_fail=True) as page:
        signed_in_with_key(page, it, street.sunny)
        page.goto(f"{it.url}/devices")
        told_of_plug = page.locator("#plug-status")
        page.route("**/switch", lambda route: route.fulfill(status=500, json=refused))
        switch(page)
        expect(told_of_plug).to_contain_text("El enchufe no cambió: El servicio del fabricante")
        expect(told_of_plug).not_to_contain_text("no good answer")
        page.unroute_all()
        page.route("**/switch", lambda route: route.abort("connectionreset"))
        switch(page)
        expect(told_of_plug).to_contain_text("No se sabe si el enchufe cambió.")
        good_dialog(page, "plug-answer-lost-es")


def with_plug(it, home) -> None:
    key = make_identity(DSO, PLUG, {}, "client").public_key.hex()
    it.act(lambda c: c.dso.submit("devices:register", PLUG, "plug", home.idgrid, key))
    it.act(lambda c: c.dso.submit("registry:approve_meter", PLUG))
    service = open_service(
        fresh_database(),
        BatteryStore(),
        Limits(),
        now_ms=it.services.clock_ms(),
        answering_by_state=[PLUG],
    )
    it.app.state.services = replace(it.app.state.services, hems=service)


def switch(page: Page) -> None:
    page.locator("[data-switch][data-to=on]").click()
    page.locator("#plug-dialog button[value=yes]").click()


def test_a_page_opened_while_the_transaction_waits_becomes_the_transactions(browser, scene):
    """The link of the dialog, followed at once, on another device too."""
    it, street = scene
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    with page_in(browser, may_fail=True) as page, page_in(browser, locale="es-CL") as other:
        signed_in_with_key(page, it, street.flat)
        page.route(SUBMIT, hold)
        with page.expect_request(SUBMIT), page.expect_response("**/endorse") as endorsed:
            bid(page, it, street.flat, "1.08")
        tx_id = endorsed.value.json()["transaction_id"]
        Submissions(it.services.readmodel.database, it.services.clock_ms).remember(tx_id)
        other.goto(f"{it.url}/explorer/transactions/{tx_id}")
        status = other.locator("#status")
        expect(status).to_have_attribute("data-status", "waiting")
        expect(status).to_have_text("Se envió y todavía no está en el registro.")
        expect(other.locator("#link-state")).to_have_attribute("data-state", "live")
        good_dialog(other, "transaction-waits-es")
        held[0].continue_()
        expect(status).to_have_attribute("data-status", "1")
        good_dialog(other, "transaction-came-es")
        assert told(page, "committed") == "It is on the ledger."
