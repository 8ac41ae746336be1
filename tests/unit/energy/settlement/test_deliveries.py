"""Non-delivery is recorded and a household's reputation is kept."""

import json

import pytest

from chaincode.energy import keys
from chaincode.shim import ContractError
from tests.unit.energy.community import COOP, LISTING, Community, Household
from tests.unit.energy.settlement.trades import settled_trade, substitute


def reputation(community: Community, home: Household) -> dict[str, int]:
    """As staff sees it, and the household itself."""
    ask = ("settlement:reputation", home.idgrid)
    found: dict[str, int] = community.manager.evaluate(*ask)
    assert home.client.evaluate(*ask) == found
    return found


@pytest.mark.row("E059")
def test_a_seller_that_delivers_nothing_gets_a_record_both_sides_of_the_trade_see() -> None:
    """A contract that matches reads the sums at `reputation~id`, as everything else it reads."""
    community, seller, buyer = settled_trade(0, 10_000)
    (entry,) = buyer.client.evaluate("settlement:non_deliveries", seller.idgrid, LISTING)
    for client in (seller.client, community.manager):
        assert client.evaluate("settlement:non_deliveries", seller.idgrid) == [entry]
        assert client.evaluate("settlement:non_deliveries", seller.idgrid, LISTING) == [entry]
    kept = community.ledger.state(keys.reputation(seller.idgrid))
    assert kept is not None
    assert json.loads(kept) == reputation(community, seller)
    assert entry == {
        "listing_id": LISTING,
        "idgrid": seller.idgrid,
        "side": "offer",
        "matched_wh": 10_000,
        "fulfilled_wh": 0,
        "metering": "measured",
    }
    kept = reputation(community, seller)
    assert (kept["sell_hours"], kept["sell_short_hours"]) == (1, 1)
    assert (kept["matched_sell_wh"], kept["delivered_wh"]) == (10_000, 0)
    assert reputation(community, buyer)["buy_short_hours"] == 0
    assert community.manager.evaluate("settlement:non_deliveries", buyer.idgrid) == []


def test_who_traded_with_a_household_is_shown_its_own_part_of_a_shortfall() -> None:
    """Who bought 1 kWh of 10 does not learn what the house exported, nor what the other bought."""
    community = Community.found()
    seller, large, small = community.join(), *(community.join(role="consumer") for _ in range(2))
    community.open()
    community.offer(seller, 10_000, 40_000)
    for buyer, energy_wh in ((large, 9_000), (small, 1_000)):
        community.bid(buyer, energy_wh, 54_000)
    community.close_and_clear()
    flows = {seller.idgrid: (0, 4_999), large.idgrid: (9_000, 0), small.idgrid: (1_000, 0)}
    community.deliver(flows)
    community.settle()

    def seen_by(home: Household) -> tuple[int, int]:
        (entry,) = home.client.evaluate("settlement:non_deliveries", seller.idgrid, LISTING)
        return entry["matched_wh"], entry["fulfilled_wh"]

    assert seen_by(seller) == (10_000, 4_999)
    assert seen_by(large) == (9_000, 4_499)
    assert seen_by(small) == (1_000, 499)


def test_who_did_not_trade_with_a_household_learns_nothing_of_its_deliveries() -> None:
    community, seller, buyer = settled_trade(0, 10_000)
    stranger = community.join()
    for client in (stranger.client, community.ledger.client(COOP, "nobody")):
        for arguments in ([seller.idgrid], [seller.idgrid, LISTING]):
            with pytest.raises(ContractError) as refusal:
                client.evaluate("settlement:non_deliveries", *arguments)
            assert refusal.value.status == 403
    with pytest.raises(ContractError, match="NOT_YOURS"):
        buyer.client.evaluate("settlement:non_deliveries", seller.idgrid)


def test_a_match_kept_in_full_leaves_no_record() -> None:
    community, seller, buyer = settled_trade(12_000, 12_000)
    for home in (seller, buyer):
        assert community.manager.evaluate("settlement:non_deliveries", home.idgrid) == []
    kept = reputation(community, seller)
    assert (kept["sell_hours"], kept["sell_short_hours"], kept["delivered_wh"]) == (1, 0, 10_000)


def test_a_buyer_that_does_not_take_what_it_bought_is_on_record() -> None:
    community, _, buyer = settled_trade(10_000, 4000)
    kept = reputation(community, buyer)
    assert (kept["buy_hours"], kept["buy_short_hours"], kept["taken_wh"]) == (1, 1, 4000)


def test_a_correction_corrects_the_record() -> None:
    community, seller, _ = settled_trade(0, 10_000)
    substitute(community, seller, exported_wh=10_000)
    community.dso.submit("settlement:correct", LISTING)
    assert community.manager.evaluate("settlement:non_deliveries", seller.idgrid) == []
    kept = reputation(community, seller)
    assert (kept["sell_hours"], kept["sell_short_hours"], kept["delivered_wh"]) == (1, 0, 10_000)


def test_an_unknown_household_has_an_empty_reputation() -> None:
    community, _, _ = settled_trade()
    stranger = community.join()
    assert set(reputation(community, stranger).values()) == {stranger.idgrid, 0}
