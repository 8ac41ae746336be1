"""The market's lists go back to their beginning: own orders, offers, requests, open deals."""

import re

import pytest

from gateway.books.order_progress import OrderState, Reason
from gateway.web.market_page import ORDERS_SHOWN
from gateway.web.marketplace_page import POSTS_SHOWN
from gateway.web.state_texts import ORDER_STATES, REASONS
from tests.e2e.browser.street import settle_in
from tests.e2e.browser.village import village
from tests.unit.energy.community import FLOOR, Community, Household, hour_of
from tests.unit.energy.marketplace.scene import call, offer, request
from tests.unit.gateway.pages import Visitor, visiting
from tests.unit.gateway.test_account_lists import pages_from

HOURS = tuple(f"2026-01-15T{hour}" for hour in range(10, 15))
ORDERS_PER_HOUR = 14
CONFLICTING = 5
ONE_WH = 1
BID_WH, BID_PRICE = 10, FLOOR + 10_000
POSTS_PER_HOUR = 18
LATER, EARLIER = "2026-01-15T15", "2026-01-15T09"


@pytest.fixture(scope="module")
def scene():
    with village() as it:
        yield it, settle_in(it)


@pytest.fixture(scope="module")
def ordered(scene) -> tuple[Visitor, list[str], str]:
    """A flat with more orders than the page shows, of which some came to nothing."""
    it, street = scene
    home = street.flat

    def play(community: Community) -> list[str]:
        found = []
        for hour in HOURS:
            community.open(hour, opens_at_ms=0)
            found += [bid(home, hour) for _ in range(ORDERS_PER_HOUR)]
        home.client.submit("orders:cancel", HOURS[0], found[0])
        # All write the same account: the first of the block is valid, the others are conflicts.
        found += conflicting(community, home, HOURS[0])
        return found

    placed = it.act(play)
    return visiting(it.services, home.idgrid), placed, placed[0]


def bid(home: Household, hour: str) -> str:
    return str(home.client.submit("market:place_bid", hour, BID_WH, BID_PRICE)["order_id"])


def conflicting(community: Community, home: Household, hour: str) -> list[str]:
    both = [
        home.client.simulate("market:place_bid", hour, BID_WH, BID_PRICE)
        for _ in range(CONFLICTING)
    ]
    codes = community.ledger.commit(both)
    assert codes == ["VALID", *["MVCC_READ_CONFLICT"] * (CONFLICTING - 1)]
    return [one.tx_id for one in both]


def orders_in(text: str) -> list[str]:
    return re.findall(r'<li id="order-([^"]+)"', text)


def rest_of(visitor: Visitor, first: str, path: str, found) -> list[str]:
    """What the pages after the first one have."""
    address = re.search(rf'href="({re.escape(path)}\?before=[^"]*)"', first)
    assert address, "the first page leads on"
    texts = [visitor.get(address.group(1)).text]
    while following := re.search(rf'href="({re.escape(path)}\?before=[^"]*)"', texts[-1]):
        texts.append(visitor.get(following.group(1)).text)
    return [one for text in texts for one in found(text)]


def test_every_order_is_reached_from_the_market_page_once(ordered):
    own, placed, cancelled = ordered
    first = own.get("/market").text
    assert len(orders_in(first)) == ORDERS_SHOWN < len(placed)
    listed = orders_in(first) + rest_of(own, first, "/market/orders", orders_in)
    assert sorted(listed) == sorted(placed)
    whole = [one for text in pages_from(own, "/market/orders") for one in orders_in(text)]
    assert whole == listed
    texts = "".join(pages_from(own, "/market/orders"))
    assert texts.count(ORDER_STATES[OrderState.INVALID]) == CONFLICTING - 1
    row = texts.partition(f'id="order-{cancelled}"')[2].partition("</li>")[0]
    assert REASONS[Reason.TAKEN_BACK] in row


def test_an_order_placed_meanwhile_moves_no_other(scene, ordered):
    it, street = scene
    own, _, _ = ordered
    first = own.get("/market").text
    older = rest_of(own, first, "/market/orders", orders_in)
    latest = it.act(lambda _community: bid(street.flat, HOURS[-1]))
    conflicts = it.act(lambda community: conflicting(community, street.flat, HOURS[0]))
    assert latest in orders_in(own.get("/market").text)
    again = rest_of(own, first, "/market/orders", orders_in)
    assert [one for one in again if one not in conflicts] == older
    assert set(conflicts) < set(again)
    assert len(set(again)) == len(again)


