"""The manager's console in a real browser: a meter is approved, statements are run."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Page, expect

from tests.e2e.browser.chromium import (
    WIDTHS,
    accessibility_findings,
    keep_screenshot,
    overflow_px,
    page_in,
    small_targets,
)
from tests.e2e.browser.street import live_through, open_with_orders, settle_in
from tests.e2e.browser.test_trading_pages import confirm
from tests.e2e.browser.village import village
from tests.unit.energy.community import DSO

pytestmark = pytest.mark.full
CONSOLE = {
    "console-waiting": "/console",
    "console-members": "/console/members",
    "console-meters": "/console/meters",
    "console-listings": "/console/listings",
    "console-prices": "/console/prices",
    "console-sharing": "/console/sharing",
    "console-statements": "/console/statements",
    "console-exports": "/console/exports",
    "console-audit": "/console/audit",
    "explorer": "/explorer",
    "explorer-block": "/explorer/blocks/3",
    "explorer-events": "/explorer/events",
    "explorer-orders": "/explorer/orders",
}


@pytest.fixture(scope="module")
def scene():
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=6)
        open_with_orders(it, street)
        yield it, street


def signed_in_with_own_key(page: Page, it) -> None:
    """A microgrid's control centre runs market and grid: one person, one certificate."""
    page.clock.set_system_time(it.community.ledger.now)
    page.goto(it.url + it.sign_in("", is_manager=True))
    identity = it.community.ledger.client(
        DSO, "control-centre", attributes={"role": "operator"}
    ).identity
    key = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    page.goto(f"{it.url}/manager/keys")
    for field, name, content in (
        ("#own-certificate", "own.crt", identity.certificate_pem),
        ("#own-file", "own.key", key),
    ):
        file = {"name": name, "mimeType": "application/x-pem-file", "buffer": content}
        page.set_input_files(field, file)
    page.locator("#own-mspid").fill(identity.mspid)
    page.get_by_role("button", name="Use this key").click()
    expect(page.locator("[data-part=own-key]")).to_contain_text("has your key")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", CONSOLE)
def test_a_page_fits_its_screen_and_everyone_can_use_it(browser, scene, name, width):
    it, _ = scene
    with page_in(browser, width=width) as page:
        page.goto(it.url + it.sign_in("", is_manager=True))
        page.goto(it.url + CONSOLE[name])
        for summary in page.locator("summary:visible").all():
            summary.click()
        keep_screenshot(page, name)
        assert overflow_px(page) == 0
        assert small_targets(page) == []
        assert accessibility_findings(page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_a_meter_is_approved(browser, width):
    with village() as it:
        street = settle_in(it)

        def register(community) -> str:
            key = street.sunny.meter.public_key.hex()
            community.manager.submit(
                "registry:register_meter", "meter-new", street.flat.idgrid, key
            )
            return "meter-new"

        meter_id = it.act(register)
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
            expect(newest).to_contain_text("operator")
            expect(newest).to_contain_text("1 · valid")


@pytest.mark.parametrize("width", WIDTHS)
def test_statements_are_run_once_the_month_balances(browser, width):
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=3)
        it.act(lambda community: community.ledger.at("2026-02-01T06:00:00Z"))
        with page_in(browser, width=width) as page:
            signed_in_with_own_key(page, it)
            page.goto(f"{it.url}/console/statements")
            assert page.locator('#check [data-good="1"]').count() == 4
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
