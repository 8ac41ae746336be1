"""What became of one's own transactions: the explorer, the account page, and the reason."""

import re

import pytest

from chaincode.energy.errors import Refusal
from tests.e2e.browser.street import live_through, open_with_orders, settle_in
from tests.e2e.browser.village import village
from tests.unit.gateway.pages import visiting


@pytest.fixture(scope="module")
def scene():
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=2)
        open_with_orders(it, street)
        yield it, street


def transactions_in(text: str) -> list[str]:
    return re.findall(r'data-transaction="([0-9a-f]{64})"', text)


def signed_in(text: str) -> list[str]:
    return re.findall(r'data-transaction="([0-9a-f]{64})" class="own"', text)


@pytest.mark.row("E129")
def test_the_accounts_list_of_transactions_equals_the_explorers(scene):
    it, street = scene
    home = street.sunny
    own = visiting(it.services, home.idgrid)
    listed = transactions_in(own.get("/account").text)
    explored: list[str] = []
    path = f"/explorer/households/{home.idgrid}"
    while path:
        text = own.get(path).text
        explored += signed_in(text)
        older = re.search(r'href="(/explorer/households/[^"]*below=[^"]*)"', text)
        path = older.group(1) if older else ""
    assert listed
    assert listed == explored


@pytest.mark.row("E124")
def test_a_failed_order_shows_0_and_its_reason_a_good_one_1_and_its_event(scene):
    """Two orders of one household in one block: the second read what the first had changed."""
    it, street = scene
    home = street.flat
    hour = it.services.market.current_listing().listing_id

    def both(community):
        found = [home.client.simulate("market:place_bid", hour, 100, 60_000) for _ in range(2)]
        return community.ledger.commit(found)

    codes = it.act(both)
    assert len(set(codes)) == 2
    own = visiting(it.services, home.idgrid)
    records = it.services.readmodel.activity(home.idgrid, limit=2).items
    pages = {
        record.code.name: own.get(f"/explorer/transactions/{record.tx_id}").text
        for record in records
    }
    good = pages.pop("VALID")
    assert 'data-status="1"' in good
    assert 'id="event-data"' in good
    assert "OrderPlaced" in good
    ((code, failed),) = pages.items()
    assert 'data-status="0"' in failed
    assert code in failed
    assert "another transaction changed the same state first" in failed


def test_what_staff_did_for_one_household_is_read_by_it_without_the_keys_that_were_read(scene):
    """The page and the API tell it the same."""
    it, street = scene
    home, other = street.sunny, street.flat
    done = it.services.readmodel.activity(home.idgrid, limit=100).items
    deposit = next(record for record in done if record.function == "tokens:deposit")
    path = f"/explorer/transactions/{deposit.tx_id}"
    own, neighbour = visiting(it.services, home.idgrid), visiting(it.services, other.idgrid)
    assert 'id="arguments-title"' in own.get(path).text
    assert 'id="read-write-set"' not in own.get(path).text
    assert 'id="arguments-title"' not in neighbour.get(path).text
    for visitor, is_told in ((own, True), (neighbour, False)):
        told = visitor.get(f"/v1/transactions/{deposit.tx_id}").json()["arguments"]
        assert (told is not None) is is_told


def test_every_refusal_of_a_contract_has_words():
    assert all(one.text for one in Refusal)
