"""A settlement too big for one transaction: pages in any order, each once, no money lost."""

from typing import Any

import pytest

from chaincode.energy.settlement import planning
from chaincode.shim.testing import VALID
from tests.unit.energy.community import LISTING, Community, Household, refuses
from tests.unit.energy.settlement.trades import PRICE, listing_state, substitute

PAGE = 2
PAIRS = 3
TERMS = {"network_charge_utoken_per_kwh": 9_007, "pool_share_permille": 33}


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "PAGE_HOUSEHOLDS_MAX", PAGE)


def delivered(**parameters: Any) -> tuple[Community, list[Household], list[Household]]:
    """Three sellers, three buyers and one without an order; all metered."""
    community = Community.found()
    sellers = [community.join(tokens=0) for _ in range(PAIRS)]
    buyers = [community.join(role="consumer", tokens=10**6) for _ in range(PAIRS)]
    community.join(tokens=0)
    community.open(**(TERMS | parameters))
    for seller in sellers:
        community.offer(seller, 3000, 40_000)
    for buyer in buyers:
        community.bid(buyer, 2999, PRICE)
    community.close_and_clear()
    flows = {home.idgrid: (0, 2501 + 100 * at) for at, home in enumerate(sellers)}
    flows |= {home.idgrid: (2803 - 100 * at, 0) for at, home in enumerate(buyers)}
    community.deliver(flows)
    return community, sellers, buyers


def state_of(community: Community) -> dict[str, Any]:
    """Accounts of all households, the pool and the network."""
    names = [home.idgrid for home in community.households] + ["pool", "network"]
    return {
        name: {
            entry: value
            for entry, value in community.manager.evaluate("tokens:account", name).items()
            if entry != "pending_payouts"
        }
        for name in names
    }


def settled_in_one(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the same hour comes to in a single page."""
    monkeypatch.setattr(planning, "PAGE_HOUSEHOLDS_MAX", 500)
    community, _, _ = delivered()
    assert community.settle()["state"] == "SETTLED"
    monkeypatch.setattr(planning, "PAGE_HOUSEHOLDS_MAX", PAGE)
    return state_of(community)


def test_repeated_settle_pays_page_after_page_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = settled_in_one(monkeypatch)
    community, _, _ = delivered()
    decided = community.settle()
    assert (decided["state"], decided["pages"]) == ("PAYING", 4)
    assert listing_state(community) == "SETTLING"
    for _ in range(4):
        assert community.audit()["difference_utoken"] == 0
        assert community.settle()["state"] == "PAYING"
    assert community.settle()["state"] == "SETTLED"
    assert listing_state(community) == "SETTLED"
    assert state_of(community) == expected
    audit = community.audit()
    assert (audit["difference_utoken"], audit["escrowed_utoken"]) == (0, 0)
    assert community.ledger.keys("unpaid") == community.ledger.keys("payout~transit") == []
    refuses(community, "ALREADY_SETTLED", community.scheduler, "market:settle", LISTING)


def test_every_bid_of_a_household_is_freed_with_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "PAGE_ESCROWS_MAX", 3)
    community = Community.found()
    seller = community.join(tokens=0)
    buyers = [community.join(role="consumer", tokens=10**6) for _ in range(PAIRS)]
    community.open()
    community.offer(seller, 9000, 40_000)
    for buyer in buyers:
        for _ in range(3):
            community.bid(buyer, 500, PRICE)
    community.close_and_clear()
    community.deliver({seller.idgrid: (0, 4000)} | {b.idgrid: (1500, 0) for b in buyers})
    assert community.settle()["pages"] == PAIRS
    while community.settle()["state"] != "SETTLED":
        assert community.audit()["difference_utoken"] == 0
    audit = community.audit()
    assert (audit["difference_utoken"], audit["escrowed_utoken"]) == (0, 0)


def test_pages_in_one_block_and_in_any_order_come_to_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = settled_in_one(monkeypatch)
    community, _, _ = delivered()
    community.settle()
    pages = [
        community.scheduler.simulate("settlement:pay_page", LISTING, number)
        for number in (3, 1, 0, 2)
    ]
    assert community.ledger.commit(pages) == [VALID] * 4
    assert community.settle()["state"] == "SETTLED"
    assert state_of(community) == expected


def test_a_page_is_paid_once() -> None:
    community, _, _ = delivered()
    community.settle()
    pay = ("settlement:pay_page", LISTING, 1)
    twice = [community.scheduler.simulate(*pay) for _ in range(2)]
    assert community.ledger.commit(twice) == [VALID, "MVCC_READ_CONFLICT"]
    before = state_of(community)
    assert community.oracle.submit(*pay) is False
    assert state_of(community) == before
    refuses(community, "PAGE_NOT_PLANNED", community.oracle, "settlement:pay_page", LISTING, 4)
    refuses(
        community,
        "ROLE_NOT_ALLOWED",
        community.households[0].client,
        "settlement:pay_page",
        LISTING,
        0,
    )


def test_nothing_else_happens_to_a_listing_that_is_being_paid() -> None:
    community, sellers, _ = delivered()
    community.settle()
    community.settle()
    refuses(community, "STILL_PAYING", community.dso, "settlement:correct", LISTING)
    paid_seller = sellers[0].client
    refuses(community, "STILL_PAYING", paid_seller, "settlement:dispute", LISTING, "wrong")


def test_a_correction_is_paged_too_and_a_dispute_outlives_it() -> None:
    community, sellers, buyers = delivered()
    while community.settle()["state"] != "SETTLED":
        pass
    buyers[0].client.submit("settlement:dispute", LISTING, "wrong")
    substitute(community, sellers[0], exported_wh=100)
    assert community.dso.submit("settlement:correct", LISTING)["state"] == "PAYING"
    while community.settle()["state"] != "SETTLED":
        assert community.audit()["difference_utoken"] == 0
    assert listing_state(community) == "DISPUTED"
    audit = community.audit()
    assert (audit["difference_utoken"], audit["escrowed_utoken"]) == (0, 0)
    events = [event.value for event in community.ledger.events]
    pages = [event for event in events if event.get("revision") == 1 and "page" in event]
    assert len(pages) == 2
