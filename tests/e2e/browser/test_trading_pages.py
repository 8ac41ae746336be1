"""Buying and selling on the pages: what is signed is shown first, and the outcome after."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, Route, expect

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


def tells_lot(page: Page, *, energy: str, lot: str) -> None:
    """The dialog tells hour, energy and price of a lot of the open hour before it is signed."""
    dialog = page.locator("#sign-dialog")
    expect(dialog.locator("[data-value=hour]")).to_contain_text("12:00–13:00")
    expect(dialog.locator("[data-value=energy]")).to_have_text(energy)
    expect(dialog.locator("[data-value=lot]")).to_have_text(lot)


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
        tells_lot(buyer, energy="0.3 kWh", lot="0.0162")
        keep_screenshot(buyer, "marketplace-confirm", whole=False)
        assert overflow_px(buyer) == 0
        assert accessibility_findings(buyer) == []
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
        tells_lot(buyer, energy="2 kWh", lot="0.11")
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
        tells_lot(seller, energy="1.5 kWh", lot="0.09")
        confirm(seller)
        asked = buyer.locator(f'tr[data-post="{wanted_id}"]')
        expect(asked.locator("[data-label]")).to_have_attribute("data-label", "Requested for Sell")
        asked.get_by_role("button", name="Accept").click()
        tells_lot(buyer, energy="1.5 kWh", lot="0.09")
        confirm(buyer)
        expect(asked.locator("[data-label]")).to_have_attribute("data-label", "Sold")
        keep_screenshot(buyer, "marketplace-traded")


IN_WORDS = {
    "en-GB": ["Hour", "Energy", "Price of the lot in tokens", "Offer or request"],
    "es-CL": ["Hora", "Energía", "Precio del lote en tokens", "Oferta o solicitud"],
    "pt-BR": ["Hora", "Energia", "Preço do lote em tokens", "Oferta ou pedido"],
}
"""What the dialog calls the lines of a lot, by language."""
ANOTHER_LOT = {
    "en-GB": "The offer or request has another hour, energy or price than what was signed.",
    "es-CL": "La oferta o solicitud tiene otra hora, energía o precio que lo firmado.",
    "pt-BR": "A oferta ou o pedido tem outra hora, energia ou preço do que foi assinado.",
}


@pytest.mark.row("E128")
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("locale", IN_WORDS)
def test_a_gateway_that_puts_a_dearer_post_under_the_button_gains_nothing(
    browser, scene, width, locale
):
    """The dialog tells what the household read in the row; the contract refuses the other post."""
    it, street = scene
    seller = street.modest.client

    def posted(price_utoken: int) -> str:
        wish = (OPEN_HOUR, street.modest.res_id, 300, price_utoken)
        return str(it.act(lambda _: seller.submit("marketplace:post_offer", *wish))["post_id"])

    cheap, dear = posted(16_200), posted(162_000)

    def lie(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace(cheap, dear))

    # A worker of the page would fetch past the route.
    options = {"locale": locale, "service_workers": "block", "may_fail": True}
    with page_in(browser, width=width, **options) as page:
        signed_in_with_key(page, it, street.flat)
        page.route("**/marketplace", lie)
        page.goto(f"{it.url}/marketplace")
        before = it.services.community.account(street.flat.idgrid)
        height = it.services.market.height
        rows = page.locator(f'tr[data-post="{dear}"]')
        expect(rows).to_have_count(2)
        written = "0.0162" if locale == "en-GB" else "0,0162"
        row = rows.filter(has=page.get_by_text(written, exact=True))
        row.locator('form[data-sign="marketplace:buy"] button').click()
        dialog = page.locator("#sign-dialog")
        tells_lot(page, energy="0.3 kWh" if locale == "en-GB" else "0,3 kWh", lot=written)
        expect(dialog.locator("[data-value=post]")).to_have_text(dear)
        expect(dialog.locator("[data-part=lines] dt")).to_have_text(IN_WORDS[locale])
        dialog.locator("[data-part=sign]").click()
        outcome = dialog.locator("[data-part=outcome]")
        expect(outcome).to_have_attribute("data-outcome", "refused")
        expect(outcome).to_have_text(ANOTHER_LOT[locale])
        dialog.locator("[data-part=said] summary").click()
        expect(dialog.locator("[data-part=said] p")).to_contain_text(f"({dear} says 300 Wh")
        keep_screenshot(page, f"another-lot-{locale.lower()}", whole=False)
        assert overflow_px(page) == 0
        assert accessibility_findings(page) == []
        assert it.services.market.height == height
        assert it.services.community.account(street.flat.idgrid) == before
    for post_id in (cheap, dear):
        it.act(lambda _, post_id=post_id: seller.submit("marketplace:delete", post_id))


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
