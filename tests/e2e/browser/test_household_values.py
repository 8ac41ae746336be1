"""What the pages show is what the interface says; live, private, and safe against names."""

import json
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from playwright.sync_api import Page, Route, expect

from gateway.hems.batteries import Observation
from gateway.ports import ApplianceEnergy, Measured
from gateway.web.languages import language
from tests.e2e.browser.chromium import WIDTHS, keep_screenshot, page_in, settled
from tests.e2e.browser.street import (
    OPEN_HOUR,
    SILENT_HOUR,
    live_through,
    open_with_orders,
    settle_in,
)
from tests.e2e.browser.village import village
from tests.unit.energy.community import hour_of, milliseconds

pytestmark = pytest.mark.full
HOURS = 30
BATTERY_WH = 10_000
EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"
ENGLISH = language("en")
NOON_S = milliseconds(hour_of("2026-01-14T15")) // 1000
"""12:00 on the street's clocks."""
PLACE_OF_HOUR = """(over, hourS) => {
  const rows = [...document.querySelectorAll("#price-table tr[data-x]")];
  const at = rows.map((row) => Number(row.dataset.x));
  const [first, end] = [Math.min(...at), Math.max(...at) + 3600];
  return over.clientWidth * (hourS - first) / (end - first);
}"""
MENU = ["Home", "Market", "Smart Meter", "PV & battery", "Account"]


@dataclass
class Plugs:
    """Devices that measure; one plug has the worst name somebody could give it."""

    voltage_mv: int = 231_400
    energies_wh: dict[str, int] = field(
        default_factory=lambda: {"Fridge": 1_250, EVIL: 730, "Kettle": 320}
    )

    def latest(self, device_id: str) -> Measured | None:
        if not device_id.startswith("meter-"):
            return None
        return Measured(device_id, at_ms=0, voltage_mv=self.voltage_mv)

    def appliances(self, owner_idgrid: str, from_ms: int, until_ms: int):
        if owner_idgrid != "VAL-0000-G":
            return ()
        named = enumerate(self.energies_wh.items())
        return [ApplianceEnergy(f"plug-{at}", name, energy) for at, (name, energy) in named]


@pytest.fixture(scope="module")
def plugs():
    return Plugs()


@pytest.fixture(scope="module")
def scene(plugs):
    with village(measurements=plugs, name=f"Villa {EVIL}") as it:
        street = settle_in(it)
        add_battery(it, street)
        live_through(it, street, hours=HOURS)
        open_with_orders(it, street)
        yield it, street


def add_battery(it, street) -> None:
    def register(community) -> None:
        source = ("registry:register_res", "home-battery", street.sunny.idgrid, "battery")
        street.sunny.client.submit(*source, BATTERY_WH)
        community.dso.submit("registry:approve_res", "home-battery")

    it.act(register)


def charge(it, stored_wh: int) -> None:
    at_ms = milliseconds(it.community.ledger.now)
    newest = it.services.batteries.at("home-battery", at_ms)
    at_ms = max(at_ms - 60_000, newest.at_ms + 1 if newest else 0)
    assert it.services.batteries.record("home-battery", Observation(at_ms, stored_wh))


def signed_in(page: Page, it, home) -> None:
    page.goto(it.url + it.sign_in(home.idgrid))


def api(page: Page, it, path: str):
    answer = page.request.get(it.url + path)
    assert answer.ok, answer.text()
    return answer.json()


