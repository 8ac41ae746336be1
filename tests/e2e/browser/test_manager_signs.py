"""What the manager changes from the console: the dialog tells it, and the ledger has it (E132)."""

import pytest
from playwright.sync_api import Locator, Page, expect

from chaincode.energy import keys
from chaincode.energy.hours import listing_id_at
from chaincode.energy.market.records import MarketDefaults
from chaincode.energy.oracle.records import PricePoint
from chaincode.energy.sharing.records import SharingKey
from gateway.books.ledger_records import LedgerRecords
from tests.e2e.browser.chromium import WIDTHS, keep_screenshot
from tests.e2e.browser.key_steps import (
    answer_yes,
    device,
    enrolled,
    good_to_use,
    manager_desk,
    part,
    values,
)
from tests.e2e.browser.village import HOUR_MS, Village
from tests.unit.energy.community import CAP, FLOOR, Community

pytestmark = [pytest.mark.full, pytest.mark.row("E132")]
SIX_LOCAL_MS = 1_768_554_000_000
"""2026-01-16T09:00 UTC; the village is three hours behind."""
DAY_MS = 86_400_000
WHY = "the line is down"


def asked(page: Page, within: Locator, name: str) -> dict[str, str]:
    """What is about to be signed after a press of this button."""
    within.get_by_role("button", name=name, exact=True).locator("visible=true").click()
    page.wait_for_selector("#sign-dialog[open]")
    expect(part(page, "sign")).to_be_visible()
    return values(page)


def refused_value(page: Page, within: Locator, name: str) -> str:
    """What the dialog answers to an entry that is no number; nothing was there to sign."""
    within.get_by_role("button", name=name, exact=True).locator("visible=true").click()
    expect(part(page, "outcome")).to_have_attribute("data-outcome", "refused")
    told = part(page, "outcome").inner_text()
    part(page, "close").click()
    return told


def records(it: Village, kind: type, name: str) -> list:
    return LedgerRecords(it.services.readmodel).all(kind, name)


def with_tariffs(community: Community) -> None:
    """What listings that are opened by the community's defaults take their limits from."""
    for tariff, price in (("retail", CAP), ("feed_in", FLOOR)):
        community.manager.submit("oracle:publish_price", tariff, price, 0, 30 * DAY_MS)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_listing_is_opened_followed_and_stopped_with_its_reason(browser, it, width) -> None:
    hour = listing_id_at(it.services.clock_ms() + HOUR_MS)
    it.act(with_tariffs)
    with device(browser, it, width=width) as page:
        manager_desk(page, it)
        page.goto("/console/listings")
        assert page.locator("#open-hour").input_value() == hour
        shown = asked(page, page.locator("main"), "Open")
        assert shown == {"hour": "14 Jan 2026, 22:00–23:00"}
        expect(part(page, "title")).to_have_text("Open a listing")
        answer_yes(page)
        assert it.services.market.listing(hour).state == "AUTHORIZE_OFFERS"
        row = page.locator(f'[data-listing="{hour}"]')
        expect(row).to_contain_text("taking orders")
        row.get_by_text("Emergency stop").click()
        row.locator("input[required]").fill(WHY)
        good_to_use(page)
        shown = asked(page, row, "Stop this listing")
        assert shown == {"hour": "14 Jan 2026, 22:00–23:00", "reason": WHY}
        keep_screenshot(page, "console-stop", whole=False)
        answer_yes(page)
        assert it.services.market.listing(hour).state == "CANCELLED"
        expect(row).to_contain_text("cancelled")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_terms_of_every_listing_are_set_and_what_the_form_does_not_show_stays(
    browser, it, width
) -> None:
    pinned = {"preset": "hourly", "clock_members": 2, "k": "1"}
    with device(browser, it, width=width) as page:
        manager_desk(page, it)
        page.goto("/console/listings")
        form = page.locator("form[data-sign='listings:set_defaults']")
        page.fill("#terms-floor", "0.04")
        page.fill("#terms-cap", "0,2")
        shown = asked(page, form, "Review and sign")
        first = {"rule": "where both curves cross", "preset": "hourly"}
        assert shown == first | {"floor": "0.04 / kWh", "cap": "0.2 / kWh"}
        answer_yes(page)
        it.act(lambda community: community.manager.submit("listings:set_defaults", pinned))
        page.goto("/console/listings")
        page.get_by_text("Change the terms").click()
        page.fill("#terms-order", "12.5")
        keep_screenshot(page, "console-terms", whole=False)
        answered = asked(page, form, "Review and sign")
        assert answered["order_energy"] == "12.5 kWh"
        assert (answered["clock_members"], answered["k"]) == ("2", "1")
        answer_yes(page)
        found = LedgerRecords(it.services.readmodel).find(MarketDefaults, keys.market_defaults())
        assert found.parameters == pinned | {"rule": "crossing", "max_order_wh": 12_500}


