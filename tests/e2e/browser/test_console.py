"""The manager's console in a real browser: a meter is approved, statements are run."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Page, expect

from chaincode.shim.testing import TestClient
from tests.e2e.browser.chromium import (
    WIDTHS,
    accessibility_findings,
    keep_screenshot,
    overflow_px,
    page_in,
    small_targets,
)
from tests.e2e.browser.street import OPEN_HOUR, Street, live_through, settle_in
from tests.e2e.browser.test_trading_pages import confirm
from tests.e2e.browser.village import village
from tests.unit.energy.community import DSO, Community

pytestmark = pytest.mark.full
LATER_HOUR, LAST_HOUR = "2026-01-15T16", "2026-01-15T17"


def signed_in_with_own_key(page: Page, it) -> None:
    """A microgrid's control centre runs market and grid: one person, one certificate."""
    page.clock.set_system_time(it.community.ledger.now)
    page.goto(it.url + it.sign_in("", is_manager=True))
    page.goto(f"{it.url}/manager/keys")
    use_key(page, control_centre(it))


def control_centre(it) -> TestClient:
    return it.community.ledger.client(DSO, "control-centre", attributes={"role": "operator"})


def use_key(page: Page, holder: TestClient) -> None:
    identity = holder.identity
    key = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for field, name, content in (
        ("#own-certificate", "own.crt", identity.certificate_pem),
        ("#own-file", "own.key", key),
    ):
        file = {"name": name, "mimeType": "application/x-pem-file", "buffer": content}
        page.set_input_files(field, file)
    page.locator("#own-mspid").fill(identity.mspid)
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator("[data-part=own-key]")).to_contain_text("has your key")
    expect(page.locator("[data-part=another-key]")).not_to_have_attribute("open", "")


def new_meter(community: Community, street: Street) -> str:
    key = street.sunny.meter.public_key.hex()
    community.manager.submit("registry:register_meter", "meter-new", street.flat.idgrid, key)
    return "meter-new"


@pytest.mark.row("E132")
@pytest.mark.parametrize("width", WIDTHS)
def test_a_meter_is_approved(browser, width):
    with village() as it:
        street = settle_in(it)

        meter_id = it.act(lambda community: new_meter(community, street))
        with page_in(browser, width=width) as page:
            signed_in_with_own_key(page, it)
            page.goto(f"{it.url}/console")
            page.locator(f'[data-meter="{meter_id}"]').get_by_role("button").click()
            shown = page.locator("#sign-dialog")
            expect(shown.locator("[data-value=meter]")).to_have_text(meter_id)
            expect(shown).to_contain_text("Approve a meter")
            keep_screenshot(page, "console-approve", whole=False)
            confirm(page)
            assert it.services.community.meter(meter_id).status == "approved"
            page.goto(f"{it.url}/console/audit?function=registry:approve_meter")
            newest = page.locator("[data-action]").first
            expect(newest).to_contain_text("control centre")
            expect(newest).to_contain_text("1 · valid")


