"""One chain on a real network of four validators, on a phone and on a desk at once.

From the QR letter to a receipt that is checked when gateway and peers are gone. A household with a
screen of 360 px sells to one with a screen of 1280 px; both take every step in their browsers.
"""

import csv
import io
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from chaincode.energy.idgrid import with_check_character
from gateway.hems.virtual_meter import VirtualMeter
from tests.e2e.browser.chromium import WIDTHS
from tests.e2e.browser.key_steps import part
from tests.e2e.browser.market_hand import Flow, MarketHand
from tests.e2e.browser.residents import (
    Desks,
    Resident,
    a_screen,
    connect,
    join,
    looked_at,
    staff_at_their_desks,
)
from tests.e2e.browser.test_trading_pages import confirm
from tests.e2e.running_demo import RUN_TIMEOUT_S, RunningDemo, running_demo

pytestmark = pytest.mark.full
HOUR, MONTH = "2020-01-15T12", "2020-01"
SOLD_WH = 1_500
BIDDING_S = 120


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """Four validators, gateway and authority; the demo's own market day is over."""
    options = ("--hours", "1", "--households", "2", "--hour-seconds", "3")
    with running_demo(tmp_path_factory.mktemp("demo") / "kept", *options) as running:
        running.wait_for("the page stays", RUN_TIMEOUT_S)
        yield running


@pytest.mark.row("E128")
def test_from_the_letter_to_a_receipt_without_any_network(
    browser: Browser, network: RunningDemo
) -> None:
    base = network.settings.gateway_url.replace("127.0.0.1", "localhost")
    with (
        staff_at_their_desks(browser, network, base) as desks,
        a_screen(browser, base, width=WIDTHS[0]) as phone,
        a_screen(browser, base, width=WIDTHS[1]) as desktop,
    ):
        seller, buyer = (_resident(page, at) for at, page in enumerate((phone, desktop)))
        for resident in (seller, buyer):
            join(desks, resident)
            connect(desks, resident)
        _trade_and_settle(network, seller, buyer)
        _issue_statements(desks)
        for resident in (seller, buyer):
            _take_the_statement(resident)
        kept = [_take_the_receipt(resident) for resident in (seller, buyer)]
        _stop(network)
        for resident, receipt in zip((seller, buyer), kept, strict=True):
            _check_offline(resident, receipt)


def _resident(page: Page, number: int) -> Resident:
    body = f"FON-02{number:02}"
    meter = VirtualMeter(f"meter-02{number:02}")
    return Resident(page, body, with_check_character(body), meter, f"sun-02{number:02}")


def _trade_and_settle(network: RunningDemo, seller: Resident, buyer: Resident) -> None:
    market = MarketHand(network, HOUR, bidding_s=BIDDING_S)
    market.open()
    for resident in (seller, buyer):
        resident.page.goto("/market")
        _asks_and_takes_back(resident.page)
    _order(seller.page, "offer", "1.5", "0.1")
    _order(buyer.page, "bid", "1.5", "0.5")
    for resident in (seller, buyer):
        looked_at(resident.page, "market-open")
    result = market.clear()
    assert result["quantity_wh"] == SOLD_WH
    for resident in (seller, buyer):
        mine = resident.page.locator("#orders li", has_text="1.50 kWh").first
        expect(mine).to_contain_text("matched 1.50 kWh")
        looked_at(resident.page, "market-cleared")
    flows = [Flow(seller.meter, pv_wh=SOLD_WH), Flow(buyer.meter, load_wh=SOLD_WH)]
    settled = market.deliver_and_settle(flows)
    assert settled["settled_wh"] == SOLD_WH
    for resident in (seller, buyer):
        mine = resident.page.locator("#orders li", has_text="1.50 kWh").first
        expect(mine.locator(".state")).to_have_text("settled")
        expect(mine).to_contain_text("settled 1.50 kWh")
        looked_at(resident.page, "market-settled")


