"""The page of a standing order is a way in for a household without an hour of its own, too."""

import html
import json
import re

import pytest

from tests.e2e.browser.street import live_through, settle_in
from tests.e2e.browser.village import village
from tests.unit.energy.community import CAP, FLOOR
from tests.unit.gateway.pages import visiting

RETAIL, FEED_IN = 91_000, 31_000
SIGN = 'data-sign="standing:place"'
LOOK_BACK = "<dt>Traded in</dt>"


@pytest.fixture
def scene():
    with village() as it:
        yield it, settle_in(it)


def standing(it, home, query: str, language: str = "en") -> str:
    path = f"/standing?{query}"
    return visiting(it.services, home.idgrid).get(path, language=language).text


def shown(text: str, name: str) -> str:
    """What a field begins with."""
    found = re.search(rf'<input id="standing-{name}"[^>]* value="([^"]*)"', text)
    assert found, "the form has no such field"
    return found[1]


def argument(text: str) -> dict[str, object]:
    found = re.search(r'data-argument="0" value="([^"]*)"', text)
    assert found, "there is nothing to sign"
    return dict(json.loads(html.unescape(found[1])))


def publish(it, series: str, price: int, effective_from_ms: int = 0) -> None:
    given = (series, price, effective_from_ms, 10**9)
    it.act(lambda community: community.manager.submit("oracle:publish_price", *given))


@pytest.mark.parametrize(("side", "price"), [("bid", CAP), ("offer", FLOOR)])
def test_a_newcomer_begins_at_the_current_listings_price_and_may_sign(scene, side, price):
    it, street = scene
    publish(it, "retail", RETAIL)
    publish(it, "feed_in", FEED_IN)
    it.act(lambda community: community.open())
    text = standing(it, street.sunny, f"side={side}")
    assert 'id="first-wish"' in text
    assert LOOK_BACK not in text
    assert (shown(text, "energy"), shown(text, "price")) == ("1.000", f"{price / 10**6:.6f}")
    given = argument(text)
    assert (given["energy_wh"], given["price_utoken_per_kwh"]) == (1_000, price)
    placed = it.act(lambda _: street.sunny.client.submit("standing:place", given))
    assert (placed["side"], placed["price_utoken_per_kwh"]) == (side, price)


@pytest.mark.parametrize(("side", "price"), [("bid", "0.091000"), ("offer", "0.031000")])
def test_before_the_first_listing_the_tariffs_in_force_stand_there(scene, side, price):
    it, street = scene
    later_ms = it.services.clock_ms() + 3_600_000
    for series, now in (("retail", RETAIL), ("feed_in", FEED_IN)):
        publish(it, series, now)
        publish(it, series, now + 5_000, later_ms)
    assert shown(standing(it, street.sunny, f"side={side}"), "price") == price


def test_without_any_price_the_form_is_empty_and_what_is_written_there_counts(scene):
    it, street = scene
    empty = standing(it, street.flat, "side=bid")
    assert (shown(empty, "energy"), shown(empty, "price")) == ("", "")
    assert SIGN not in empty
    text = standing(it, street.flat, "side=bid&energy=0.4&price=0.07")
    assert (shown(text, "energy"), shown(text, "price")) == ("0.400", "0.070000")
    assert argument(text)["price_utoken_per_kwh"] == 70_000
    assert 'id="first-wish"' not in text
    assert "None of your hours is settled yet" in text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("es", ("Su medidor aún no tiene energía", "Aún no se ha liquidado ninguna")),
        ("pt", ("O seu contador ainda não tem energia", "Ainda não foi liquidada nenhuma")),
    ],
)
def test_a_newcomer_is_told_in_its_language(scene, language, words):
    it, street = scene
    it.act(lambda community: community.open())
    text = standing(it, street.flat, "side=bid", language)
    for word in words:
        assert word in text


def test_who_has_hours_of_its_own_begins_with_them(scene):
    it, street = scene
    live_through(it, street, hours=1)
    text = standing(it, street.flat, "side=bid")
    assert 'id="first-wish"' not in text
    assert LOOK_BACK in text
    assert argument(text)["energy_wh"] == 600


def test_the_home_page_shows_a_newcomer_what_to_do_next(scene):
    it, street = scene
    visitor = visiting(it.services, street.sunny.idgrid)
    [card] = re.findall(
        r'<section class="card" id="standing".*?</section>', visitor.get("/").text, re.DOTALL
    )
    for target in ("/market#place", "/standing"):
        assert f'href="{target}"' in card
        assert visitor.get(target.partition("#")[0]).status_code == 200


def test_a_household_with_several_sources_chooses_which_it_sells_from(scene):
    it, street = scene
    home, wish = street.sunny, "side=offer&energy=1&price=0.06"

    def add(community) -> None:
        second = ("registry:register_res", "wind-0", home.idgrid, "wind", 900)
        home.client.submit(*second)
        community.dso.submit("registry:approve_res", "wind-0")

    assert 'id="standing-source"' not in standing(it, home, wish)
    it.act(add)
    text = standing(it, home, wish)
    assert 'id="standing-source"' in text
    assert argument(text)["res_id"] == home.res_id
    chosen = standing(it, home, wish + "&source=wind-0")
    assert argument(chosen)["res_id"] == "wind-0"
    assert "From wind-0." in chosen
    assert it.act(lambda _: home.client.submit("standing:place", argument(chosen)))
    of_another = standing(it, home, wish + "&source=pv-1")
    assert argument(of_another)["res_id"] == home.res_id


@pytest.mark.row("E061")
def test_a_price_is_shown_in_the_units_of_the_community(scene):
    """60,000 gwei, as the documents price a kWh, are 102 CLP at their rate (002:338)."""
    it, street = scene
    told = ("60,000 gwei", "0.000060000 ETH", "0.117241 EUR", "102.00 CLP")
    assert all(
        words in standing(it, street.sunny, "side=bid&energy=1&price=0.06") for words in told
    )
    visitor = visiting(it.services, street.sunny.idgrid)
    it.act(lambda community: community.open(opens_at_ms=0))
    it.act(lambda community: community.bid(street.sunny, 1_000, 60_000))
    [order] = re.findall(r"<li[^>]* data-order=.*?</li>", visitor.get("/market").text, re.DOTALL)
    assert all(words in order for words in told)
    hour = it.services.market.latest(1)[0].listing_id
    offer = ("marketplace:post_offer", hour, street.sunny.res_id, 1_000, 60_000)
    it.act(lambda _: street.sunny.client.submit(*offer))
    [post] = re.findall(r"<tr[^>]*data-post=.*?</tr>", visitor.get("/marketplace").text, re.DOTALL)
    assert all(words in post for words in told)