@pytest.fixture(scope="module")
def posted(scene) -> tuple[list[str], list[str]]:
    """More offers and requests than a page shows."""
    it, street = scene

    def play(community: Community) -> tuple[list[str], list[str]]:
        community.ledger.at(hour_of("2026-01-15T08"))
        offers, requests = [], []
        for hour in HOURS[:3]:
            wish = {"energy_wh": ONE_WH, "hour": hour, "price_utoken": 100}
            for _ in range(POSTS_PER_HOUR):
                sellers, buyers = (street.sunny, street.modest), (street.flat, street.bakery)
                offers += [offer(community, home, **wish)["post_id"] for home in sellers]
                requests += [request(community, home, **wish)["post_id"] for home in buyers]
        return offers, requests

    made: tuple[list[str], list[str]] = it.act(play)
    return made


def posts_in(text: str) -> list[str]:
    return re.findall(r'<tr[^>]* data-post="([^"]+)"', text)


@pytest.mark.parametrize(("name", "kind"), [("offers", 0), ("requests", 1)])
def test_every_post_is_reached_from_the_marketplace_once(scene, posted, name, kind):
    it, _ = scene
    visitor = visiting(it.services)
    wanted, path = posted[kind], f"/marketplace/{name}"
    tables = visitor.get("/marketplace").text
    first = [one for one in posts_in(tables) if one in wanted]
    assert len(first) == POSTS_SHOWN < len(wanted)
    listed = first + rest_of(visitor, tables, path, posts_in)
    assert sorted(listed) == sorted(wanted)
    assert [one for text in pages_from(visitor, path) for one in posts_in(text)] == listed


def test_posts_made_meanwhile_move_no_other_and_the_forms_work_on_every_page(scene, posted):
    it, street = scene
    buyer = visiting(it.services, street.bakery.idgrid)
    first = buyer.get("/marketplace").text
    older = rest_of(buyer, first, "/marketplace/offers", posts_in)
    small = {"energy_wh": ONE_WH, "price_utoken": 100}

    def meanwhile(community: Community) -> list[str]:
        made = [
            offer(community, street.sunny, hour=hour, **small)["post_id"]
            for hour in (LATER, EARLIER)
        ]
        call(street.flat.client, "buy", older[0])
        return made

    later, earlier = it.act(meanwhile)
    assert rest_of(buyer, first, "/marketplace/offers", posts_in) == [*older, earlier]
    assert later in posts_in(buyer.get("/marketplace").text)
    text = pages_from(buyer, "/marketplace/offers")[-1]
    assert 'data-sign="marketplace:buy"' in text
    assert 'id="sign-dialog"' in text
    assert 'data-sign="marketplace:post_offer"' not in text


@pytest.mark.parametrize(
    "path",
    [
        "/market/orders?before=nonsense",
        "/market/orders?before=2026-01-15T10:x:1",
        "/marketplace/offers?before=5",
        "/marketplace/requests?before=2026-01-15T10",
        "/marketplace/deals?before=5",
    ],
)
def test_a_place_that_is_none_is_refused(scene, path):
    it, street = scene
    assert visiting(it.services, street.flat.idgrid).get(path).status_code == 422


@pytest.mark.parametrize("path", ["/market/orders", "/marketplace/deals"])
def test_a_household_s_list_is_shown_to_no_visitor(scene, path):
    it, _ = scene
    assert visiting(it.services).get(path).status_code in (303, 401)


def test_a_deal_that_waits_for_readings_is_on_its_own_list(scene, posted):
    it, street = scene
    offers, _ = posted

    def play(community: Community) -> str:
        call(street.bakery.client, "buy", offers[0])
        community.ledger.at(hour_of(HOURS[1]))
        return offers[0]

    dealt = it.act(play)
    text = visiting(it.services, street.bakery.idgrid).get("/marketplace/deals").text
    assert re.findall(r'data-deal="([^"]+)"', text) == [dealt]
