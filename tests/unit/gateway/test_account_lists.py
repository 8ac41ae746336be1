"""The account's lists go back to their beginning: activity, settlements, movements, statements."""

import re
from dataclasses import replace

import pytest

from gateway.readmodel.records import Position
from gateway.services import Services
from gateway.statements.account_month import account_lines
from gateway.statements.settlements import Notice, Settlements
from gateway.web.account_lists import statement_links
from gateway.web.account_page import ACTIVITY_SHOWN, MOVEMENTS_SHOWN, NOTICES_SHOWN
from tests.e2e.browser.street import open_with_orders, settle_in
from tests.e2e.browser.village import village
from tests.unit.energy.community import Household
from tests.unit.energy.marketplace.scene import call, flow, offer
from tests.unit.gateway.books.busy_street import replayed
from tests.unit.gateway.books.test_money_papers import papers_of, recorded_street
from tests.unit.gateway.pages import Visitor, visiting

DEAL_HOURS = ("2026-01-15T10", "2026-01-15T12")
DEALS_PER_HOUR = 13
LOT_WH, LOT_UTOKEN = 100, 5_400
ORDERS_AT_ONCE = ACTIVITY_SHOWN + 5


@pytest.fixture(scope="module")
def scene():
    with village() as it:
        street = settle_in(it)
        open_with_orders(it, street)
        yield it, street


@pytest.fixture(scope="module")
def dealt() -> tuple[Services, Household, list[str]]:
    """A household that bought more often than a page shows; its deals, the latest first."""
    community, transactions = recorded_street()
    seller, buyer, *_ = community.households
    lot = {"energy_wh": LOT_WH, "price_utoken": LOT_UTOKEN}
    posts = [
        offer(community, seller, hour=hour, **lot)["post_id"]
        for hour in DEAL_HOURS
        for _ in range(DEALS_PER_HOUR)
    ]
    for post_id in posts:
        call(buyer.client, "buy", post_id)
    energy_wh = LOT_WH * DEALS_PER_HOUR
    for hour in DEAL_HOURS:
        flow(community, {seller.idgrid: (0, energy_wh), buyer.idgrid: (energy_wh, 0)}, hour)
    for post_id in posts:
        call(community.scheduler, "settle", post_id)
    return papers_of(community, replayed(transactions)).services, buyer, posts[::-1]


def older_in(text: str, path: str) -> str:
    """The link to the page after, empty on the last one."""
    found = re.search(rf'href="({re.escape(path)}\?(?:below|before)=[^"]*)"', text)
    return found.group(1) if found else ""


def pages_from(visitor: Visitor, path: str) -> list[str]:
    texts, address = [], path
    while address:
        answer = visitor.get(address)
        assert answer.status_code == 200
        texts.append(answer.text)
        address = older_in(answer.text, path)
    return texts


@pytest.mark.row("E129")
def test_more_transactions_than_one_page_shows_are_those_of_the_explorer(scene):
    it, street = scene
    home = street.flat
    hour = it.services.market.current_listing().listing_id

    def order(community):
        at_once = [
            home.client.simulate("market:place_bid", hour, 100, 60_000)
            for _ in range(ORDERS_AT_ONCE)
        ]
        return community.ledger.commit(at_once)

    it.act(order)
    own = visiting(it.services, home.idgrid)
    path = f"/explorer/households/{home.idgrid}"
    explored = [one for text in pages_from(own, path) for one in signed_in(text)]
    account = own.get("/account").text
    shown = re.findall(r'data-transaction="([0-9a-f]{64})"', account)
    assert len(shown) == ACTIVITY_SHOWN
    rest, address = [], older_in(account, path)
    while address:
        text = own.get(address).text
        rest += signed_in(text)
        address = older_in(text, path)
    assert len(explored) > ORDERS_AT_ONCE
    assert shown + rest == explored


def signed_in(text: str) -> list[str]:
    return re.findall(r'data-transaction="([0-9a-f]{64})" class="own"', text)


def test_the_receipt_of_every_settlement_can_be_reached_from_the_account(dealt):
    services, buyer, posts = dealt
    own = visiting(services, buyer.idgrid)
    first = own.get("/account").text
    assert len(posts) > NOTICES_SHOWN == len(receipts_in(first))
    rest = own.get(older_in(first, "/account/settlements")).text
    assert receipts_in(first) + receipts_in(rest) == posts
    listed = [one for text in pages_from(own, "/account/settlements") for one in receipts_in(text)]
    assert listed == posts