def _asks_and_takes_back(page: Page) -> None:
    """An offer is refused in the confirmation, then signed, then cancelled."""
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url) if one.method == "POST" else None)
    page.fill("#offer-energy", "1.25")
    page.fill("#offer-price", "0.2")
    page.get_by_role("button", name="Offer", exact=True).click()
    dialog = page.locator("#sign-dialog")
    expect(dialog.locator("[data-value=energy]")).to_have_text("1.25 kWh")
    expect(dialog.locator("[data-value=price]")).to_have_text("0.2 / kWh")
    looked_at(page, "confirmation", whole=False)
    page.get_by_role("button", name="Do not sign").click()
    expect(dialog).to_be_hidden()
    assert sent == []
    expect(page.locator("#orders")).to_contain_text("no orders yet")
    page.get_by_role("button", name="Offer", exact=True).click()
    confirm(page)
    mine = page.locator("#orders li", has_text="1.25 kWh").first
    expect(mine.locator(".state")).to_have_text("on the ledger")
    mine.get_by_role("button", name="Cancel this order").click()
    expect(part(page, "title")).to_have_text("Cancel an order")
    confirm(page)
    expect(mine.locator(".state")).to_have_text("cancelled")


def _order(page: Page, side: str, energy: str, price: str) -> None:
    page.fill(f"#{side}-energy", energy)
    page.fill(f"#{side}-price", price)
    page.get_by_role("button", name=side.capitalize(), exact=True).click()
    assert "on the ledger" in confirm(page)


def _issue_statements(desks: Desks) -> None:
    """Only after everything balances, and all at once."""
    page = desks.manager
    page.goto(f"/console/statements?month={MONTH}")
    checks = page.locator("#check [data-good]")
    assert {one.get_attribute("data-good") for one in checks.all()} == {"1"}
    looked_at(page, "statements-checked")
    page.get_by_role("button", name="Issue the statements").click()
    confirm(page)
    page.goto(f"/console/statements?month={MONTH}")
    expect(page.locator("#issued")).to_be_visible()
    looked_at(page, "statements-issued")


def _take_the_statement(resident: Resident) -> None:
    """As PDF and as CSV; the sums are those of the settled hour."""
    page = resident.page
    page.goto("/account")
    looked_at(page, "account")
    row = page.locator("#statements li", has_text="January 2020")
    files = {}
    for name in ("PDF", "CSV"):
        with page.expect_download() as download:
            row.get_by_role("link", name=name).click()
        files[name] = download.value.path().read_bytes()
    assert files["PDF"].startswith(b"%PDF-")
    rows = list(csv.DictReader(io.StringIO(files["CSV"].decode())))
    assert [one["kind"] for one in rows] == ["line", "sum"]
    assert rows[0]["listing_id"] == HOUR
    for one in rows:
        assert int(one["sold_wh"]) + int(one["bought_wh"]) == SOLD_WH


def _take_the_receipt(resident: Resident) -> dict[str, object]:
    """A file; the page that checks it was opened once, so the browser keeps it."""
    page = resident.page
    row = page.locator("#settlements tbody tr").first
    with page.expect_download() as download:
        row.get_by_role("link", name="File").click()
    kept = download.value.path().read_bytes()
    page.goto("/receipt")
    page.wait_for_selector("body[data-ready]")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    return {"name": "mine.receipt", "mimeType": "application/octet-stream", "buffer": kept}


def _stop(network: RunningDemo) -> None:
    """Gateway, peers and authority end; nobody answers any more."""
    addresses = [peer.address for peer in network.settings.ledger.peers]
    addresses.append(urlsplit(network.settings.gateway_url).netloc)
    network.process.terminate()
    network.process.wait(RUN_TIMEOUT_S)
    for host, port in (address.rsplit(":", 1) for address in addresses):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=1)


def _check_offline(resident: Resident, receipt: dict[str, object]) -> None:
    page = resident.page
    page.context.set_offline(offline=True)
    page.goto("/receipt")
    page.wait_for_selector("body[data-ready]")
    page.set_input_files("#receipt-file", receipt)  # type: ignore[arg-type]
    page.wait_for_selector("#proven:visible")
    assert page.locator('#steps .state[data-state="good"]').count() == 7
    expect(page.locator('[data-fill="household"]').first).to_have_text(resident.idgrid)
    expect(page.locator('[data-fill="hour"]')).to_have_text("15 Jan 2020, 12:00")
    traded = [page.locator(f'[data-fill="{side}_wh"]').inner_text() for side in ("sold", "bought")]
    assert sorted(traded) == ["0", "1.5"]
    looked_at(page, "receipt-offline")
