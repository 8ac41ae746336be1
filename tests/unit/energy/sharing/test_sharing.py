"""Sharing keys on the ledger: versions with dates; a settled hour beside its auction."""

from datetime import timedelta

import pytest

from tests.unit.energy.community import LISTING, Community, hour_of, milliseconds, refuses

START = milliseconds(hour_of(LISTING))
HOUR_MS = 3_600_000


@pytest.fixture
def community() -> Community:
    found = Community.found(start="2026-01-15T08:00:00Z")
    for role in ("generator", "consumer", "consumer"):
        found.join(role=role)
    return found


def dynamic(**changes):
    return {"kind": "dynamic", "effective_from_ms": START} | changes


def traded(community: Community, quarters: list[list[tuple[int, int]]]) -> None:
    """The first sells 3,000 Wh to the second; meters report (import, export) every quarter."""
    seller, buyer, _ = community.households
    community.ledger.at(hour_of(LISTING) - timedelta(minutes=12))
    community.open()
    community.offer(seller, 3_000, 50_000)
    community.bid(buyer, 3_000, 60_000)
    community.close_and_clear()
    community.report(hour_of(LISTING))
    for at, flows in enumerate(quarters, start=1):
        for home, (imported_wh, exported_wh) in zip(community.households, flows, strict=True):
            home.import_wh += imported_wh
            home.export_wh += exported_wh
        community.report(hour_of(LISTING) + at * timedelta(minutes=60 // len(quarters)))
    community.settle()


def test_the_ledger_holds_auction_result_metered_shares_and_their_difference(community):
    seller, buyer, neighbour = (home.idgrid for home in community.households)
    community.manager.submit("sharing:agree", dynamic())
    traded(community, [[(0, 4_000), (3_000, 0), (1_000, 0)]])
    result = community.scheduler.submit("sharing:share", LISTING)
    assert (result["shared_wh"], result["auction_wh"]) == (4_000, 3_000)
    assert result["shares"] == [
        [seller, 0, 4_000, 0, 4_000, 0, 3_000],
        [buyer, 3_000, 0, 3_000, 0, 3_000, 0],
        [neighbour, 1_000, 0, 1_000, 0, 0, 0],
    ]
    own = community.households[2].client.evaluate("sharing:of_member", LISTING, neighbour)
    assert own["difference_wh"] == 1_000
    assert community.manager.evaluate("sharing:result", LISTING) == result
    assert community.ledger.events[-1].name == "EnergyShared"


def test_quarter_hours_share_only_what_is_there_at_the_time(community):
    """All is produced in the first half, all but 1,000 Wh used in the second."""
    community.manager.submit("sharing:agree", dynamic(slot_minutes=15))
    early = [(0, 1_500), (250, 0), (250, 0)]
    late = [(0, 0), (1_250, 0), (0, 0)]
    traded(community, [early, early, late, late])
    result = community.scheduler.submit("sharing:share", LISTING)
    assert (result["slot_minutes"], result["shared_wh"]) == (15, 1_000)
    assert (result["consumed_wh"], result["produced_wh"]) == (3_500, 3_000)


def test_the_key_in_force_when_delivery_began_counts(community):
    _, buyer, neighbour = (home.idgrid for home in community.households)
    community.manager.submit("sharing:agree", dynamic(effective_from_ms=START - HOUR_MS))
    ranks = {"kind": "priority", "ranks": {neighbour: 0, buyer: 1}}
    community.manager.submit("sharing:agree", ranks | {"effective_from_ms": START})
    community.manager.submit("sharing:agree", dynamic(effective_from_ms=START + HOUR_MS))
    traded(community, [[(0, 2_500), (3_000, 0), (2_000, 0)]])
    result = community.scheduler.submit("sharing:share", LISTING)
    assert result["key_version"] == 2
    assert [row[3] for row in result["shares"]] == [0, 500, 2_000]
    assert community.manager.evaluate("sharing:key_at", START + HOUR_MS)["version"] == 3
    assert [key["kind"] for key in community.dso.evaluate("sharing:keys")] == [
        "dynamic",
        "priority",
        "dynamic",
    ]


def test_a_static_key_leaves_what_its_owner_does_not_use(community):
    _, buyer, neighbour = (home.idgrid for home in community.households)
    parts = {buyer: 500_000, neighbour: 500_000}
    key = {"kind": "static", "parts": parts, "effective_from_ms": START}
    community.manager.submit("sharing:agree", key)
    traded(community, [[(0, 4_000), (3_000, 0), (500, 0)]])
    result = community.scheduler.submit("sharing:share", LISTING)
    assert [row[3] for row in result["shares"]] == [0, 2_000, 500]
    assert [row[4] for row in result["shares"]] == [2_500, 0, 0]


def test_sharing_again_changes_nothing_until_the_settlement_is_corrected(community):
    buyer = community.households[1]
    community.manager.submit("sharing:agree", dynamic())
    traded(community, [[(0, 4_000), (3_000, 0), (1_000, 0)]])
    first = community.scheduler.submit("sharing:share", LISTING)
    assert community.scheduler.submit("sharing:share", LISTING) == first
    statement = ("settlement:substitute", LISTING, buyer.idgrid, 2_000, 0, "a swapped phase")
    community.dso.submit(*statement)
    community.scheduler.submit("settlement:correct", LISTING)
    again = community.scheduler.submit("sharing:share", LISTING)
    assert (again["settlement_revision"], again["auction_wh"]) == (1, 2_000)


def test_a_member_without_all_readings_is_left_out_and_named(community):
    seller, buyer, neighbour = community.households
    community.manager.submit("sharing:agree", dynamic(slot_minutes=15))
    traded(community, [[(0, 4_000), (3_000, 0), (1_000, 0)]])
    result = community.scheduler.submit("sharing:share", LISTING)
    assert result["missing"] == sorted(home.idgrid for home in community.households)
    assert (result["shared_wh"], result["auction_wh"]) == (0, 3_000)
    assert [row[0] for row in result["shares"]] == [seller.idgrid, buyer.idgrid]
    refuses(
        community, "NOT_SHARED", neighbour.client, "sharing:of_member", LISTING, neighbour.idgrid
    )


def test_what_a_listing_needs_to_be_shared(community):
    share = community.scheduler, "sharing:share", LISTING
    refuses(community, "UNKNOWN_LISTING", *share)
    community.open()
    refuses(community, "NOT_SETTLED", *share)
    traded_in = Community.found(start="2026-01-15T08:00:00Z")
    for role in ("generator", "consumer", "consumer"):
        traded_in.join(role=role)
    traded(traded_in, [[(0, 1_000), (1_000, 0), (0, 0)]])
    refuses(traded_in, "NO_SHARING_KEY", traded_in.scheduler, "sharing:share", LISTING)
    home = traded_in.households[0]
    refuses(traded_in, "ROLE_NOT_ALLOWED", home.client, "sharing:share", LISTING)
    refuses(traded_in, "ROLE_NOT_ALLOWED", home.client, "sharing:result", LISTING)
    refuses(traded_in, "NOT_SHARED", traded_in.manager, "sharing:result", LISTING)


def test_slots_fit_the_delivery_period(community):
    community.manager.submit("sharing:agree", dynamic())
    community.ledger.at(hour_of(LISTING) - timedelta(minutes=12))
    community.open(delivery_end_ms=START + HOUR_MS // 2)
    community.close_and_clear()
    community.ledger.at(hour_of(LISTING) + timedelta(minutes=60))
    community.settle()
    refuses(community, "NOT_IN_SLOTS", community.scheduler, "sharing:share", LISTING)


def test_keys_that_cannot_be(community):
    idgrid = community.households[0].idgrid
    static = {"kind": "static", "effective_from_ms": START}
    priority = {"kind": "priority", "effective_from_ms": START}
    for code, parameters in (
        ("INVALID_ARGUMENT", {"kind": "fair", "effective_from_ms": START}),
        ("INVALID_ARGUMENT", dynamic(slot_minutes=30)),
        ("INVALID_ARGUMENT", dynamic(effective_from_ms=START + 1)),
        ("INVALID_ARGUMENT", dynamic(parts={idgrid: 1_000_000})),
        ("INVALID_ARGUMENT", dynamic(hour=1)),
        ("INVALID_ARGUMENT", static),
        ("INVALID_ARGUMENT", static | {"parts": {idgrid: 999_999}}),
        ("INVALID_ARGUMENT", static | {"parts": {idgrid: -1}}),
        ("INVALID_ARGUMENT", static | {"parts": {"VAL-0000-0": 1_000_000}}),
        ("UNKNOWN_PARTICIPANT", priority | {"ranks": {"VAL-0017-X": 1}}),
        ("INVALID_ARGUMENT", priority | {"ranks": {idgrid: 1_001}}),
        ("KEY_IN_THE_PAST", dynamic(effective_from_ms=START - 3 * HOUR_MS)),
    ):
        refuses(community, code, community.manager, "sharing:agree", parameters)
    refuses(community, "ROLE_NOT_ALLOWED", community.dso, "sharing:agree", dynamic())
    community.manager.submit("sharing:agree", dynamic())
    refuses(community, "KEY_IN_THE_PAST", community.manager, "sharing:agree", dynamic())
    refuses(community, "NO_SHARING_KEY", community.manager, "sharing:key_at", START - 1)
