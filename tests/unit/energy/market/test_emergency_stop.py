"""An emergency stop: the listing is cancelled, orders are void, all money is back."""

import pytest

from chaincode.energy.market import stop
from chaincode.shim import ContractError
from tests.unit.energy.community import LISTING, Community, refuses

PRICE = 54_000
TOKENS = 10**6


@pytest.fixture
def community() -> Community:
    """A seller and two buyers with orders in an open listing."""
    founded = Community.found()
    founded.join(tokens=0)
    founded.open()
    founded.offer(founded.households[0], 8000, 40_000)
    for _ in range(2):
        buyer = founded.join(role="consumer", tokens=TOKENS)
        founded.bid(buyer, 5000, PRICE)
        founded.bid(buyer, 1000, PRICE)
    return founded


def everybody_has_its_money(community: Community) -> None:
    for home in community.households:
        view = community.account(home)
        assert (view["free_utoken"], view["locked_utoken"]) in ((TOKENS, 0), (0, 0))
    audit = community.audit()
    assert (audit["escrowed_utoken"], audit["difference_utoken"]) == (0, 0)


@pytest.mark.parametrize("phase", ["AUTHORIZE_OFFERS", "BIDS_CLOSED", "CLEARED", "DELIVERING"])
def test_a_stop_in_any_phase_before_settlement_gives_all_money_back(
    community: Community, phase: str
) -> None:
    if phase != "AUTHORIZE_OFFERS":
        community.ledger.at("2026-01-15T09:58:00Z")
        community.scheduler.submit("market:close_bidding", LISTING)
    if phase in ("CLEARED", "DELIVERING"):
        community.scheduler.submit("market:clear", LISTING)
    if phase == "DELIVERING":
        community.ledger.at("2026-01-15T10:00:00Z")
        community.scheduler.submit("market:start_delivery", LISTING)
    stopped = community.dso.submit("listings:stop", LISTING, "line fault")
    assert (stopped["next_key"], stopped["role"], stopped["mspid"]) == ("end", "dso", "DsoMSP")
    event = community.ledger.events[-1]
    assert (event.name, event.value["reason"]) == ("EmergencyStop", "line fault")
    assert community.manager.evaluate("market:get_listing", LISTING)["state"] == "CANCELLED"
    everybody_has_its_money(community)


def test_nothing_goes_on_in_a_stopped_listing_and_the_next_is_free(community: Community) -> None:
    seller, buyer, _ = community.households
    order = buyer.client.evaluate("market:get_orders", LISTING, buyer.idgrid)[0]
    first = community.manager.submit("listings:stop", LISTING, "meters are wrong")
    before = community.ledger.snapshot()
    assert community.manager.submit("listings:stop", LISTING, "again") == first
    assert community.scheduler.submit("listings:refund", LISTING) == first
    assert community.ledger.snapshot().state == before.state
    offer = ("market:place_offer", LISTING, seller.res_id, 1000, PRICE)
    refuses(community, "LISTING_CANCELLED", seller.client, *offer)
    cancel = ("orders:cancel", LISTING, order["order_id"])
    refuses(community, "LISTING_CANCELLED", buyer.client, *cancel)
    community.ledger.at("2026-01-15T11:05:00Z")
    assert community.scheduler.submit("listings:advance", LISTING)["step"] == "nothing"
    for function in ("market:clear", "market:settle", "market:start_delivery"):
        with pytest.raises(ContractError, match=r"CANCELLED|NOT_CLEARED"):
            community.scheduler.submit(function, LISTING)
    community.open("2026-01-15T12", opens_at_ms=0)
    community.bid(buyer, 10_000, PRICE, "2026-01-15T12")
    refuses(community, "NOT_STOPPED", community.scheduler, "listings:refund", "2026-01-15T12")


def test_who_may_stop_and_what(community: Community) -> None:
    home = community.households[0].client
    for client in (home, community.scheduler, community.oracle):
        refuses(community, "ROLE_NOT_ALLOWED", client, "listings:stop", LISTING, "why not")
    refuses(community, "INVALID_ARGUMENT", community.dso, "listings:stop", LISTING, " ")
    refuses(community, "UNKNOWN_LISTING", community.dso, "listings:stop", "2026-01-15T22", "x")
    community.close_and_clear()
    community.deliver({})
    community.settle()
    refuses(community, "ALREADY_SETTLED", community.dso, "listings:stop", LISTING, "late")


def test_many_escrows_go_back_page_by_page(
    community: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop, "REFUNDS_PER_PAGE_MAX", 2)
    community.manager.submit("listings:stop", LISTING, "fire")
    pages = 1
    while community.scheduler.submit("listings:refund", LISTING)["next_key"] != "end":
        pages += 1
    assert pages == 2
    everybody_has_its_money(community)
    assert (
        community.manager.evaluate("listings:get_stop", LISTING)["refunded_utoken"] == 12 * PRICE
    )
