"""Corrections after settlement: lines with the exact difference, money moved by them only."""

import random
from typing import Any

from tests.unit.energy.community import FLOOR, LISTING, Community, Household, refuses
from tests.unit.energy.settlement.trades import (
    corrections,
    line,
    listing_state,
    settled_trade,
    substitute,
)

AMOUNTS = (
    "sold_wh",
    "bought_wh",
    "received_utoken",
    "paid_utoken",
    "refunded_utoken",
    "network_charge_utoken",
    "pool_share_utoken",
    "owed_to_utility_utoken",
    "owed_by_utility_utoken",
    "imported_wh",
    "exported_wh",
)


def correct(community: Community) -> dict[str, Any]:
    corrected: dict[str, Any] = community.dso.submit("settlement:correct", LISTING)
    return corrected


def total(community: Community, home: Household, name: str) -> int:
    """A column of a household's line with all corrections."""
    return int(line(community, home)[name]) + sum(
        int(entry[name]) for entry in corrections(community, home)
    )


def test_more_energy_than_first_measured_is_paid_as_a_difference() -> None:
    community, seller, buyer = settled_trade(8000, 8000)
    substitute(community, seller, exported_wh=9000)
    substitute(community, buyer, imported_wh=9500)
    corrected = correct(community)
    assert (corrected["revision"], corrected["settled_wh"]) == (1, 9000)
    assert corrected["total_utoken"] == 486_000
    (of_seller,), (of_buyer,) = corrections(community, seller), corrections(community, buyer)
    assert (of_seller["sold_wh"], of_seller["received_utoken"]) == (1000, 54_000)
    assert (of_buyer["paid_utoken"], of_buyer["refunded_utoken"]) == (54_000, -54_000)
    assert line(community, seller)["sold_wh"] == 8000
    assert community.account(seller)["free_utoken"] == 486_000
    assert community.account(seller)["sold_wh"] == 9000
    assert community.account(buyer)["free_utoken"] == 10**6 - 486_000
    assert community.audit()["difference_utoken"] == 0
    assert community.ledger.events[-1].name == "SettlementCorrected"
    assert listing_state(community) == "SETTLED"


def test_less_energy_takes_the_money_back_even_below_zero() -> None:
    community, seller, buyer = settled_trade(8000, 8000)
    community.ledger.at("2026-01-15T11:50:00Z")
    community.open("2026-01-15T12")
    community.bid(seller, 4000, 100_000, "2026-01-15T12")
    substitute(community, seller, exported_wh=0)
    correct(community)
    assert community.account(seller)["free_utoken"] == 432_000 - 400_000 - 432_000
    assert community.account(seller)["sold_wh"] == 0
    assert community.account(buyer)["free_utoken"] == 10**6
    assert community.audit()["difference_utoken"] == 0
    again = ("2026-01-15T12", 1, FLOOR)
    refuses(community, "INSUFFICIENT_FUNDS", seller.client, "market:place_bid", *again)


def test_a_correction_without_a_difference_is_refused() -> None:
    community, seller, _ = settled_trade()
    refuses(community, "NOTHING_TO_CORRECT", community.dso, "settlement:correct", LISTING)
    substitute(community, seller, exported_wh=7000)
    correct(community)
    refuses(community, "NOTHING_TO_CORRECT", community.dso, "settlement:correct", LISTING)


def test_two_corrections_in_one_block_move_money_once() -> None:
    community, seller, _ = settled_trade()
    substitute(community, seller, exported_wh=7000)
    twice = [community.dso.simulate("settlement:correct", LISTING) for _ in range(2)]
    assert community.ledger.commit(twice) == ["VALID", "MVCC_READ_CONFLICT"]
    assert community.account(seller)["free_utoken"] == 7 * 54_000


def test_only_a_settled_listing_is_corrected_and_households_may_not() -> None:
    community, seller, _ = settled_trade()
    refuses(community, "ROLE_NOT_ALLOWED", seller.client, "settlement:correct", LISTING)
    community.open("2026-01-15T14")
    refuses(community, "NOT_SETTLED", community.dso, "settlement:correct", "2026-01-15T14")


def test_a_household_reads_its_own_corrections_only() -> None:
    community, seller, buyer = settled_trade()
    own = ("settlement:get_corrections", LISTING, seller.idgrid)
    assert seller.client.evaluate(*own) == []
    refuses(community, "NOT_YOURS", buyer.client, *own)


def test_lines_and_corrections_add_up_to_what_is_settled_over_random_histories() -> None:
    """40 histories of three corrections each: every column, every account, all money."""
    community, seller, buyer = settled_trade(network_charge_utoken_per_kwh=7_001)
    start = community.ledger.snapshot()
    for seed in range(40):
        community.ledger.restore(start)
        rng = random.Random(seed)
        settled: dict[str, Any] = {}
        for _ in range(3):
            substitute(community, seller, exported_wh=rng.randrange(1, 12_001))
            substitute(community, buyer, imported_wh=rng.randrange(1, 12_001))
            settled = correct(community)
        sums = {
            name: total(community, seller, name) + total(community, buyer, name)
            for name in AMOUNTS
        }
        assert sums["sold_wh"] == sums["bought_wh"] == settled["settled_wh"]
        assert sums["received_utoken"] == sums["paid_utoken"] == settled["total_utoken"]
        for name in ("refunded_utoken", "network_charge_utoken", "imported_wh", "exported_wh"):
            assert sums[name] == settled[name], name
        assert community.audit()["difference_utoken"] == 0
        assert community.account(seller)["free_utoken"] == settled["total_utoken"]
