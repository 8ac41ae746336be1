"""What clearing leaves on the ledger: result, utility rows, events, priority, line limit."""

from typing import Any

import pytest

from tests.unit.energy.community import CAP, FLOOR, LISTING, Community, Household, refuses

PRICE = 54_000


def matched(result: dict[str, Any]) -> dict[str, int]:
    return {match["idgrid"]: match["matched_wh"] for match in result["matches"]}


def match_result(community: Community) -> dict[str, Any]:
    event = community.ledger.events[-1]
    assert event.name == "MatchResult"
    told: dict[str, Any] = event.value
    return told


@pytest.mark.row("E044")
def test_the_result_has_the_totals_of_the_orders_and_both_parties_are_told() -> None:
    community = Community.found()
    seller, buyer = community.join(tokens=0), community.join(role="consumer", tokens=10**9)
    community.open()
    community.offer(seller, 10_000, 40_000)
    community.bid(buyer, 10_000, PRICE)
    result = community.close_and_clear()
    assert (result["available_wh"], result["wanted_wh"]) == (10_000, 10_000)
    assert result["supply_curve"] == [[40_000, 10_000]]
    assert result["demand_curve"] == [[PRICE, 10_000]]
    assert result["price_utoken_per_kwh"] == PRICE
    told = match_result(community)
    assert told["trades"] == [
        {
            "seller": seller.idgrid,
            "buyer": buyer.idgrid,
            "energy_wh": 10_000,
            "price_utoken_per_kwh": PRICE,
        }
    ]
    assert {(party["idgrid"], party["matched_wh"]) for party in told["matches"]} == {
        (seller.idgrid, 10_000),
        (buyer.idgrid, 10_000),
    }
    assert told["price_utoken_per_kwh"] == PRICE
    trades = buyer.client.evaluate("auction:get_trades", LISTING, buyer.idgrid)
    assert [trade["energy_wh"] for trade in trades] == [10_000]
    mine = seller.client.evaluate("auction:get_matches", LISTING, seller.idgrid)
    assert [match["idgrid"] for match in mine] == [seller.idgrid]


@pytest.mark.row("E012")
def test_a_household_sees_the_price_and_its_own_matches_and_staff_see_all() -> None:
    community = Community.found()
    seller, buyer = community.join(tokens=0), community.join(role="consumer", tokens=10**9)
    other = community.join(role="consumer", tokens=10**9)
    community.open()
    community.offer(seller, 10_000, 40_000)
    community.bid(buyer, 6_000, PRICE)
    community.bid(other, 4_000, PRICE)
    whole = community.close_and_clear()
    assert community.manager.evaluate("market:get_result", LISTING) == whole
    assert len(community.manager.evaluate("auction:get_trades", LISTING)) == 2
    seen = other.client.evaluate("market:get_result", LISTING)
    assert matched(seen) == {other.idgrid: 4_000}
    assert {**seen, "matches": whole["matches"]} == whole
    for function in ("auction:get_matches", "auction:get_trades"):
        refuses(community, "NOT_YOURS", other.client, function, LISTING, buyer.idgrid)
        refuses(community, "ROLE_NOT_ALLOWED", other.client, function, LISTING)


@pytest.mark.row("E045")
def test_what_finds_no_match_stands_in_utility_rows_with_the_tariff() -> None:
    community = Community.found()
    seller, buyer = community.join(tokens=0), community.join(role="consumer", tokens=10**6)
    community.open(k="0")
    community.offer(seller, 10_000, 40_000)
    community.bid(buyer, 6000, 60_000)
    result = community.close_and_clear()
    assert matched(result) == {seller.idgrid: 6000, buyer.idgrid: 6000}
    assert result["utility"] == [
        {
            "party": "utility",
            "side": "offer",
            "energy_wh": 4000,
            "tariff": "feed_in",
            "tariff_utoken_per_kwh": FLOOR,
            "amount_utoken": 4 * FLOOR,
        }
    ]
    assert match_result(community)["utility"] == result["utility"]
    account = community.account(buyer)
    assert (account["locked_utoken"], account["free_utoken"]) == (240_000, 760_000)


