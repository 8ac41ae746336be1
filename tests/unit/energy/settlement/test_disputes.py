"""Disputes: raised by a party in time, decided by named roles, shown as correction lines."""

from datetime import timedelta

import pytest

from tests.unit.energy.community import LISTING, hour_of, refuses
from tests.unit.energy.settlement.trades import (
    corrections,
    listing_state,
    settled_trade,
    substitute,
)

WINDOW_MS = 3_600_000
DECIDE = "settlement:decide_dispute"
RAISE = "settlement:dispute"


def test_an_upheld_dispute_ends_with_correction_lines() -> None:
    community, seller, buyer = settled_trade(8000, 8000)
    raised = seller.client.submit(RAISE, LISTING, "my meter was exchanged at 10:30")
    assert (raised["state"], raised["revision"]) == ("OPEN", 0)
    assert listing_state(community) == "DISPUTED"
    upheld = (LISTING, seller.idgrid, "UPHELD", "old meter read")
    refuses(community, "NOT_CORRECTED", community.dso, DECIDE, *upheld)
    substitute(community, seller, exported_wh=8500)
    substitute(community, buyer, imported_wh=8500)
    community.dso.submit("settlement:correct", LISTING)
    assert listing_state(community) == "DISPUTED"
    decided = community.dso.submit(DECIDE, *upheld)
    assert (decided["state"], decided["revision"]) == ("UPHELD", 1)
    assert decided["decided_by_mspid"] == "DsoMSP"
    assert listing_state(community) == "SETTLED"
    assert corrections(community, seller)[0]["received_utoken"] == 27_000
    assert community.account(seller)["free_utoken"] == 459_000


def test_a_rejected_dispute_changes_no_money() -> None:
    community, seller, buyer = settled_trade()
    before = [community.account(home) for home in (seller, buyer)]
    buyer.client.submit(RAISE, LISTING, "too much")
    community.manager.submit(DECIDE, LISTING, buyer.idgrid, "REJECTED", "meter was checked")
    assert listing_state(community) == "SETTLED"
    assert [community.account(home) for home in (seller, buyer)] == before
    assert community.ledger.events[-1].name == "DisputeDecided"


def test_the_listing_stays_disputed_until_the_last_decision() -> None:
    community, seller, buyer = settled_trade()
    for home in (seller, buyer):
        home.client.submit(RAISE, LISTING, "wrong")
    community.dso.submit(DECIDE, LISTING, seller.idgrid, "REJECTED", "")
    assert listing_state(community) == "DISPUTED"
    community.dso.submit(DECIDE, LISTING, buyer.idgrid, "REJECTED", "")
    assert listing_state(community) == "SETTLED"
    states = community.dso.evaluate("settlement:get_disputes", LISTING)
    assert [entry["state"] for entry in states] == ["REJECTED", "REJECTED"]


def test_only_a_party_disputes_once_and_in_time() -> None:
    community, seller, buyer = settled_trade(dispute_window_ms=WINDOW_MS)
    stranger = community.join()
    refuses(community, "NOT_A_PARTY", stranger.client, RAISE, LISTING, "me too")
    refuses(community, "ROLE_NOT_ALLOWED", community.dso, RAISE, LISTING, "we")
    community.open("2026-01-15T14")
    refuses(community, "NOT_SETTLED", seller.client, RAISE, "2026-01-15T14", "early")
    seller.client.submit(RAISE, LISTING, "wrong")
    refuses(community, "ALREADY_DISPUTED", seller.client, RAISE, LISTING, "wrong again")
    community.ledger.at(hour_of(LISTING) + timedelta(hours=2, seconds=1))
    refuses(community, "DISPUTE_TOO_LATE", buyer.client, RAISE, LISTING, "late")


def test_only_named_roles_decide() -> None:
    community, seller, _ = settled_trade()
    seller.client.submit(RAISE, LISTING, "wrong")
    decision = (LISTING, seller.idgrid, "REJECTED", "")
    for client in (seller.client, community.scheduler, community.oracle):
        refuses(community, "ROLE_NOT_ALLOWED", client, DECIDE, *decision)
    refuses(
        community, "INVALID_ARGUMENT", community.dso, DECIDE, LISTING, seller.idgrid, "MAYBE", ""
    )
    community.dso.submit(DECIDE, *decision)
    refuses(community, "UNKNOWN_DISPUTE", community.dso, DECIDE, *decision)


def test_a_dispute_nobody_decides_lapses_after_its_deadline() -> None:
    community, seller, _ = settled_trade(dispute_window_ms=WINDOW_MS)
    seller.client.submit(RAISE, LISTING, "wrong")
    lapse = ("settlement:lapse_disputes", LISTING)
    refuses(community, "DISPUTE_UNDECIDED", community.scheduler, *lapse)
    community.ledger.at(hour_of(LISTING) + timedelta(hours=2, seconds=1))
    (lapsed,) = community.scheduler.submit(*lapse)
    assert lapsed["state"] == "LAPSED"
    assert listing_state(community) == "SETTLED"


@pytest.mark.parametrize("note", ["x" * 129, "a\nb"])
def test_reasons_and_notes_are_short_printable_text(note: str) -> None:
    community, seller, _ = settled_trade()
    refuses(community, "INVALID_ARGUMENT", seller.client, RAISE, LISTING, note)
    seller.client.submit(RAISE, LISTING, "wrong")
    decision = (LISTING, seller.idgrid, "REJECTED", note)
    refuses(community, "INVALID_ARGUMENT", community.dso, DECIDE, *decision)
