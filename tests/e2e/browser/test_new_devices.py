"""A device that makes its own key: its code, its line, and what is signed to register it."""

import json
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser.chromium import WIDTHS, keep_screenshot
from tests.e2e.browser.key_steps import answer_yes, device, part
from tests.e2e.browser.test_console import control_centre, use_key
from tests.e2e.browser.test_manager_signs import asked
from tests.e2e.browser.village import Village, village
from tests.firmware.interpreter import FIRMWARE
from tests.unit.energy.community import Household

sys.path[:0] = [str(FIRMWARE)]

from meternode.keys import enrolment  # noqa: E402
from meternode.signing import P256Signer  # noqa: E402

pytestmark = [pytest.mark.full, pytest.mark.row("E132")]
DEVICE = "node-1"


@pytest.fixture
def it() -> Iterator[Village]:
    with village() as running:
        yield running


def proved(page: Page, home: Household, secret: int) -> dict[str, str]:
    """A code is written for the device, which prints its line; the page shows the key as its own.

    Returns what the device printed.
    """
    page.goto("/console/meters/enrolment")
    page.fill("#code-device", DEVICE)
    page.select_option("#code-owner", home.idgrid)
    page.get_by_role("button", name="Write a code").click()
    code = page.locator("[data-written]").inner_text()
    line = enrolment(DEVICE, code, P256Signer(secret))
    page.fill("#line", json.dumps({"enrolment": line}))
    page.fill("#line-code", code)
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator("[data-proved]")).to_contain_text(line["fingerprint"])
    return line


@pytest.mark.parametrize("width", WIDTHS)
def test_a_device_is_registered_with_its_own_key_and_given_another(
    browser, it, home, width
) -> None:
    with device(browser, it, width=width) as page:
        page.goto(it.sign_in(is_manager=True))
        page.goto("/manager/keys")
        use_key(page, control_centre(it))
        first = proved(page, home, secret=0x5EED)
        shown = asked(page, page.locator("main"), "Register")
        point = shown.pop("public_key")
        assert shown == {
            "meter": DEVICE,
            "kind": "meter",
            "idgrid": home.idgrid,
            "at": "the grid connection",
            "tier": "B",
        }
        expect(part(page, "title")).to_have_text("Register a device with its key")
        keep_screenshot(page, "console-new-device", whole=False)
        answer_yes(page)
        assert it.services.community.meter(DEVICE).key_fingerprint == first["fingerprint"]
        second = proved(page, home, secret=0xFEED)
        shown = asked(page, page.locator("main"), "Replace the key")
        assert (shown.pop("public_key") != point, shown) == (True, {"meter": DEVICE, "tier": "B"})
        answer_yes(page)
        assert it.services.community.meter(DEVICE).key_fingerprint == second["fingerprint"]
