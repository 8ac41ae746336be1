"""Buying and selling on the pages: what is signed is shown first, and the outcome after."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser.chromium import (
    WIDTHS,
    accessibility_findings,
    keep_screenshot,
    overflow_px,
    page_in,
    small_targets,
)
from tests.e2e.browser.key_steps import signed_in_with_key
from tests.e2e.browser.street import OPEN_HOUR, live_through, open_with_orders, settle_in
from tests.e2e.browser.village import village
from tests.unit.energy.community import Household, hour_of

pytestmark = pytest.mark.full
HOURS = 6
TOO_MUCH_ES = "Más energía de la que un hogar puede ordenar en una ronda."


@pytest.fixture(scope="module")
def scene():
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=HOURS)
        open_with_orders(it, street)
        yield it, street


def confirm(page: Page) -> str:
    """Say yes, wait for the ledger, close; returns the outcome and the balance as shown."""
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator("[data-part=outcome]")).to_have_attribute("data-outcome", "committed")
    told = page.locator("#sign-dialog").inner_text()
    page.get_by_role("button", name="Close").click()
    return told


@pytest.mark.row("E128")
@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_signed_is_shown_first_and_no_means_no_transaction(browser, scene, width):
    it, street = scene
    with page_in(browser, width=width) as page:
        signed_in_with_key(page, it, street.modest)
        page.goto(f"{it.url}/market")
        asked = []
        page.on("request", lambda one: asked.append(one.url) if one.method == "POST" else None)
        height = it.services.market.height
        page.locator("#bid-energy").fill("1.25")
        page.locator("#bid-price").fill("0.06")
        page.get_by_role("button", name="Bid", exact=True).click()
        dialog = page.locator("#sign-dialog")
        expect(dialog.locator("[data-value=energy]")).to_have_text("1.25 kWh")
        expect(dialog.locator("[data-value=price]")).to_have_text("0.06 / kWh")
        expect(dialog.locator("[data-value=hour]")).to_contain_text("12:00")
        expect(dialog.locator("[data-value=at_most]")).to_have_text("0.075")
        keep_screenshot(page, "confirm", whole=False)
        assert overflow_px(page) == 0
        assert accessibility_findings(page) == []
        page.get_by_role("button", name="Do not sign").click()
        expect(dialog).to_be_hidden()
        assert [url for url in asked if "/v1/" in url] == []
        assert it.services.market.height == height

        page.get_by_role("button", name="Bid", exact=True).click()
        told = confirm(page)
        balance = it.services.community.account(street.modest.idgrid).balance_utoken
        assert "on the ledger" in told
        assert f"{balance / 1_000_000:,.6f}".rstrip("0") in told
        mine = page.locator("#orders li", has_text="1.25 kWh").first
        expect(mine).to_contain_text("on the ledger")
        mine.get_by_role("button", name="Cancel this order").click()
        confirm(page)
        expect(mine).to_contain_text("cancelled")
        expect(mine).to_contain_text("taken back before the gate closed")


@pytest.mark.parametrize("width", WIDTHS)
def test_an_open_order_is_changed_in_its_place_and_stays_unfolded_meanwhile(browser, scene, width):
    it, street = scene
    with page_in(browser, width=width) as page:
        signed_in_with_key(page, it, street.modest)
        page.goto(f"{it.url}/market")
        page.locator("#bid-energy").fill("2.25")
        page.locator("#bid-price").fill("0.06")
        page.get_by_role("button", name="Bid", exact=True).click()
        confirm(page)
        order = page.locator("#orders li", has_text="2.25 kWh").first
        order_id = order.get_attribute("data-order")
        order.locator("summary").click()
        form = page.get_by_role("form", name="Change this order").first
        form.get_by_label("kWh", exact=True).fill("0.75")
        height = it.services.market.height
        it.act(lambda community: community.bid(street.flat, 100, 60_000, OPEN_HOUR))
        expect(page.locator("#height")).to_contain_text(str(height + 1))
        keep_screenshot(page, "order-changed")
        assert overflow_px(page) == 0
        assert accessibility_findings(page) == []
        expect(form.get_by_label("kWh", exact=True)).to_have_value("0.75")
        form.get_by_label("Price, tokens/kWh").fill("0.07")
        form.get_by_role("button", name="Replace").click()
        dialog = page.locator("#sign-dialog")
        expect(dialog.locator("h2")).to_have_text("Replace an order")
        expect(dialog.locator("[data-value=energy]")).to_have_text("0.75 kWh")
        expect(dialog.locator("[data-value=price]")).to_have_text("0.07 / kWh")
        expect(dialog.locator("[data-value=worth]")).to_have_text("0.0525")
        confirm(page)
        changed = page.locator("#orders li", has_text="0.75 kWh").first
        expect(changed).to_contain_text("on the ledger")
        assert changed.get_attribute("data-order") != order_id
        expect(page.locator(f'[data-order="{order_id}"]')).to_contain_text("cancelled")
        changed.get_by_role("button", name="Cancel this order").click()
        confirm(page)


@pytest.mark.row("E035", "E036")
@pytest.mark.parametrize("width", WIDTHS)
def test_an_offer_is_reserved_let_go_and_blocked_for_others_meanwhile(browser, scene, width):
    it, street = scene
    with page_in(browser, width=width) as buyer, page_in(browser, width=width) as other:
        posted = it.act(
            lambda _: street.modest.client.submit(
                "marketplace:post_offer", OPEN_HOUR, street.modest.res_id, 300, 16_200, "unchecked"
            )
        )
        row = f'tr[data-post="{posted["post_id"]}"]'
        signed_in_with_key(buyer, it, street.flat)
        signed_in_with_key(other, it, street.bakery)
        buyer.goto(f"{it.url}/marketplace")
        other.goto(f"{it.url}/marketplace")
        locked = it.services.community.account(street.flat.idgrid).locked_utoken
        buyer.locator(row).get_by_role("button", name="Reserve").click()
        dialog = buyer.locator("#sign-dialog")
        expect(dialog.locator("h2")).to_contain_text("Reserve this offer")
        expect(dialog.locator("[data-part=unknown]")).to_be_hidden()
        expect(dialog.locator("[data-value=post]")).to_have_text(posted["post_id"])
        confirm(buyer)
        expect(buyer.locator(row)).to_contain_text("yours until")
        account = it.services.community.account(street.flat.idgrid)
        assert account.locked_utoken == locked + 16_200
        expect(other.locator(row).locator("[data-label]")).to_have_attribute(
            "data-label", "Reserved"
        )
        expect(other.locator(row).locator("button")).to_have_count(0)
        keep_screenshot(buyer, "marketplace-reserved")
        assert overflow_px(buyer) == 0
        assert accessibility_findings(buyer) == []
        buyer.locator(row).get_by_role("button", name="Let it go").click()
        confirm(buyer)
        expect(buyer.locator(row).get_by_role("button", name="Reserve")).to_be_visible()
        expect(other.locator(row).get_by_role("button", name="Buy")).to_be_visible()
        assert it.services.community.account(street.flat.idgrid).locked_utoken == locked
        it.act(lambda _: street.modest.client.submit("marketplace:delete", posted["post_id"]))


@pytest.mark.row("E127")
@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_posted_on_the_page_is_in_the_list_one_block_later(browser, scene, width):
    it, street = scene
    with page_in(browser, width=width) as page:
        signed_in_with_key(page, it, street.sunny)
        page.goto(f"{it.url}/market")
        page.locator("#offer-energy").fill("0.5")
        page.locator("#offer-price").fill("0,045")
        height = it.services.market.height
        page.get_by_role("button", name="Offer", exact=True).click()
        confirm(page)
        expect(page.locator("#orders li").first).to_contain_text("Offer 0.50 kWh")
        expect(page.locator("#book tr.own", has_text="0.045").first).to_be_visible()
        assert it.services.market.height == height + 1
        order = page.locator("#orders li").first
        order.get_by_role("button", name="Cancel this order").click()
        confirm(page)
        expect(order).to_contain_text("cancelled")


@pytest.mark.row("E127")
@pytest.mark.parametrize("width", WIDTHS)
def test_lots_are_offered_bought_requested_and_deleted_by_their_buttons(browser, scene, width):
    it, street = scene
    with page_in(browser, width=width) as seller, page_in(browser, width=width) as buyer:
        signed_in_with_key(seller, it, street.sunny)
        signed_in_with_key(buyer, it, street.flat)
        seller.goto(f"{it.url}/marketplace")
        buyer.goto(f"{it.url}/marketplace")
        assert small_hours(seller)[0] == OPEN_HOUR
        seller.locator("#offer-kwh").fill("2")
        seller.locator("#offer-lot").fill("0.11")
        height = it.services.market.height
        seller.get_by_role("button", name="Offer energy").click()
        confirm(seller)
        assert it.services.market.height == height + 1
        fresh = seller.locator("tr.own[data-post]", has_text="Delete")
        expect(fresh).to_have_count(1)
        post_id = fresh.get_attribute("data-post")
        own = seller.locator(f'tr[data-post="{post_id}"]')
        expect(own.locator("[data-label]")).to_have_attribute("data-label", "Delete")
        offered = buyer.locator(f'tr[data-post="{post_id}"]')
        offered.get_by_role("button", name="Buy").click()
        confirm(buyer)
        expect(offered.locator("[data-label]")).to_have_attribute("data-label", "Purchased")
        expect(own.locator("[data-label]")).to_have_attribute("data-label", "Purchased")

        buyer.locator("#request-kwh").fill("1.5")
        buyer.locator("#request-lot").fill("0.09")
        buyer.get_by_role("button", name="Request energy").click()
        confirm(buyer)
        wanted = buyer.locator("tr.own[data-post]", has_text="Delete").first
        wanted_id = wanted.get_attribute("data-post")
        request = seller.locator(f'tr[data-post="{wanted_id}"]')
        request.get_by_role("button", name="Request to Sell").click()
        confirm(seller)
        asked = buyer.locator(f'tr[data-post="{wanted_id}"]')
        expect(asked.locator("[data-label]")).to_have_attribute("data-label", "Requested for Sell")
        asked.get_by_role("button", name="Accept").click()
        confirm(buyer)
        expect(asked.locator("[data-label]")).to_have_attribute("data-label", "Sold")
        keep_screenshot(buyer, "marketplace-traded")


def small_hours(page: Page) -> list[str | None]:
    return [one.get_attribute("value") for one in page.locator("#offer-hour option").all()]


def test_a_standing_order_is_one_tap_and_can_be_withdrawn(browser, scene):
    it, street = scene
    with page_in(browser) as page:
        signed_in_with_key(page, it, street.bakery)
        page.goto(f"{it.url}/standing?side=bid")
        page.locator("#standing-price").fill("0.09")
        page.get_by_role("button", name="What would it have done?").click()
        expect(page.locator("#past-title")).to_be_visible()
        page.get_by_role("button", name="Sign this standing order").click()
        expect(page.locator("#sign-dialog [data-value=price]")).to_have_text("0.09 / kWh")
        confirm(page)
        page.goto(f"{it.url}/account")
        expect(page.locator("#standing-orders li")).to_have_count(1)
        page.get_by_role("button", name="Withdraw").click()
        confirm(page)
        expect(page.locator("#standing-orders")).to_contain_text("You have signed none.")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_refusal_is_told_in_the_readers_language(browser, scene, width):
    it, street = scene
    with page_in(browser, width=width, locale="es-CL", may_fail=True) as page:
        signed_in_with_key(page, it, street.flat)
        page.goto(f"{it.url}/market")
        page.locator("#bid-energy").fill("9999")
        page.locator("#place button[type=submit]").first.click()
        page.locator("#sign-dialog [data-part=sign]").click()
        outcome = page.locator("#sign-dialog [data-part=outcome]")
        expect(outcome).to_have_attribute("data-outcome", "refused")
        expect(outcome).to_have_text(TOO_MUCH_ES)
        said = page.locator("#sign-dialog [data-part=said]")
        expect(said.locator("p")).to_be_hidden()
        said.locator("summary").click()
        expect(said.locator("p")).to_contain_text("CAP_EXCEEDED")
        expect(said.locator("p")).to_have_attribute("lang", "en")
        keep_screenshot(page, "refused-es", whole=False)
        assert overflow_px(page) == 0
        assert small_targets(page) == []
        assert accessibility_findings(page) == []


def test_what_is_no_amount_is_told_in_the_readers_language(browser, scene):
    it, street = scene
    with page_in(browser, locale="es-CL") as page:
        signed_in_with_key(page, it, street.flat)
        page.goto(f"{it.url}/market")
        outcome = page.locator("#sign-dialog [data-part=outcome]")
        for written, told in (("mucho", "no es un número"), ("1,00005", "más decimales")):
            page.locator("#bid-energy").fill(written)
            page.locator("#place button[type=submit]").first.click()
            expect(outcome).to_contain_text(f"«{written}»")
            expect(outcome).to_contain_text(told)
            page.locator("#sign-dialog [data-part=close]").click()


def test_a_deal_without_readings_is_settled_by_what_both_sides_say_came(browser):
    """The buyer admits less than the lot; the seller agrees, and is paid for that."""
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=HOURS)
        post_id = it.act(lambda _: dealt(street.sunny, street.flat))
        it.act(lambda community: community.ledger.at(hour_of(OPEN_HOUR) + timedelta(hours=2)))
        with page_in(browser, width=WIDTHS[0]) as buyer, page_in(browser, width=1280) as seller:
            for page, home in ((buyer, street.flat), (seller, street.sunny)):
                signed_in_with_key(page, it, home)
                page.goto(f"{it.url}/marketplace")
                expect(page.locator(f'#unconfirmed [data-deal="{post_id}"]')).to_be_visible()
                assert overflow_px(page) == 0
                assert page.locator(".scroll").first.evaluate(SIDEWAYS_PX) == 0
                assert accessibility_findings(page) == []
            keep_screenshot(buyer, "marketplace-unconfirmed")
            buyer.locator("#came-1").fill("1.5")
            buyer.get_by_role("button", name="Confirm").click()
            expect(buyer.locator("#sign-dialog")).to_contain_text("1.5")
            confirm(buyer)
            expect(seller.locator("#unconfirmed")).to_contain_text("The buyer says 1.50 kWh came")
            keep_screenshot(seller, "marketplace-admitted")
            seller.locator("#came-1").fill("1.5")
            seller.get_by_role("button", name="Confirm").click()
            confirm(seller)
            expect(seller.locator("#unconfirmed")).to_have_count(0)
        settled = it.community.manager.evaluate("marketplace:get_post", post_id)
        assert (settled["state"], settled["delivered_wh"]) == ("SETTLED", 1_500)
        assert (settled["delivery"], settled["paid_utoken"]) == ("confirmed", 82_500)


SIDEWAYS_PX = "scroll => scroll.scrollWidth - scroll.clientWidth"


def dealt(seller: Household, buyer: Household) -> str:
    """2 kWh of the open hour, sold for 0.11 tokens."""
    offer = ("marketplace:post_offer", OPEN_HOUR, seller.res_id, 2_000, 110_000)
    post = seller.client.submit(*offer)
    buyer.client.submit("marketplace:buy", post["post_id"])
    return str(post["post_id"])