@pytest.mark.row("E125")
@pytest.mark.parametrize("width", WIDTHS)
def test_the_menu_leads_to_live_values_that_equal_the_interface(browser, scene, width):
    it, street = scene
    with page_in(browser, width=width) as page:
        signed_in(page, it, street.sunny)
        entries = page.get_by_role("navigation", name="Main").get_by_role("link")
        assert [text.strip() for text in entries.all_inner_texts()] == MENU
        for name, heading in (
            ("Market", "Energy Market"),
            ("Smart Meter", "Smart Meter"),
            ("PV & battery", "PV & battery"),
        ):
            page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()
            expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        page.goto(f"{it.url}/meter")
        reading = api(page, it, f"/v1/meters/{street.sunny.meter_id}/reading")
        shown = page.locator("[data-register=import]")
        expect(shown).to_have_text(f"{ENGLISH.kwh(reading['import_wh'])} kWh")
        hour = api(page, it, f"/smartmeter/{street.sunny.meter_id}?at_ms={reading['t_end_ms']}")
        power_kw = ENGLISH.kw(abs(round(1000 * (hour["exported"] - hour["value"]))))
        expect(page.locator("#gauge-power .figure")).to_have_text(f"{power_kw} kW")
        it.read(street.sunny, load_wh=1_234)
        page.reload()
        newer = api(page, it, f"/v1/meters/{street.sunny.meter_id}/reading")
        expect(shown).to_have_text(f"{ENGLISH.kwh(newer['import_wh'])} kWh")


@pytest.mark.row("E126")
def test_a_box_changes_its_colour_at_its_threshold(browser, scene, plugs):
    it, street = scene
    with page_in(browser) as page:
        signed_in(page, it, street.sunny)
        colours = {}
        charges = ((4_000, "good"), (3_900, "warn"), (2_000, "warn"), (1_900, "bad"))
        for stored_wh, expected in charges:
            charge(it, stored_wh)
            page.goto(f"{it.url}/production")
            box = page.locator("[data-battery=home-battery]")
            expect(box).to_have_attribute("data-range", expected)
            state = api(page, it, "/battery-soc/home-battery")
            assert state["value"] * 1000 == stored_wh
            expect(box.locator("[data-charge]")).to_have_text(ENGLISH.kwh(stored_wh))
            colours[expected] = box.evaluate("(one) => getComputedStyle(one).backgroundColor")
        assert len(set(colours.values())) == len(colours)
        for voltage_mv, expected in (
            (243_800, "good"),
            (243_801, "warn"),
            (253_000, "warn"),
            (253_001, "bad"),
            (206_999, "bad"),
            (216_200, "good"),
        ):
            plugs.voltage_mv = voltage_mv
            page.goto(f"{it.url}/meter")
            expect(page.locator("#gauge-voltage")).to_have_attribute("data-range", expected)


@pytest.mark.row("E126")
@pytest.mark.parametrize("width", WIDTHS)
def test_the_totals_of_the_charts_equal_the_sums_of_the_interface(browser, scene, width):
    it, street = scene
    with page_in(browser, width=width) as page:
        signed_in(page, it, street.sunny)
        own = f"/v1/accounts/{street.sunny.idgrid}/settlements?limit=500"
        lines = api(page, it, own)["items"]
        for address, chosen in (
            ("/meter?kind=day&day=2026-01-15", "2026-01-15"),
            ("/meter?kind=day&day=2026-01-14", "2026-01-14"),
            ("/meter?kind=month&day=2026-01-14", "2026-01"),
        ):
            page.goto(it.url + address)
            settled(page)
            mine = [line for line in lines if local_day(line["listing_id"]).startswith(chosen)]
            for name in ("imported", "exported"):
                total = ENGLISH.kwh(sum(line[f"{name}_wh"] for line in mine))
                expect(page.locator(f"[data-sum={name}]")).to_have_text(total)
            drawn = page.locator("#history-table tbody td[data-y]").count()
            assert drawn >= 2 * min(len(mine), 2)


def local_day(listing_id: str) -> str:
    """Of the hour in the community's time, three hours behind UTC."""
    return str((hour_of(listing_id) - timedelta(hours=3)).date())


def test_a_gap_is_shown_as_a_gap_and_read_as_one(browser, scene):
    it, street = scene
    with page_in(browser) as page:
        signed_in(page, it, street.flat)
        page.goto(f"{it.url}/meter?kind=day&day=2026-01-14")
        settled(page)
        row = page.locator("#history-table tbody tr", has_text="17:00")
        assert SILENT_HOUR.endswith("T20")
        expect(row.locator("td").nth(1)).to_have_text("–", use_inner_text=False)
        assert row.locator("td[data-y]").count() == 0
        chart = page.locator("#history-chart")
        chart.focus()
        chart.press("Home")
        for _ in range(17):
            chart.press("ArrowRight")
        expect(page.locator("#history-chart-reading")).to_contain_text("17:00")
        expect(page.locator("#history-chart-reading")).to_contain_text("no value")


