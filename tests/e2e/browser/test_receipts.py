"""A household takes its receipt and checks it with the network switched off."""

import base64
import json
from pathlib import Path

import pytest

from chaincode.energy.marketplace.posts import post_key
from gateway.identity.sessions import Viewer
from ledger.receipts.making import make_receipt
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
from tests.support.ledger_world import CHAINCODE
from tests.support.receipt_world import DEAL, HOUR, IDGRID, DealWorld, ReceiptWorld

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


@pytest.mark.parametrize("width", WIDTHS)
def test_a_deal_s_receipt_is_read_like_a_settlement_s(browser, width):
    """As its seller takes it from the gateway; then the same deal as it was bought."""
    world = DealWorld()
    services = services_of(world)
    bought, _ = dealt_in(world)
    with served(services) as url, page_in(browser, width=width) as page:
        sign_in(services, page, url, Viewer(DEAL.seller_idgrid))
        answer = page.request.get(f"{url}/v1/marketplace/posts/{DEAL.post_id}/receipt")
        assert answer.status == 200
        open_page(page, url)
        page.set_input_files("#receipt-file", as_file(answer.body()))
        page.wait_for_selector("#deal:visible")
        shown = {
            name: page.locator(f'#content [data-fill="{name}"]:visible').inner_text()
            for name in ("deal_hour", "deal_state", "seller", "buyer")
        }
        assert shown == {
            "deal_hour": "15 Jan 2026, 10:00",
            "deal_state": "settled",
            "seller": DEAL.seller_idgrid,
            "buyer": DEAL.buyer_idgrid,
        }
        assert amounts_in(page) == ["4", "3.2", "0.216", "0.1728", "0.0432"]
        assert not page.locator("#line").is_visible()
        keep_screenshot(page, "receipt-deal")
        assert overflow_px(page) == 0
        assert accessibility_findings(page) == []
        page.set_input_files("#receipt-file", as_file(bought))
        page.wait_for_selector('[data-fill="deal_state"]:text("bought, not settled yet")')
        assert amounts_in(page) == ["4", "–", "0.216", "–", "–"]


def amounts_in(page) -> list[str]:
    return page.locator("#deal [data-per]").all_inner_texts()


def dealt_in(world: DealWorld) -> tuple[bytes, bytes]:
    """Receipts of the deal when it was bought and when it was settled."""
    key = post_key(DEAL.post_id)
    found = [
        make_receipt(
            world.block(number),
            world.block(number + 1),
            genesis_hash=world.store.genesis_hash,
            index=0,
            written=(CHAINCODE, key),
        )
        for number in (world.store.height() - 3, world.store.height() - 2)
    ]
    return encode_receipt(found[0]), encode_receipt(found[1])


def test_a_correction_s_receipt_says_that_it_is_one(browser):
    world = DealWorld()
    services = services_of(world)
    with served(services) as url, page_in(browser, width=360) as page:
        sign_in(services, page, url, Viewer(IDGRID))
        answer = page.request.get(f"{url}/v1/settlements/{HOUR}/receipt?revision=1")
        assert answer.status == 200
        open_page(page, url)
        page.set_input_files("#receipt-file", as_file(answer.body()))
        page.wait_for_selector("#correction-words:visible")
        assert page.locator('[data-fill="revision"]').inner_text() == "1"
        assert page.locator('[data-fill="household"]').inner_text() == IDGRID
        assert page.locator('[data-fill="sold_wh"]').inner_text() == "-0.5"
        page.set_input_files("#receipt-file", as_file(encode_receipt(world.receipt())))
        page.wait_for_selector("#correction-words", state="hidden")
        assert page.locator('[data-fill="sold_wh"]').inner_text() == "8"


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
