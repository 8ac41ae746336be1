"""A household takes its receipt and checks it with the network switched off."""

import base64
import json
from pathlib import Path

import pytest

from gateway.identity.sessions import Viewer
from ledger.receipts.receipt import encode_receipt
from tests.e2e.browser.chromium import (
    WIDTHS,
    accessibility_findings,
    keep_screenshot,
    overflow_px,
    page_in,
    small_targets,
)
from tests.e2e.browser.receipt_gateway import served, services_of, sign_in
from tests.support.receipt_world import HOUR, IDGRID, ReceiptWorld

pytestmark = pytest.mark.full
VECTORS = Path(__file__).parents[2] / "vectors" / "receipts"


@pytest.fixture(scope="module")
def world():
    return ReceiptWorld()


@pytest.fixture(scope="module")
def services(world):
    return services_of(world)


@pytest.fixture(scope="module")
def url(services):
    with served(services) as address:
        yield address


def as_file(raw: bytes):
    return {"name": "mine.receipt", "mimeType": "application/octet-stream", "buffer": raw}


def open_page(page, url: str) -> None:
    page.goto(f"{url}/receipt")
    page.wait_for_selector("body[data-ready]")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_receipt_is_checked_without_a_network(world, services, browser, url, width):
    with page_in(browser, width=width, may_fail=True) as page:
        sign_in(services, page, url, Viewer(IDGRID))
        answer = page.request.get(f"{url}/v1/settlements/{HOUR}/receipt")
        assert answer.status == 200
        open_page(page, url)
        page.context.set_offline(True)
        page.goto(f"{url}/receipt")
        page.wait_for_selector("body[data-ready]")
        page.set_input_files("#receipt-file", as_file(answer.body()))
        page.wait_for_selector("#proven:visible")
        assert page.locator('#steps .state[data-state="good"]').count() == 7
        assert page.locator('[data-fill="household"]').inner_text() == IDGRID
        assert page.locator('[data-fill="hour"]').inner_text() == "1 Jan 2026, 14:00"
        assert page.locator('[data-fill="sold_wh"]').inner_text() == "8"
        keep_screenshot(page, "receipt-proven")
        assert overflow_px(page) == 0
        assert small_targets(page) == []
        assert accessibility_findings(page) == []
        altered = answer.body().replace(b"432000", b"932000")
        page.set_input_files("#receipt-file", as_file(altered))
        page.wait_for_selector("#refused:visible")
        assert (
            page.locator('[data-step="Merkle path"] .state').get_attribute("data-state") == "bad"
        )
        assert not page.locator("#content").is_visible()
        keep_screenshot(page, "receipt-refused")


def test_the_link_of_a_code_is_checked_and_never_sent(world, browser, url):
    with page_in(browser, width=360) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        packed = base64.urlsafe_b64encode(encode_receipt(world.receipt())).decode().rstrip("=")
        page.goto(f"{url}/receipt#r={packed}")
        page.wait_for_selector("#proven:visible")
        assert not any(packed[:40] in address.partition("#")[0] for address in asked)


def test_another_list_of_validators_is_not_taken_unnoticed(browser, url):
    with page_in(browser, width=360) as page:
        other = (VECTORS / "validators.json").read_text()
        page.goto(f"{url}/receipt")
        page.wait_for_selector("body[data-ready]")
        page.evaluate("text => localStorage.setItem('gridledger.validators', text)", other)
        page.reload()
        page.wait_for_selector("#other-validators:visible")
        kept = json.loads((VECTORS / "cases.json").read_text())["fingerprint"]
        assert page.locator("#fingerprint").inner_text() == kept


CHECK = """async ({ list, receipts }) => {
    const { checkReceipt, readValidators } = await import("/static/receipts/check-receipt.js");
    const trusted = await readValidators(list);
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const found = [];
    for (const receipt of receipts) {
        try {
            const { transaction, write } = await checkReceipt(bytes(receipt), trusted);
            found.push([transaction.code, write?.key ?? ""]);
        } catch (error) {
            found.push([error.step ?? String(error), error.problem ?? ""]);
        }
    }
    return found;
}"""


def judged(page, receipts) -> list[list[object]]:
    coded = [base64.b64encode(raw).decode() for raw in receipts]
    listed = (VECTORS / "validators.json").read_text()
    return page.evaluate(CHECK, {"list": listed, "receipts": coded})


def test_the_page_judges_the_vectors_as_the_command_does(browser, url):
    cases = json.loads((VECTORS / "cases.json").read_text())["forgeries"]
    good = [(VECTORS / f"{name}.receipt") for name in ("settlement", "refused-transaction")]
    with page_in(browser, width=360) as page:
        page.goto(f"{url}/receipt")
        forged = judged(page, [base64.b64decode(case["receipt"]) for case in cases])
        assert forged == [[case["step"], case["problem"]] for case in cases]
        found = judged(page, [file.read_bytes() for file in good])
        assert found == [[0, "line~VAL-0001~2026-01-01T14"], [11, ""]]


def test_the_page_refuses_one_altered_byte_anywhere(browser, url):
    raw = (VECTORS / "settlement.receipt").read_bytes()
    altered = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in range(len(raw))]
    with page_in(browser, width=360) as page:
        page.goto(f"{url}/receipt")
        assert [found for found in judged(page, altered) if not isinstance(found[0], str)] == []