def test_a_finger_on_the_price_line_reads_the_value(browser, scene):
    it, street = scene
    with page_in(browser, has_touch=True, is_mobile=True) as page:
        signed_in(page, it, street.flat)
        page.goto(f"{it.url}/market")
        settled(page)
        page.locator("#price-chart").scroll_into_view_if_needed()
        over = page.locator("#price-chart .u-over")
        over.tap(position={"x": over.evaluate(PLACE_OF_HOUR, NOON_S), "y": 40})
        price = page.locator(f"#price-table tr[data-x='{NOON_S}'] td").nth(2).text_content()
        reading = page.locator("#price-chart-reading")
        expect(reading.locator("strong")).to_have_text("14 Jan 12:00")
        assert price
        assert float(price) > 0
        expect(reading).to_contain_text(f"Price {price}")


@pytest.mark.row("E129")
def test_the_account_is_the_explorers_list_of_own_transactions(browser, scene):
    it, street = scene
    with page_in(browser) as page:
        signed_in(page, it, street.sunny)
        page.goto(f"{it.url}/account")
        shown = page.locator("#activity tr[data-transaction]")
        listed = [row.get_attribute("data-transaction") for row in shown.all()]
        assert listed, "a household that has lived thirty hours has signed something"
        account = api(page, it, f"/v1/accounts/{street.sunny.idgrid}")
        expect(page.locator("#free-balance")).to_have_text(
            ENGLISH.tokens(account["balance_utoken"], 4)
        )
        expect(page.locator("#locked")).to_have_text(ENGLISH.tokens(account["locked_utoken"], 4))
        found, after = [], ""
        while len(found) < len(listed):
            answer = api(page, it, f"/v1/transactions?limit=500{after}")
            found += [
                item["transaction_id"]
                for item in answer["items"]
                if it.signer_of(item["transaction_id"]) == street.sunny.idgrid
            ]
            if answer["next"] is None:
                break
            after = f"&after={answer['next']}"
        assert listed[: len(found)] == found[: len(listed)]
        keys = page.locator("#devices")
        expect(keys).to_contain_text(street.sunny.meter_id)
        expect(keys).to_contain_text("home-battery")


@pytest.mark.row("E078")
def test_the_totals_by_appliance_equal_the_plugs(browser, scene, plugs):
    it, street = scene
    with page_in(browser) as page:
        signed_in(page, it, street.sunny)
        page.goto(f"{it.url}/meter")
        rows = page.locator("#appliances [data-device]")
        shown = {
            row.locator("span").first.inner_text(): int(
                row.locator("[data-wh]").get_attribute("data-wh") or ""
            )
            for row in rows.all()
        }
        assert shown == plugs.energies_wh
        together = ENGLISH.kwh(sum(plugs.energies_wh.values()))
        expect(page.locator("#appliances")).to_contain_text(f"Together {together} kWh")


def test_nobody_sees_anything_of_another_household(browser, scene):
    it, street = scene
    with page_in(browser) as page:
        signed_in(page, it, street.modest)
        for path in ("/", "/market", "/meter", "/production", "/account", "/standing"):
            for query in ("", f"?idgrid={street.sunny.idgrid}", f"?owner={street.sunny.idgrid}"):
                page.goto(it.url + path + query)
                text = page.locator("main").inner_html()
                assert street.sunny.idgrid not in text
                assert street.sunny.meter_id not in text
                assert "Fridge" not in text
        for path in (
            f"/v1/accounts/{street.sunny.idgrid}",
            f"/v1/meters/{street.sunny.meter_id}/reading",
            f"/smartmeter/{street.sunny.meter_id}",
            "/battery-soc/home-battery",
            f"/v1/invoices/2026-01?idgrid={street.sunny.idgrid}",
        ):
            assert page.request.get(it.url + path).status == 403