def receipts_in(text: str) -> list[str]:
    return re.findall(r'href="/v1/marketplace/posts/([^"/]+)/receipt\?file=receipt"', text)


def test_the_inbox_of_programs_comes_in_pages_too(dealt):
    services, buyer, posts = dealt
    own = visiting(services, buyer.idgrid)
    path = f"/v1/accounts/{buyer.idgrid}/inbox"
    found, before = [], ""
    while True:
        part = own.get(f"{path}?limit=7{before and f'&before={before}'}").json()
        found += [notice["post_id"] for notice in part["items"]]
        before = part["next"]
        if before is None:
            break
    assert found == posts


def test_what_one_transaction_did_is_never_parted_by_the_end_of_a_page(dealt):
    services, buyer, _ = dealt
    whole = services.settlements.notices(buyer.idgrid)
    twins = [replace(one, block_number=9, index=0) for one in whole[:3]]
    settlements = Twins(twins + [replace(one, block_number=1, index=0) for one in whole[3:5]])
    first = settlements.notices_page(buyer.idgrid, limit=2)
    assert (first.items, first.next) == (twins, "9:0")
    second = settlements.notices_page(buyer.idgrid, below=Position(9, 0), limit=2)
    assert (len(second.items), second.next) == (2, None)


class Twins(Settlements):
    """Notices of a ledger on which one transaction did several things to a household."""

    def __init__(self, notices: list[Notice]) -> None:
        self._notices = notices

    def notices(self, idgrid: str) -> list[Notice]:
        return self._notices


def test_movements_go_back_to_the_first_and_the_balances_run_on(dealt):
    services, buyer, _ = dealt
    own, readmodel = visiting(services, buyer.idgrid), services.readmodel
    whole = account_lines(readmodel, buyer.idgrid, limit=500)
    found, below = [], None
    while True:
        part = account_lines(readmodel, buyer.idgrid, below=below, limit=7)
        found += part.items
        if part.next is None:
            break
        below = Position.parse(part.next)
    assert found == whole.items
    assert found[-1].balance_utoken == found[-1].movement.amount_utoken
    first = own.get("/account").text
    pages = pages_from(own, "/account/movements")
    assert first.count("data-cause=") == MOVEMENTS_SHOWN < len(found)
    assert older_in(first, "/account/movements")
    assert len(pages) > 1
    assert sum(text.count("data-cause=") for text in pages) == len(found)


def test_statements_come_in_pages_the_latest_first(dealt):
    services, buyer, _ = dealt
    months = services.settlements.months(buyer.idgrid)
    newest = statement_links(services, buyer.idgrid, limit=len(months))
    assert [link.month for link in newest.items] == months
    assert newest.next is None
    later = statement_links(services, buyer.idgrid, before="2026-02", limit=1)
    assert [link.month for link in later.items] == ["2026-01"]
    assert statement_links(services, buyer.idgrid, before="2026-01", limit=1).items == []
    text = visiting(services, buyer.idgrid).get("/account/statements").text
    assert all(f'href="/account/statement-{month}.pdf"' in text for month in months)


@pytest.mark.parametrize(
    "path",
    [
        "/account/settlements?before=nonsense",
        "/account/movements?before=1:2:3",
        "/account/movements?before=-1:0",
        "/account/statements?before=2026-13",
        f"/account/movements?group={'x' * 65}",
    ],
)
def test_a_place_that_is_none_is_refused(scene, path):
    it, street = scene
    assert visiting(it.services, street.sunny.idgrid).get(path).status_code == 422


@pytest.mark.parametrize("name", ["statements", "settlements", "movements"])
def test_a_list_is_shown_to_no_visitor(scene, name):
    it, _ = scene
    assert visiting(it.services).get(f"/account/{name}").status_code in (303, 401)


def test_a_group_one_has_no_part_in_shows_nothing(scene):
    it, street = scene
    text = visiting(it.services, street.sunny.idgrid).get("/account/movements?group=OTHERS").text
    assert "data-cause=" not in text
