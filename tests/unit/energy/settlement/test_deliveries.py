"""Non-delivery is recorded and a household's reputation is kept."""

import pytest

from tests.unit.energy.community import LISTING, Community, Household
from tests.unit.energy.settlement.trades import settled_trade, substitute


def reputation(community: Community, home: Household) -> dict[str, int]:
    """As any member sees it: matching asks the same."""
    found: dict[str, int] = community.households[0].client.evaluate(
        "settlement:reputation", home.idgrid
    )
    return found


@pytest.mark.row("E059")
def test_a_seller_that_delivers_nothing_gets_a_record_everybody_sees() -> None:
    community, seller, buyer = settled_trade(0, 10_000)
    (entry,) = buyer.client.evaluate("settlement:non_deliveries", seller.idgrid)
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