@pytest.mark.parametrize("width", WIDTHS)
def test_prices_are_published_for_now_and_for_a_local_time(browser, it, width) -> None:
    with device(browser, it, width=width) as page:
        manager_desk(page, it)
        page.goto("/console/prices")
        form = page.locator("form[data-sign='oracle:publish_price']")
        page.select_option("#price-series", "feed_in")
        page.fill("#price-amount", "abc")
        assert refused_value(page, form, "Publish") == "“abc” is not a number."
        page.fill("#price-amount", "0,054")
        shown = asked(page, form, "Publish")
        assert shown == {
            "tariff": "feed-in tariff",
            "price": "0.054 / kWh",
            "from": "at once",
            "days": "30",
        }
        answer_yes(page)
        page.fill("#price-from", "2026-01-16T06:00")
        page.fill("#price-days", "7")
        good_to_use(page)
        shown = asked(page, form, "Publish")
        assert (shown["from"], shown["days"]) == ("16 Jan 2026, 06:00", "7")
        keep_screenshot(page, "console-price", whole=False)
        answer_yes(page)
        found = [one for one in records(it, PricePoint, "price") if one.series == "feed_in"]
        now, later = sorted(found, key=lambda point: point.effective_from_ms)[-2:]
        assert now.price_utoken_per_kwh == later.price_utoken_per_kwh == 54_000
        assert later.effective_from_ms == SIX_LOCAL_MS
        assert later.valid_until_ms - later.effective_from_ms == 7 * DAY_MS
        page.reload()
        newest = page.locator("[data-price=feed_in]").first
        expect(newest.locator("[data-state]")).to_have_attribute("data-state", "to_come")
        expect(newest).to_contain_text("06:00")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_sharing_key_is_agreed_with_every_household_s_part(browser, it, home, width) -> None:
    other = it.act(lambda community: community.join())
    with device(browser, it, width=width) as page:
        manager_desk(page, it)
        page.goto("/console/sharing")
        form = page.locator("form[data-sign='sharing:agree']")
        expect(form.get_by_label(home.idgrid).locator("visible=true")).to_have_count(0)
        page.select_option("#key-kind", "static")
        page.fill("#key-from", "2026-01-16T06:00")
        page.fill(f"#parts-{home.idgrid}", "33,3333")
        page.fill(f"#parts-{other.idgrid}", "abc")
        assert refused_value(page, form, "Review and sign") == "“abc” is not a number."
        page.fill(f"#parts-{other.idgrid}", "66.66671")
        told = refused_value(page, form, "Review and sign")
        assert told == "“66.66671” has more decimals than are kept."
        page.fill(f"#parts-{other.idgrid}", "66.6667")
        good_to_use(page)
        shown = asked(page, form, "Review and sign")
        assert shown == {
            "kind": "fixed parts",
            "slot": "60 min",
            "from": "16 Jan 2026, 06:00",
            home.idgrid: "33.3333 %",
            other.idgrid: "66.6667 %",
        }
        keep_screenshot(page, "console-agree", whole=False)
        answer_yes(page)
        (key,) = records(it, SharingKey, "sharingkey")
        assert key.parts == {home.idgrid: 333_333, other.idgrid: 666_667}
        assert (key.kind, key.slot_minutes) == ("static", 60)
        assert key.effective_from_ms == SIX_LOCAL_MS
        page.reload()
        expect(page.locator("main")).to_contain_text("33.3333 %")


