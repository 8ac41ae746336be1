"""The market from opening to settlement on the test ledger: the shipped contracts, exact sums."""

import random
from itertools import pairwise
from typing import Any

import pytest

from chaincode.shim import ContractError
from chaincode.shim.testing import MVCC_READ_CONFLICT, VALID
from tests.unit.energy.community import CAP, FLOOR, LISTING, Community, Household

PRICE = 54_000
GWEI = 10**9


def one_trade(*, scale: int = 1) -> tuple[Community, Household, Household]:
    """10 kWh matched at 54,000 per kWh: seller asks 40,000, buyer bids 54,000, k = 1."""
    community = Community.found()
    seller = community.join(tokens=0)
    buyer = community.join(role="consumer", tokens=600_000 * scale)
    community.open(floor_utoken_per_kwh=FLOOR * scale, cap_utoken_per_kwh=CAP * scale)
    community.offer(seller, 10_000, 40_000 * scale)
    community.bid(buyer, 10_000, PRICE * scale)
    return community, seller, buyer


@pytest.mark.row("E051")
@pytest.mark.row("E052")
@pytest.mark.parametrize(
    ("delivered_wh", "paid"),
    [(0, 0), (3000, 162_000), (8000, 432_000), (10_000, 540_000), (12_000, 540_000)],
)
@pytest.mark.parametrize("scale", [1, GWEI])
def test_pays_what_was_delivered_and_refunds_the_rest(
    delivered_wh: int, paid: int, scale: int
) -> None:
    community, seller, buyer = one_trade(scale=scale)
    assert community.account(buyer)["locked_utoken"] == 540_000 * scale
    result = community.close_and_clear()
    assert (result["price_utoken_per_kwh"], result["quantity_wh"]) == (PRICE * scale, 10_000)
    community.deliver({seller.idgrid: (0, delivered_wh), buyer.idgrid: (delivered_wh, 0)})
    settled = community.settle()
    assert settled["total_utoken"] == paid * scale
    assert settled["refunded_utoken"] == (540_000 - paid) * scale
    event = community.ledger.events[-1]
    assert event.name == "SettlementState"
    assert event.value["total_utoken"] == paid * scale
    after = community.account(buyer)
    assert after["free_utoken"] == (600_000 - paid) * scale
    assert after["locked_utoken"] == 0
    assert community.account(seller)["free_utoken"] == paid * scale
    assert community.audit()["difference_utoken"] == 0


def test_the_documented_case_in_wei_to_the_last_digit() -> None:
    community, seller, buyer = one_trade(scale=GWEI)
    community.close_and_clear()
    community.deliver({seller.idgrid: (0, 8000), buyer.idgrid: (8000, 0)})
    settled = community.settle()
    assert settled["total_utoken"] == 432_000_000_000_000
    assert settled["refunded_utoken"] == 108_000_000_000_000


@pytest.mark.row("E053")
def test_settles_exactly_once() -> None:
    community, seller, buyer = one_trade()
    community.close_and_clear()
    community.deliver({seller.idgrid: (0, 8000), buyer.idgrid: (8000, 0)})
    community.settle()
    before = community.ledger.snapshot().state
    with pytest.raises(ContractError, match="ALREADY_SETTLED"):
        community.settle()
    assert community.ledger.snapshot().state == before


def test_two_settlements_in_one_block_pay_once() -> None:
    community, seller, buyer = one_trade()
    community.close_and_clear()
    community.deliver({seller.idgrid: (0, 8000), buyer.idgrid: (8000, 0)})
    twice = [community.scheduler.simulate("market:settle", LISTING) for _ in range(2)]
    assert community.ledger.commit(twice) == [VALID, "MVCC_READ_CONFLICT"]
    assert community.account(seller)["free_utoken"] == 432_000


