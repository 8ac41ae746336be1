"""Data access: granted per meter and grantee, asked for by every order, revoked, expired."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.energy.access.grants import granted, require_granted
from chaincode.energy.access.records import AccessGrants
from chaincode.energy.errors import Refused
from chaincode.energy.records import encode
from chaincode.shim import ContractError
from tests.unit.energy.community import (
    HASH,
    LISTING,
    Community,
    Household,
    hour_of,
    milliseconds,
    refuses,
)
from tests.unit.energy.oracle.panel import name_panel

PRICE = 54_000
NEXT_LISTING = "2026-01-15T12"


@pytest.fixture
def community() -> Community:
    """A prosumer with a grant and one that has only consented, in an open listing."""
    founded = Community.found()
    founded.join()
    founded.register().client.submit("membership:consent", HASH)
    founded.open()
    return founded


def orders(home: Household, listing: str = LISTING) -> list[tuple[str, ...]]:
    offer = ("market:place_offer", listing, home.res_id, "100", str(PRICE))
    return [offer, ("market:place_bid", listing, "100", str(PRICE))]


@pytest.mark.row("E009")
def test_a_grant_for_a_meter_is_announced_and_listed(community: Community) -> None:
    _, home = community.households
    home.client.submit("access:grant", "market", home.meter_id)
    event = community.ledger.events[-1]
    assert event.name == "AccessGranted"
    about = {"owner_idgrid": home.idgrid, "grantee": "market", "meter_id": home.meter_id}
    assert event.value == about | {"until_ms": 0}
    for reader in (home.client, community.dso):
        [listed] = reader.evaluate("access:list_grants", home.idgrid)
        granted_ms = milliseconds(community.ledger.now)
        assert listed["grantee"] == "market"
        assert listed["meters"] == {home.meter_id: {"granted_ms": granted_ms, "until_ms": 0}}
    with pytest.raises(ContractError, match="NOT_YOURS"):
        community.households[0].client.evaluate("access:list_grants", home.idgrid)


@pytest.mark.row("E010")
def test_no_order_without_the_grant_and_nothing_is_asked_of_an_oracle(
    community: Community,
) -> None:
    _, home = community.households
    name_panel(community)
    question = ("oracle:request", "smartmeter", home.meter_id)
    for order in orders(home):
        assert refuses(community, "NO_DATA_ACCESS", home.client, *order).status == 403
    refuses(community, "NO_DATA_ACCESS", community.scheduler, *question)
    assert community.ledger.keys("oraclerequest~") == []
    home.client.submit("access:grant", "market", home.meter_id)
    home.client.submit(*orders(home)[0])
    community.scheduler.submit(*question)
    assert len(community.ledger.keys("oraclerequest~")) == 1


@pytest.mark.row("E011")
def test_revoking_and_expiry_stop_new_orders_and_running_settlements_complete(
    community: Community,
) -> None:
    seller, buyer = community.households
    until_ms = milliseconds(hour_of(LISTING))
    buyer.client.submit("access:grant", "market", buyer.meter_id, until_ms)
    community.offer(seller, 1000, 40_000)
    community.bid(buyer, 1000, PRICE)
    seller.client.submit("access:revoke", "market", seller.meter_id)
    assert community.ledger.events[-1].name == "AccessRevoked"
    refuses(community, "NO_DATA_ACCESS", seller.client, *orders(seller)[0])
    community.close_and_clear()
    community.deliver({seller.idgrid: (0, 1000), buyer.idgrid: (1000, 0)})
    community.open(NEXT_LISTING, opens_at_ms=0)
    for home in (seller, buyer):
        for order in orders(home, NEXT_LISTING):
            refuses(community, "NO_DATA_ACCESS", home.client, *order)
    assert community.settle()["settled_wh"] == 1000
    assert community.account(seller)["sold_wh"] == 1000


@pytest.mark.row("E012")
def test_a_neighbour_sees_nothing_the_manager_totals_the_owner_everything(
    community: Community,
) -> None:
    home, neighbour = community.households
    third = community.join()
    community.deliver({home.idgrid: (300, 0), neighbour.idgrid: (20, 0), third.idgrid: (1, 5)})
    begin = milliseconds(hour_of(LISTING))
    end = begin + 3_600_000
    series = ("access:meter_series", home.meter_id, begin - 1, end)
    last = ("oracle:last_reading", home.meter_id)
    for reader in (neighbour.client, community.manager, community.dso):
        for question in (series, last):
            with pytest.raises(ContractError) as refusal:
                reader.evaluate(*question)
            assert (refusal.value.code, refusal.value.status) == ("NO_DATA_ACCESS", 403)
    totals = community.manager.evaluate("access:totals", begin, end)
    assert (totals["meters"], totals["imported_wh"], totals["exported_wh"]) == (3, 321, 5)
    with pytest.raises(ContractError, match="ROLE_NOT_ALLOWED"):
        neighbour.client.evaluate("access:totals", begin, end)
    own = home.client.evaluate(*series)
    assert [reading["import_wh"] for reading in own] == [0, 300]
    assert home.client.evaluate(*last)["import_wh"] == 300
    for grantee, reader in ((neighbour.idgrid, neighbour.client), ("dso", community.dso)):
        home.client.submit("access:grant", grantee, home.meter_id)
        assert reader.evaluate(*series) == own
        home.client.submit("access:revoke", grantee, home.meter_id)
        with pytest.raises(ContractError, match="NO_DATA_ACCESS"):
            reader.evaluate(*series)


def test_a_sum_over_too_few_meters_is_refused(community: Community) -> None:
    community.deliver({})
    begin = milliseconds(hour_of(LISTING))
    with pytest.raises(ContractError, match="TOO_FEW_METERS"):
        community.manager.evaluate("access:totals", begin, begin + 3_600_000)


def test_a_new_owner_does_not_see_the_time_before(community: Community) -> None:
    home, other = community.households
    community.deliver({home.idgrid: (300, 0)})
    community.ledger.advance(minutes=1)
    home.client.submit("devices:offer_transfer", home.meter_id, other.idgrid)
    other.client.submit("devices:accept_transfer", home.meter_id)
    whole = ("access:meter_series", home.meter_id, 0, milliseconds(community.ledger.now))
    assert other.client.evaluate(*whole) == []
    with pytest.raises(ContractError, match="NO_DATA_ACCESS"):
        home.client.evaluate(*whole)


def test_what_cannot_be_granted_or_revoked(community: Community) -> None:
    home, other = community.households
    now_ms = milliseconds(community.ledger.now)
    client = home.client
    for code, args in (
        ("NOT_YOURS", ("market", other.meter_id)),
        ("UNKNOWN_METER", ("market", "none")),
        ("INVALID_ARGUMENT", ("everybody", home.meter_id)),
        ("UNKNOWN_PARTICIPANT", ("VAL-0017-X", home.meter_id)),
        ("INVALID_ARGUMENT", ("market", home.meter_id, now_ms)),
        ("INVALID_ARGUMENT", ("market", home.meter_id, -1)),
    ):
        refuses(community, code, client, "access:grant", *args)
    refuses(community, "UNKNOWN_GRANT", client, "access:revoke", "dso", home.meter_id)
    refuses(community, "ROLE_NOT_ALLOWED", community.dso, "access:grant", "dso", home.meter_id)
    client.submit("access:revoke", "market", home.meter_id)
    assert community.ledger.state(f"access~{home.idgrid}~market") is None


def test_an_expired_grant_is_no_longer_listed(community: Community) -> None:
    home = community.households[0]
    soon_ms = milliseconds(community.ledger.now) + 60_000
    home.client.submit("access:grant", "auditor", home.meter_id, soon_ms)
    assert len(home.client.evaluate("access:list_grants", home.idgrid)) == 2
    community.ledger.advance(minutes=1)
    [left] = home.client.evaluate("access:list_grants", home.idgrid)
    assert left["grantee"] == "market"
    stored = json.loads(community.ledger.state(f"access~{home.idgrid}~auditor") or b"")
    assert stored["meters"]


@given(
    grants=st.dictionaries(st.sampled_from("abc"), st.integers(0, 20)),
    asked=st.lists(st.sampled_from("abc"), max_size=3),
    now_ms=st.integers(0, 20),
)
def test_granted_is_every_meter_asked_for_and_none_of_them_expired(
    grants: dict[str, int], asked: list[str], now_ms: int
) -> None:
    meters = {name: {"granted_ms": 0, "until_ms": until} for name, until in grants.items()}
    raw = encode(AccessGrants(owner_idgrid="o", grantee="g", meters=meters))
    expected = all(
        name in grants and (grants[name] == 0 or now_ms < grants[name]) for name in asked
    )
    assert granted(raw, asked, now_ms) is expected
    if expected:
        require_granted(raw, asked, now_ms)
    else:
        with pytest.raises(Refused, match="has not granted"):
            require_granted(raw, asked, now_ms)
    assert granted(b"", asked, now_ms) is not bool(asked)