def test_a_sharing_key_of_another_kind_takes_no_parts(browser, it, home) -> None:
    with device(browser, it) as page:
        manager_desk(page, it)
        page.goto("/console/sharing")
        form = page.locator("form[data-sign='sharing:agree']")
        page.select_option("#key-kind", "static")
        page.fill(f"#parts-{home.idgrid}", "40")
        page.select_option("#key-kind", "priority")
        page.fill(f"#ranks-{home.idgrid}", "1.5")
        page.fill("#key-from", "2026-01-16T06:00")
        told = refused_value(page, form, "Review and sign")
        assert told == "“1.5” has more decimals than are kept."
        page.fill(f"#ranks-{home.idgrid}", "1")
        assert asked(page, form, "Review and sign")[home.idgrid] == "1"
        answer_yes(page)
        page.select_option("#key-kind", "dynamic")
        page.fill("#key-from", "2026-01-17T06:00")
        shown = asked(page, form, "Review and sign")
        assert (shown["kind"], home.idgrid in shown) == ("by use", False)
        answer_yes(page)
        first, second = records(it, SharingKey, "sharingkey")
        assert (first.kind, first.ranks, first.parts) == ("priority", {home.idgrid: 1}, {})
        assert (second.kind, second.ranks, second.parts) == ("dynamic", {}, {})


@pytest.mark.parametrize("width", WIDTHS)
def test_a_household_is_suspended_reinstated_and_expelled(browser, it, home, width) -> None:
    with device(browser, it, width=width) as page:
        manager_desk(page, it)
        page.goto("/console/members")
        row = page.locator(f'[data-idgrid="{home.idgrid}"]')
        row.locator("summary", has_text="Suspend").click()
        page.fill(f"#why-{home.idgrid}", "meter opened")
        good_to_use(page)
        shown = asked(page, row, "Suspend")
        assert shown == {"idgrid": home.idgrid, "reason": "meter opened"}
        expect(part(page, "title")).to_have_text("Suspend a household")
        answer_yes(page)
        assert it.services.community.participant(home.idgrid).status == "suspended"
        page.reload()
        expect(row).to_contain_text("meter opened")
        assert asked(page, row, "Reinstate") == {"idgrid": home.idgrid}
        answer_yes(page)
        assert it.services.community.participant(home.idgrid).status == "approved"
        page.reload()
        row.get_by_text("End the membership").click()
        expect(row.locator(".leave")).to_contain_text("This is final")
        page.fill(f"#leave-{home.idgrid}", "moved away")
        keep_screenshot(page, "console-leave")
        good_to_use(page)
        shown = asked(page, row, "End it for good")
        assert shown == {"idgrid": home.idgrid, "reason": "moved away"}
        expect(part(page, "title")).to_have_text("End a membership for good")
        answer_yes(page)
        record = it.services.community.participant(home.idgrid)
        assert (record.status, record.status_reason) == ("exited", "moved away")
        page.reload()
        expect(row).to_contain_text("left")
        expect(row.locator("form")).to_have_count(0)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_household_leaves_by_itself_and_gives_its_tokens_back(browser, it, home, width) -> None:
    with device(browser, it) as desk, device(browser, it, width=width) as page:
        manager_desk(desk, it)
        enrolled(page, desk, home)
        page.goto("/terms")
        page.locator("#leave summary").click()
        good_to_use(page)
        shown = asked(page, page.locator("#leave"), "Leave for good")
        assert shown == {"idgrid": home.idgrid, "reason": ""}
        answer_yes(page)
        assert it.services.community.participant(home.idgrid).status == "exited"
        page.reload()
        expect(page.locator("#leave")).to_have_count(0)
        before = it.services.community.account(home.idgrid).balance_utoken
        page.goto("/account")
        page.locator("#redeem summary").click()
        page.fill("#redeem-amount", "0.5")
        page.fill("#redeem-reference", "transfer 7")
        keep_screenshot(page, "account-redeem", whole=False)
        good_to_use(page)
        shown = asked(page, page.locator("#redeem"), "Give back")
        assert shown == {"amount": "0.5", "reference": "transfer 7"}
        answer_yes(page)
        account = it.services.community.account(home.idgrid)
        assert account.balance_utoken == before - 500_000
