"""Limits of what one transaction or one group may hold, made small enough to reach."""

from datetime import timedelta

import pytest

from chaincode.energy.groups import membership
from chaincode.energy.oracle import reports
from chaincode.energy.sharing import sharing
from tests.unit.energy.community import LISTING, Community, hour_of, milliseconds, refuses

VPP = "vpp:hill"


def test_a_full_group_takes_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "MEMBERS_MAX", 2)
    community = Community.found()
    homes = [community.join() for _ in range(3)]
    homes[0].client.submit("groups:found", VPP, "Hill street")
    for home in homes[1:]:
        homes[0].client.submit("groups:invite", VPP, home.idgrid, 1)
    for home in homes[:2]:
        home.client.submit("groups:join", VPP, 1)
    refuses(community, "GROUP_FULL", homes[2].client, "groups:join", VPP, 1)
    homes[0].client.submit("groups:join", VPP, 7)  # who is in it may change its share
    homes[1].client.submit("groups:leave", VPP)
    homes[2].client.submit("groups:join", VPP, 1)


def test_more_meters_than_one_transaction_can_share_out(monkeypatch: pytest.MonkeyPatch) -> None:
    community = Community.found(start="2026-01-15T08:00:00Z")
    for _ in range(3):
        community.join()
    start_ms = milliseconds(hour_of(LISTING))
    key = {"kind": "dynamic", "effective_from_ms": start_ms}
    community.manager.submit("sharing:agree", key)
    community.ledger.at(hour_of(LISTING) - timedelta(minutes=12))
    community.open()
    community.close_and_clear()
    community.deliver({home.idgrid: (100, 0) for home in community.households})
    community.settle()
    share = (community.scheduler, "sharing:share", LISTING)
    monkeypatch.setattr(sharing, "KEYS_OF_A_SHARING_MAX", 8)
    refuses(community, "TOO_MANY_READINGS", *share)
    monkeypatch.setattr(sharing, "KEYS_OF_A_SHARING_MAX", 9)
    community.scheduler.submit("sharing:share", LISTING)


def test_many_meters_off_the_instant_are_silent_and_hold_nothing_up_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reports, "NEAR_SCANS_MAX", 1)
    community = Community.found()
    seller, buyer = community.join(tokens=0), community.join(role="consumer")
    community.open()
    community.offer(seller, 1000, 40_000)
    community.bid(buyer, 1000, 50_000)
    community.close_and_clear()
    for hours in (0, 1):
        community.report(hour_of(LISTING) + timedelta(hours=hours, seconds=-10))
        seller.export_wh, buyer.import_wh = 1000, 1000
    community.ledger.at(hour_of(LISTING) + timedelta(hours=1, seconds=1))
    settle = (community.scheduler, "market:settle", LISTING)
    refusal = refuses(community, "READINGS_MISSING", *settle)
    assert (seller.idgrid in refusal.message, buyer.idgrid in refusal.message) == (False, True)
    community.ledger.at(hour_of(LISTING) + timedelta(days=2))
    settled = community.settle()
    assert (settled["state"], settled["missing"]) == ("SETTLED", [buyer.idgrid])
    assert community.audit()["escrowed_utoken"] == 0
