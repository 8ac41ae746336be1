"""A silent meter delays a settlement, then disputes it, and never locks money for ever."""

from datetime import timedelta

from tests.unit.energy.community import LISTING, Community, Household, hour_of, refuses
from tests.unit.energy.settlement.trades import (
    line,
    listing_state,
    one_trade,
    operator,
    substitute,
)

END = hour_of(LISTING) + timedelta(hours=1)
SETTLEMENT_ENDS = END + timedelta(minutes=3)
READINGS_DUE = SETTLEMENT_ENDS + timedelta(days=1)


def report_only(community: Community, home: Household, *, export_wh: int, import_wh: int) -> None:
    """This meter reports both ends of delivery, the others say nothing."""
    everybody = community.households
    community.households = [home]
    community.deliver({home.idgrid: (import_wh, export_wh)})
    community.households = everybody


def with_a_silent_seller() -> tuple[Community, Household, Household]:
    community, seller, buyer = one_trade()
    report_only(community, buyer, export_wh=0, import_wh=10_000)
    return community, seller, buyer


def test_waits_for_readings_during_the_settlement_phase() -> None:
    community, seller, _ = with_a_silent_seller()
    refused = refuses(community, "READINGS_MISSING", community.scheduler, "market:settle", LISTING)
    assert seller.idgrid in str(refused)
    assert listing_state(community) == "CLEARED"


def test_disputes_the_listing_when_readings_stay_away_and_says_so_once() -> None:
    community, seller, buyer = with_a_silent_seller()
    community.ledger.at(SETTLEMENT_ENDS)
    answer = community.settle()
    assert (answer["state"], answer["missing"]) == ("DISPUTED", [seller.idgrid])
    assert listing_state(community) == "DISPUTED"
    event = community.ledger.events[-1]
    assert (event.name, event.value["missing"]) == ("ReadingsMissing", [seller.idgrid])
    assert community.account(buyer)["locked_utoken"] == 540_000
    refuses(community, "READINGS_MISSING", community.scheduler, "market:settle", LISTING)


def test_late_readings_settle_a_disputed_listing() -> None:
    community, seller, buyer = with_a_silent_seller()
    community.ledger.at(SETTLEMENT_ENDS)
    community.settle()
    report_only(community, seller, export_wh=8000, import_wh=0)
    community.ledger.at(SETTLEMENT_ENDS + timedelta(hours=5))
    assert community.settle()["state"] == "SETTLED"
    assert listing_state(community) == "SETTLED"
    assert community.account(seller)["free_utoken"] == 432_000
    assert community.account(buyer)["locked_utoken"] == 0


def test_the_grid_operator_may_state_what_a_silent_meter_measured() -> None:
    community, seller, buyer = with_a_silent_seller()
    early = (LISTING, seller.idgrid, 0, 5000, "read on site")
    refuses(community, "NOT_SETTLED", community.dso, "settlement:substitute", *early)
    community.ledger.at(SETTLEMENT_ENDS)
    community.settle()
    refuses(community, "ROLE_NOT_ALLOWED", community.manager, "settlement:substitute", *early)
    substitute(community, seller, exported_wh=5000)
    substitute(community, buyer, imported_wh=1)
    community.settle()
    assert (line(community, seller)["sold_wh"], line(community, buyer)["bought_wh"]) == (5000,) * 2
    assert line(community, seller)["metering"] == "substituted"
    assert line(community, buyer)["metering"] == "measured"


def test_after_the_deadline_a_silent_seller_counts_as_zero_and_escrows_are_freed() -> None:
    community, seller, buyer = with_a_silent_seller()
    community.ledger.at(READINGS_DUE - timedelta(milliseconds=1))
    assert community.settle()["state"] == "DISPUTED"
    community.ledger.at(READINGS_DUE)
    settled = operator(community).submit("market:settle", LISTING)
    assert (settled["state"], settled["settled_wh"]) == ("SETTLED", 0)
    assert settled["missing"] == [seller.idgrid]
    assert settled["refunded_utoken"] == 540_000
    assert line(community, seller)["metering"] == "missing"
    assert community.account(buyer)["free_utoken"] == 10**6
    assert community.account(buyer)["locked_utoken"] == 0
    assert community.audit()["difference_utoken"] == community.audit()["escrowed_utoken"] == 0


def test_all_meters_silent_still_ends() -> None:
    community, _, buyer = one_trade()
    community.ledger.at(READINGS_DUE)
    assert len(community.settle()["missing"]) == 2
    assert community.account(buyer)["locked_utoken"] == 0


def test_the_deadline_is_a_term_of_the_listing() -> None:
    community, _, buyer = one_trade(readings_due_ms=1_768_478_400_000 + 10**6)
    community.ledger.at(hour_of(LISTING) + timedelta(hours=2, seconds=1000))
    assert community.settle()["state"] == "SETTLED"
    assert community.account(buyer)["free_utoken"] == 10**6


def test_the_timetable_goes_on_in_a_disputed_listing_and_stops_when_it_is_settled() -> None:
    community, _, buyer = with_a_silent_seller()
    advance = ("listings:advance", LISTING)
    community.ledger.at(SETTLEMENT_ENDS)
    assert community.scheduler.submit(*advance)["step"] == "deliver"
    assert community.scheduler.submit(*advance)["step"] == "settle"
    assert listing_state(community) == "DISPUTED"
    community.ledger.at(READINGS_DUE)
    assert community.scheduler.submit(*advance)["step"] == "settle"
    assert listing_state(community) == "SETTLED"
    buyer.client.submit("settlement:dispute", LISTING, "my meter did report")
    assert community.scheduler.submit(*advance)["step"] == "nothing"