def test_accounts_show_the_energy_traded_as_the_sum_of_their_lines() -> None:
    community, seller, buyer = one_trade()
    community.close_and_clear()
    community.deliver({seller.idgrid: (0, 8000), buyer.idgrid: (9000, 0)})
    community.settle()
    sold = seller.client.evaluate("market:get_line", LISTING, seller.idgrid)
    bought = buyer.client.evaluate("market:get_line", LISTING, buyer.idgrid)
    assert community.account(seller)["sold_wh"] == sold["sold_wh"] == 8000
    assert community.account(buyer)["bought_wh"] == bought["bought_wh"] == 8000
    assert community.account(seller)["free_utoken"] == sold["received_utoken"] == 432_000
    assert bought["paid_utoken"] == 432_000
    assert (bought["bought_from_utility_wh"], bought["owed_to_utility_utoken"]) == (1000, CAP)
    folded = buyer.client.submit("tokens:fold")
    assert (folded["bought_wh"], folded["balance_utoken"]) == (8000, 168_000)
    assert community.account(buyer)["bought_wh"] == 8000


@pytest.mark.row("E038")
def test_every_matched_order_has_the_one_price_of_the_listing() -> None:
    community = Community.found()
    sellers = [community.join(tokens=0) for _ in range(2)]
    buyers = [community.join(role="consumer", tokens=10**6) for _ in range(2)]
    community.open()
    for seller, ask in zip(sellers, (30_000, 40_000), strict=True):
        community.offer(seller, 3000, ask)
    for buyer, bid in zip(buyers, (90_000, PRICE), strict=True):
        community.bid(buyer, 3000, bid)
    result = community.close_and_clear()
    price = result["price_utoken_per_kwh"]
    assert 40_000 <= price <= PRICE
    matched = {match["idgrid"]: match["matched_wh"] for match in result["matches"]}
    assert matched == {home.idgrid: 3000 for home in (*sellers, *buyers)}
    rows = result["matches"]
    assert {row["amount_utoken"] * 1000 // row["matched_wh"] for row in rows} == {price}
    assert [row["amount_utoken"] for row in rows] == [3 * price] * 4

    community.deliver(
        {home.idgrid: (0, 3000) for home in sellers} | {b.idgrid: (3000, 0) for b in buyers}
    )
    community.settle()
    assert [community.account(seller)["free_utoken"] for seller in sellers] == [3 * price] * 2
    assert [10**6 - community.account(b)["free_utoken"] for b in buyers] == [3 * price] * 2


def test_the_result_stores_totals_curves_price_and_tells_the_parties() -> None:
    community, seller, buyer = one_trade()
    other = community.join()
    community.bid(other, 2000, 30_000)
    result = community.close_and_clear()
    assert (result["available_wh"], result["wanted_wh"]) == (10_000, 12_000)
    assert result["demand_curve"] == [[PRICE, 10_000], [30_000, 12_000]]
    assert result["supply_curve"] == [[40_000, 10_000]]
    assert result["price_interval"] == [40_000, PRICE]
    assert (result["other_rule"], result["other_rule_price_utoken_per_kwh"]) == (
        "average_bid",
        42_000,
    )
    assert result == community.manager.evaluate("market:get_result", LISTING)
    event = community.ledger.events[-1]
    assert event.name == "MatchResult"
    assert event.value["price_utoken_per_kwh"] == PRICE
    told = {(match["idgrid"], match["matched_wh"]) for match in event.value["matches"]}
    assert told == {(seller.idgrid, 10_000), (buyer.idgrid, 10_000)}
    amounts = [match["amount_utoken"] for match in result["matches"]]
    assert amounts == [540_000, 540_000]


@pytest.mark.row("E045")
def test_partial_fill_releases_the_unused_escrow_and_the_rest_goes_to_the_utility() -> None:
    community = Community.found()
    seller, buyer = community.join(tokens=0), community.join(role="consumer", tokens=10**6)
    late = community.join(role="consumer", tokens=10**6)
    community.open(k="0")
    community.offer(seller, 10_000, 40_000)
    community.bid(buyer, 6000, 60_000)
    community.bid(late, 100, 30_000)
    assert community.account(buyer)["locked_utoken"] == 360_000
    result = community.close_and_clear()
    assert (result["quantity_wh"], result["price_utoken_per_kwh"]) == (6000, 40_000)
    assert community.account(buyer)["locked_utoken"] == 240_000
    assert community.account(late) | {"pending_payouts": 0} == {
        "idgrid": late.idgrid,
        "free_utoken": 10**6,
        "locked_utoken": 0,
        "pending_payouts": 0,
        "sold_wh": 0,
        "bought_wh": 0,
    }
    community.deliver({seller.idgrid: (0, 10_000), buyer.idgrid: (6000, 0)})
    settled = community.settle()
    line = seller.client.evaluate("market:get_line", LISTING, seller.idgrid)
    assert (line["sold_wh"], line["sold_to_utility_wh"]) == (6000, 4000)
    assert line["owed_by_utility_utoken"] == 4 * FLOOR
    assert settled["sold_to_utility_wh"] == 4000
    assert settled["exported_wh"] == settled["settled_wh"] + settled["sold_to_utility_wh"]


@pytest.mark.row("E041")
def test_equal_bids_are_served_in_ledger_order_even_within_one_block() -> None:
    community = Community.found()
    seller = community.join(tokens=0)
    buyers = [community.join(role="consumer") for _ in range(3)]
    community.open()
    community.offer(seller, 6000, 40_000)
    orders = [b.client.simulate("market:place_bid", LISTING, 5000, PRICE) for b in buyers]
    # The block's order decides, not the order in which the bids were made or their ids.
    assert community.ledger.commit([orders[2], orders[0], orders[1]]) == [VALID] * 3
    result = community.close_and_clear()
    filled = {m["idgrid"]: m["matched_wh"] for m in result["matches"] if m["side"] == "bid"}
    assert filled == {buyers[2].idgrid: 5000, buyers[0].idgrid: 1000}
    positions = [match["position"] for match in result["matches"]]
    assert positions == sorted(positions)


def test_500_households_ordering_in_one_block_do_not_conflict() -> None:
    community = Community.found()
    homes = [community.join() for _ in range(500)]
    community.open()
    orders = [
        home.client.simulate("market:place_offer", LISTING, home.res_id, 1000, 40_000)
        if number % 2
        else home.client.simulate("market:place_bid", LISTING, 900, PRICE)
        for number, home in enumerate(homes)
    ]
    assert community.ledger.commit(orders) == [VALID] * 500
    blind = {f"arrivals~{LISTING}"}
    written = [set(order.writes) - blind for order in orders]
    assert sum(map(len, written)) == len(set().union(*written))
    for number, order in enumerate(orders):
        others = set().union(*written[:number], *written[number + 1 :]) | blind
        assert not others & set(order.reads)
        for start, end, _ in order.ranges:
            assert not any(start <= key < end for key in others)
    result = community.close_and_clear()
    assert (result["offer_count"], result["bid_count"]) == (250, 250)
    assert result["quantity_wh"] == 225_000


def test_two_orders_of_one_household_in_one_block_cannot_exceed_the_cap() -> None:
    community = Community.found()
    home = community.join()
    community.open()
    orders = [
        home.client.simulate("market:place_offer", LISTING, home.res_id, 6000, 40_000)
        for _ in range(2)
    ]
    assert community.ledger.commit(orders) == [VALID, MVCC_READ_CONFLICT]


def test_an_order_behind_the_closing_in_the_same_block_is_invalid() -> None:
    community = Community.found()
    home = community.join()
    community.open()
    order = home.client.simulate("market:place_offer", LISTING, home.res_id, 1000, 40_000)
    community.ledger.at("2026-01-15T09:58:00Z")
    closing = community.scheduler.simulate("market:close_bidding", LISTING)
    assert community.ledger.commit([closing, order]) == [VALID, "MVCC_READ_CONFLICT"]


@pytest.mark.row("E054")
@pytest.mark.slow
def test_money_is_conserved_in_1000_random_windows() -> None:
    community = Community.found()
    homes = [community.join(tokens=10**7) for _ in range(4)]
    community.open()
    opened = community.ledger.snapshot()
    supply = community.audit()["deposited_utoken"]
    settled_wh = 0
    for seed in range(1000):
        community.ledger.restore(opened)
        for home in homes:
            home.seq = home.import_wh = home.export_wh = 0
        settled_wh += random_window(community, homes, random.Random(seed))
        audit = community.audit()
        assert audit["difference_utoken"] == 0, seed
        assert audit["escrowed_utoken"] == 0, seed
        assert audit["free_utoken"] + audit["payouts_utoken"] == supply, seed
    assert settled_wh > 1_000_000


def random_window(community: Community, homes: list[Household], rng: random.Random) -> int:
    for home in homes:
        place = community.offer if rng.random() < 0.5 else community.bid
        for _ in range(rng.randrange(1, 4)):
            place(home, rng.randrange(1, 3334), rng.randrange(FLOOR, CAP + 1))
    community.close_and_clear()
    community.deliver(
        {home.idgrid: (rng.randrange(12_000), rng.randrange(12_000)) for home in homes}
    )
    settled: int = community.settle()["settled_wh"]
    return settled


def test_two_ledgers_with_the_same_history_hold_the_same_bytes() -> None:
    def replay() -> Any:
        community, _, _ = one_trade()
        community.close_and_clear()
        return community.ledger.snapshot().state.values

    assert replay() == replay()


def test_payouts_are_folded_in_when_a_bid_needs_them() -> None:
    community = Community.found()
    seller, buyer = community.join(tokens=1000), community.join(tokens=10**6)
    community.open()
    community.offer(seller, 5000, 40_000)
    community.bid(buyer, 5000, PRICE)
    community.close_and_clear()
    community.deliver({seller.idgrid: (0, 5000), buyer.idgrid: (5000, 0)})
    community.settle()
    assert community.account(seller)["pending_payouts"] == 2
    community.ledger.at("2026-01-15T11:50:00Z")
    community.open("2026-01-15T12")
    community.bid(seller, 5000, PRICE, "2026-01-15T12")
    view = community.account(seller)
    assert (view["pending_payouts"], view["free_utoken"]) == (0, 1000)
    assert view["locked_utoken"] == 270_000
    assert community.audit()["difference_utoken"] == 0


@pytest.mark.row("E022")
def test_neighbouring_listings_live_side_by_side() -> None:
    community = Community.found()
    seller, buyer = community.join(), community.join()
    hours = ["2026-01-15T10", "2026-01-15T11", "2026-01-15T12"]
    community.open(hours[0])
    community.offer(seller, 1000, 40_000, hours[0])
    community.bid(buyer, 1000, PRICE, hours[0])
    community.close_and_clear(hours[0])
    community.deliver({seller.idgrid: (0, 1000), buyer.idgrid: (1000, 0)}, hours[0])
    for before, hour in pairwise(hours):
        community.ledger.at(f"{before}:50:00Z")
        community.open(hour)
        listed = community.manager.evaluate("market:list_listings", before, "2026-01-15T13")
        assert [entry["state"] for entry in listed] == ["CLEARED", "AUTHORIZE_OFFERS"]
        community.offer(seller, 1000, 40_000, hour)
        community.bid(buyer, 1000, PRICE, hour)
        with pytest.raises(ContractError, match="BIDS_CLOSED"):
            community.bid(buyer, 1000, PRICE, before)
        community.close_and_clear(hour)
        if hour != hours[-1]:
            seller.export_wh += 1000
            buyer.import_wh += 1000
        community.ledger.at(f"{hour}:00:00Z")
        community.settle(before)
        community.ledger.advance(hours=1)
        community.report(community.ledger.now)
    result = community.manager.evaluate("market:get_result", hours[1])
    assert result["offer_count"] == result["bid_count"] == 1
    assert community.settle(hours[2])["settled_wh"] == 0
    assert community.account(buyer)["bought_wh"] == 2000