def test_names_are_text_and_never_markup(browser, scene):
    it, street = scene
    with page_in(browser) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        signed_in(page, it, street.sunny)
        for path in ("/", "/market", "/marketplace", "/meter", "/production", "/account"):
            page.goto(it.url + path)
            assert page.locator("img[src=x]").count() == 0
            expect(page.locator(".community")).to_contain_text("<script>")
        manifest = page.request.get(f"{it.url}/manifest.webmanifest")
        assert json.loads(manifest.text())["name"].endswith(EVIL)


def test_news_comes_in_without_taking_what_somebody_types(browser, scene):
    it, street = scene
    with page_in(browser) as page:
        signed_in(page, it, street.modest)
        page.goto(f"{it.url}/market")
        settled(page)
        expect(page.locator("#link-state")).to_have_attribute("data-state", "live")
        energy = page.locator("#bid-energy")
        energy.fill("2.75")
        energy.focus()
        before = page.locator("#book-totals").inner_text()
        it.act(lambda community: community.bid(street.flat, 1_110, 55_000, OPEN_HOUR))
        expect(page.locator("#book-totals")).not_to_have_text(before)
        expect(page.locator("#height")).to_have_text(f"{it.services.market.height} blocks")
        expect(energy).to_have_value("2.75")
        expect(energy).to_be_focused()


@pytest.mark.parametrize("width", WIDTHS)
def test_what_somebody_has_unfolded_stays_so_and_is_renewed(browser, scene, width):
    it, street = scene
    with page_in(browser, width=width) as page:
        signed_in(page, it, street.modest)
        page.goto(f"{it.url}/market")
        settled(page)
        expect(page.locator("#link-state")).to_have_attribute("data-state", "live")
        unfolded = [page.locator(name) for name in ("#price-values", "#units")]
        for one in unfolded:
            one.locator("summary").click()
        before = page.locator("#book-totals").inner_text()
        it.act(lambda community: community.bid(street.flat, 1_090, 53_000, OPEN_HOUR))
        expect(page.locator("#book-totals")).not_to_have_text(before)
        for one in unfolded:
            expect(one).to_have_attribute("open", "")
            expect(one.locator("table")).to_be_visible()
        keep_screenshot(page, "unfolded-after-a-block")
        unfolded[0].locator("summary").click()
        before = page.locator("#book-totals").inner_text()
        it.act(lambda community: community.bid(street.flat, 1_080, 53_000, OPEN_HOUR))
        expect(page.locator("#book-totals")).not_to_have_text(before)
        expect(unfolded[0].locator("table")).to_be_hidden()


def test_a_block_that_came_while_the_page_was_loading_is_shown(browser, scene):
    it, street = scene
    with page_in(browser) as page:
        signed_in(page, it, street.modest)
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/v1/events*", hold)
        with page.expect_request("**/v1/events*"):
            page.goto(f"{it.url}/market")
        before = page.locator("#book-totals").inner_text()
        it.act(lambda community: community.bid(street.flat, 1_070, 54_000, OPEN_HOUR))
        held[0].continue_()
        expect(page.locator("#book-totals")).not_to_have_text(before)


def test_the_pages_are_complete_without_script(browser, scene):
    it, street = scene
    with page_in(browser, java_script_enabled=False) as page:
        signed_in(page, it, street.sunny)
        page.goto(f"{it.url}/market")
        assert page.locator("#price-table tbody tr").count() > HOURS - 2
        page.goto(f"{it.url}/account")
        with page.expect_download() as download:
            page.get_by_role("link", name="PDF").first.click()
        assert download.value.suggested_filename.endswith(".pdf")
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").first.click()
        assert download.value.suggested_filename.endswith(".csv")
        page.get_by_role("button", name="Español").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Mi cuenta")


def test_without_a_connection_the_app_says_so(browser, scene):
    it, street = scene
    with page_in(browser) as page:
        signed_in(page, it, street.sunny)
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.context.set_offline(True)
        page.goto(f"{it.url}/account")
        expect(page.get_by_role("heading", level=1)).to_have_text("You are offline")
        assert street.sunny.idgrid not in page.content()
        page.context.set_offline(False)
