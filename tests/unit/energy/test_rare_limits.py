"""Limits of what one transaction or one group may hold, made small enough to reach."""

from datetime import timedelta

import pytest

from chaincode.energy.groups import membership
from chaincode.energy.sharing import sharing
from tests.unit.energy.community import LISTING, Community, hour_of, milliseconds, refuses

VPP = "vpp:hill"


def test_a_full_group_takes_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "MEMBERS_MAX", 2)
    community = Community.found()
    homes = [community.join() for _ in range(3)]
    homes[0].client.submit("groups:found", VPP, "Hill street")
    for home in homes[:2]:
        home.client.submit("groups:join", VPP, 1)
    refuses(community, "GROUP_FULL", homes[2].client, "groups:join", VPP, 1)
    homes[0].client.submit("groups:join", VPP, 7)  # who is in it may change its share


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
    monkeypatch.setattr(sharing, "READINGS_OF_A_SHARING_MAX", 5)
    refuses(community, "TOO_MANY_READINGS", *share)
    monkeypatch.setattr(sharing, "READINGS_OF_A_SHARING_MAX", 6)
    community.scheduler.submit("sharing:share", LISTING)