@pytest.mark.parametrize("path", ["/console", "/console/meters"])
def test_what_was_registered_appears_by_itself_and_goes_once_approved(browser, path):
    with village() as it:
        street = settle_in(it)
        with page_in(browser) as page:
            page.goto(it.url + it.sign_in("", is_manager=True))
            page.goto(it.url + path)
            expect(page.locator("#link-state")).to_have_attribute("data-state", "live")
            meter_id = it.act(lambda community: new_meter(community, street))
            approval = page.locator("form[data-sign='registry:approve_meter']")
            expect(approval.locator("[data-argument]")).to_have_value(meter_id)
            it.act(lambda community: community.dso.submit("registry:approve_meter", meter_id))
            expect(approval).to_have_count(0)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_block_leaves_the_emergency_stop_as_it_was_and_the_reason_as_typed(browser, width):
    with village() as it:
        settle_in(it)
        it.act(lambda community: community.open(OPEN_HOUR, opens_at_ms=0))
        with page_in(browser, width=width) as page:
            page.goto(it.url + it.sign_in("", is_manager=True))
            page.goto(f"{it.url}/console/listings")
            expect(page.locator("#link-state")).to_have_attribute("data-state", "live")
            stop = page.locator(f'[id="stop-{OPEN_HOUR}"]')
            stop.locator("summary").click()
            stop.locator("input[required]").fill("a transformer burns")
            stop.locator("summary").focus()
            it.act(lambda community: community.open(LATER_HOUR, opens_at_ms=0))
            later = page.locator(f'[id="stop-{LATER_HOUR}"]')
            expect(later).to_be_visible()
            expect(later.locator("input[required]")).to_be_hidden()
            expect(stop.locator("input[required]")).to_be_visible()
            expect(stop.locator("input[required]")).to_have_value("a transformer burns")
            keep_screenshot(page, "emergency-stop-after-a-block")
            it.act(one_stops_and_another_opens)
            expect(stop).to_have_count(0)
            expect(page.locator(f'[id="stop-{LAST_HOUR}"]')).to_be_visible()
            for one in page.locator("details[id^=stop-] input[required]").all():
                expect(one).to_be_hidden()
                expect(one).to_have_value("")


def one_stops_and_another_opens(community: Community) -> None:
    community.manager.submit("listings:stop", OPEN_HOUR, "a storm")
    community.open(LAST_HOUR, opens_at_ms=0)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_grid_operator_s_key_takes_the_place_of_the_manager_s(browser, width):
    with village() as it:
        street = settle_in(it)
        meter_id = it.act(lambda community: new_meter(community, street))
        with page_in(browser, width=width, may_fail=True) as page:
            page.clock.set_system_time(it.community.ledger.now)
            page.goto(it.url + it.sign_in("", is_manager=True))
            page.goto(f"{it.url}/manager/keys")
            use_key(page, it.community.manager)
            approve_meter(page, it)
            expect(page.locator("[data-part=outcome]")).to_have_attribute(
                "data-outcome", "refused"
            )
            page.goto(f"{it.url}/manager/keys")
            page.get_by_text("Use another key").click()
            keep_screenshot(page, "console-another-key")
            assert overflow_px(page) == 0
            assert small_targets(page) == []
            assert accessibility_findings(page) == []
            use_key(page, control_centre(it))
            approve_meter(page, it)
            expect(page.locator("[data-part=outcome]")).to_have_attribute(
                "data-outcome", "committed"
            )
            assert it.services.community.meter(meter_id).status == "approved"


def approve_meter(page: Page, it) -> None:
    page.goto(f"{it.url}/console")
    page.locator("[data-meter]").get_by_role("button").click()
    page.get_by_role("button", name="Sign", exact=True).click()


@pytest.mark.parametrize("width", WIDTHS)
def test_statements_are_run_once_the_month_balances(browser, width):
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=3)
        it.act(lambda community: community.ledger.at("2026-02-01T06:00:00Z"))
        with page_in(browser, width=width) as page:
            signed_in_with_own_key(page, it)
            page.goto(f"{it.url}/console/statements")
            checks = page.locator("#check [data-good]")
            assert {one.get_attribute("data-good") for one in checks.all()} == {"1"}
            page.get_by_role("button", name="Issue the statements").click()
            expect(page.locator("#sign-dialog [data-value=month]")).to_have_text("2026-01")
            confirm(page)
            page.goto(f"{it.url}/console/statements")
            expect(page.locator("#issued")).to_contain_text("4 statements")
            keep_screenshot(page, "console-issued")


def test_a_household_is_registered_with_its_check_character(browser):
    with village() as it:
        settle_in(it)
        with page_in(browser) as page:
            page.goto(it.url + it.sign_in("", is_manager=True))
            page.goto(f"{it.url}/console/members")
            page.locator("#new-body").fill("VAL-0017")
            expect(page.locator("#new-idgrid")).to_have_value("VAL-0017-X")
            page.locator("#new-body").fill("val")
            expect(page.locator("#new-idgrid")).to_have_value("")