def test_demand_without_a_seller_is_the_utilitys_at_the_retail_price() -> None:
    community = Community.found()
    buyer = community.join(role="consumer")
    community.open()
    community.bid(buyer, 1500, PRICE)
    [row] = community.close_and_clear()["utility"]
    assert (row["side"], row["tariff"], row["energy_wh"]) == ("bid", "retail", 1500)
    assert (row["tariff_utoken_per_kwh"], row["amount_utoken"]) == (CAP, CAP * 3 // 2)


def scarcity() -> tuple[Community, Household, Household, Household]:
    """A hospital and a rich neighbour want 4 kWh each; there are 5, at most 3 of them cheap."""
    community = Community.found()
    seller, rich = community.join(tokens=0), community.join(role="consumer")
    hospital = community.join(role="consumer", kind="non_residential")
    community.open(
        regulated_price_utoken_per_kwh=45_000, priority_consumers=[hospital.idgrid], k="1"
    )
    community.offer(seller, 5000, 40_000)
    community.bid(rich, 4000, 90_000)
    community.bid(hospital, 4000, 50_000)
    return community, seller, rich, hospital


@pytest.mark.row("E048")
def test_a_hospital_is_served_first_at_the_regulated_price() -> None:
    community, seller, rich, hospital = scarcity()
    result = community.close_and_clear()
    assert matched(result) == {seller.idgrid: 5000, rich.idgrid: 1000, hospital.idgrid: 4000}
    assert result["regulated"] == {
        "price_utoken_per_kwh": 45_000,
        "quantity_wh": 4000,
        "wanted_wh": 4000,
        "total_utoken": 180_000,
    }
    assert result["price_utoken_per_kwh"] == 90_000
    assert community.account(hospital)["locked_utoken"] == 180_000
    told = match_result(community)["trades"]
    assert [(t["buyer"], t["energy_wh"], t["price_utoken_per_kwh"]) for t in told] == [
        (hospital.idgrid, 4000, 45_000),
        (rich.idgrid, 1000, 90_000),
    ]
    community.deliver(
        {seller.idgrid: (0, 4500), rich.idgrid: (4000, 0), hospital.idgrid: (4000, 0)}
    )
    settled = community.settle()
    lines = {
        home: home_line(community, home) for home in (seller.idgrid, rich.idgrid, hospital.idgrid)
    }
    assert (lines[hospital.idgrid]["bought_wh"], lines[hospital.idgrid]["paid_utoken"]) == (
        4000,
        180_000,
    )
    assert (lines[rich.idgrid]["bought_wh"], lines[rich.idgrid]["paid_utoken"]) == (500, 45_000)
    assert lines[rich.idgrid]["bought_from_utility_wh"] == 3500
    assert (lines[seller.idgrid]["sold_wh"], lines[seller.idgrid]["received_utoken"]) == (
        4500,
        225_000,
    )
    assert (settled["settled_wh"], settled["total_utoken"]) == (4500, 225_000)
    audit = community.audit()
    assert (audit["difference_utoken"], audit["escrowed_utoken"]) == (0, 0)


def home_line(community: Community, idgrid: str) -> dict[str, Any]:
    line: dict[str, Any] = community.manager.evaluate("market:get_line", LISTING, idgrid)
    return line


def test_a_seller_above_the_regulated_price_is_not_made_to_sell_at_it() -> None:
    community = Community.found()
    seller, hospital = community.join(tokens=0), community.join(role="consumer")
    community.open(
        regulated_price_utoken_per_kwh=30_000, priority_consumers=[hospital.idgrid], k="1"
    )
    community.offer(seller, 1000, 40_000)
    community.bid(hospital, 1000, 50_000)
    result = community.close_and_clear()
    assert result["regulated"] is None
    assert (result["quantity_wh"], result["price_utoken_per_kwh"]) == (1000, 50_000)


@pytest.mark.row("E049")
def test_what_the_line_cannot_carry_is_curtailed_and_reported() -> None:
    community = Community.found()
    seller, buyer = community.join(tokens=0), community.join(role="consumer")
    late = community.join(role="consumer")
    community.open(line_limit_wh=7000)
    community.offer(seller, 10_000, 40_000)
    community.bid(buyer, 5000, 60_000)
    community.bid(late, 5000, PRICE)
    result = community.close_and_clear()
    assert (result["line_limit_wh"], result["quantity_wh"], result["curtailed_wh"]) == (
        7000,
        7000,
        3000,
    )
    assert matched(result) == {seller.idgrid: 7000, buyer.idgrid: 5000, late.idgrid: 2000}
    told = match_result(community)
    assert (told["curtailed_wh"], told["line_limit_wh"]) == (3000, 7000)
    assert {row["side"]: row["energy_wh"] for row in result["utility"]} == {
        "bid": 3000,
        "offer": 3000,
    }
    assert community.audit()["difference_utoken"] == 0


@pytest.mark.row("E047")
def test_a_buyer_that_prefers_a_source_is_paired_with_it_when_prices_tie() -> None:
    community = Community.found()
    roof, wind = community.join(tokens=0), community.join(tokens=0)
    anna, boris = community.join(role="consumer"), community.join(role="consumer")
    community.open()
    community.offer(roof, 5000, 40_000)
    community.offer(wind, 5000, 40_000)
    community.bid(boris, 2000, PRICE)
    anna.client.submit("market:place_bid", LISTING, 3000, PRICE, [wind.res_id])
    result = community.close_and_clear()
    assert matched(result) == {
        roof.idgrid: 2000,
        wind.idgrid: 3000,
        boris.idgrid: 2000,
        anna.idgrid: 3000,
    }
    pairs = {(t["buyer"], t["seller"]): t["energy_wh"] for t in match_result(community)["trades"]}
    assert pairs == {(anna.idgrid, wind.idgrid): 3000, (boris.idgrid, roof.idgrid): 2000}


def test_at_most_ten_producers_are_preferred() -> None:
    community = Community.found()
    anna = community.join(role="consumer")
    community.open()
    eleven = [f"pv-{number}" for number in range(11)]
    refuses(
        community,
        "INVALID_ARGUMENT",
        anna.client,
        "market:place_bid",
        LISTING,
        1000,
        PRICE,
        eleven,
    )


def test_a_listing_at_a_fixed_price() -> None:
    community = Community.found()
    seller, buyer = community.join(tokens=0), community.join(role="consumer")
    community.open(rule="fixed_price", fixed_price_utoken_per_kwh=50_000)
    community.offer(seller, 1000, 40_000)
    community.bid(buyer, 1000, 90_000)
    result = community.close_and_clear()
    assert (result["rule"], result["price_utoken_per_kwh"]) == ("fixed_price", 50_000)
    assert (result["other_rule"], result["other_rule_price_utoken_per_kwh"]) == (
        "crossing",
        90_000,
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"rule": "fixed_price"},
        {"fixed_price_utoken_per_kwh": 50_000},
        {"rule": "fixed_price", "fixed_price_utoken_per_kwh": CAP + 1},
        {"regulated_price_utoken_per_kwh": 50_000},
        {"priority_consumers": ["VAL-0001-X"]},
        {"regulated_price_utoken_per_kwh": 50_000, "priority_consumers": ["nobody"]},
        {"regulated_price_utoken_per_kwh": 50_000, "priority_consumers": "VAL-0001-X"},
        {"line_limit_wh": "7"},
    ],
)
def test_impossible_terms_of_an_auction_are_refused(parameters: dict[str, Any]) -> None:
    community = Community.found()
    chosen = {"floor_utoken_per_kwh": FLOOR, "cap_utoken_per_kwh": CAP} | parameters
    refuses(
        community,
        "INVALID_ARGUMENT",
        community.manager,
        "market:open_listing",
        "2026-01-15T12",
        chosen,
    )


def test_a_line_that_carries_nothing_is_refused() -> None:
    community = Community.found()
    chosen = {"floor_utoken_per_kwh": FLOOR, "cap_utoken_per_kwh": CAP, "line_limit_wh": 0}
    refuses(community, "NOT_POSITIVE", community.manager, "market:open_listing", LISTING, chosen)
