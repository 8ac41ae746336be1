"""Devices as tokens: owner and key on record, transfer by both sides, readings by the key only."""

import hashlib
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from chaincode.energy.registry.registration import SOURCE_TYPES
from tests.unit.energy.community import LISTING, Community, hour_of, milliseconds, refuses

NEXT_LISTING = "2026-01-15T12"


@pytest.fixture
def community() -> Community:
    """Three households; the first will give its meter to the third."""
    founded = Community.found()
    for _ in range(3):
        founded.join()
    return founded


@pytest.mark.row("E005")
def test_a_device_shows_owner_and_key_and_a_transfer_moves_the_right_to_grant(
    community: Community,
) -> None:
    home, _, other = community.households
    record = community.manager.evaluate("devices:get", home.meter_id)
    spki = load_pem_public_key(record["public_key_pem"].encode()).public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    assert record["owner_idgrid"] == home.idgrid
    assert record["key_fingerprint"] == hashlib.sha256(spki).hexdigest()

    community.ledger.at(hour_of(LISTING))
    forged = other.reading(milliseconds(hour_of(LISTING))) | {"meter_id": home.meter_id}
    refusal = refuses(
        community, "BAD_READING_SIGNATURE", community.oracle, "oracle:report_readings", [forged]
    )
    assert home.meter_id in str(refusal)

    home.client.submit("devices:offer_transfer", home.meter_id, other.idgrid)
    grant = ("access:grant", "market", home.meter_id)
    home.client.submit(*grant)
    taken = other.client.submit("devices:accept_transfer", home.meter_id)
    assert (taken["owner_idgrid"], taken["transfer_to"]) == (other.idgrid, "")
    assert community.ledger.events[-1].name == "DeviceTransferred"
    assert refuses(community, "NOT_YOURS", home.client, *grant).status == 403
    other.client.submit(*grant)


def test_nobody_is_given_a_device_against_its_will(community: Community) -> None:
    home, stranger, other = community.households
    accept = ("devices:accept_transfer", home.meter_id)
    refuses(community, "NOT_OFFERED", other.client, *accept)
    offer = ("devices:offer_transfer", home.meter_id, other.idgrid)
    refuses(community, "NOT_YOURS", other.client, *offer)
    home.client.submit(*offer)
    refuses(community, "NOT_OFFERED", stranger.client, *accept)
    before = community.manager.evaluate("registry:get_participant", other.idgrid)
    assert before["meter_ids"] == [other.meter_id]
    home.client.submit("devices:offer_transfer", home.meter_id, "")
    refuses(community, "NOT_OFFERED", other.client, *accept)
    for code, to in (("INVALID_ARGUMENT", home.idgrid), ("UNKNOWN_PARTICIPANT", "VAL-7777-X")):
        refuses(community, code, home.client, "devices:offer_transfer", home.meter_id, to)
    other.client.submit("membership:leave", other.idgrid)
    refuses(community, "EXITED", home.client, *offer)


def test_an_hour_settles_with_the_owner_of_the_meter_when_it_began(community: Community) -> None:
    home, buyer, other = community.households
    community.open()
    community.offer(home, 1000, 40_000)
    community.bid(buyer, 1000, 54_000)
    community.close_and_clear()
    start = hour_of(LISTING)
    community.report(start)
    community.ledger.at(start + timedelta(minutes=30))
    home.client.submit("devices:offer_transfer", home.meter_id, other.idgrid)
    other.client.submit("devices:accept_transfer", home.meter_id)
    community.dso.submit("registry:approve_meter", home.meter_id)
    home.export_wh += 1000
    buyer.import_wh += 1000
    community.report(start + timedelta(hours=1))
    assert community.settle()["settled_wh"] == 1000
    assert community.account(home)["sold_wh"] == 1000
    community.open(NEXT_LISTING, opens_at_ms=0)
    offer = ("market:place_offer", NEXT_LISTING, home.res_id, 100, 40_000)
    refuses(community, "METER_REQUIRED", home.client, *offer)
    bid = ("market:place_bid", NEXT_LISTING, 100, 54_000)
    refuses(community, "NO_DATA_ACCESS", other.client, *bid)


def test_a_meter_comes_back_and_both_periods_stay_on_record(community: Community) -> None:
    home, _, other = community.households
    for giver, taker in ((home, other), (other, home)):
        community.ledger.advance(minutes=1)
        giver.client.submit("devices:offer_transfer", home.meter_id, taker.idgrid)
        taker.client.submit("devices:accept_transfer", home.meter_id)
        record = community.manager.evaluate("registry:get_participant", taker.idgrid)
        assert home.meter_id not in record["meter_ids"]
        community.dso.submit("registry:approve_meter", home.meter_id)
        community.dso.submit("registry:approve_meter", home.meter_id)
    periods = [key for key in community.ledger.keys("connection~") if home.meter_id in key]
    assert len(periods) == 3
    record = community.manager.evaluate("registry:get_participant", home.idgrid)
    assert record["meter_ids"] == [home.meter_id]


def test_batteries_and_plugs_are_devices_but_no_connections(community: Community) -> None:
    home, _, other = community.households
    key = home.meter.public_key.hex()
    for kind in ("battery", "plug"):
        home.client.submit("devices:register", f"{kind}-1", kind, home.idgrid, key)
    assert community.manager.evaluate("devices:get", "battery-1")["kind"] == "battery"
    meters = community.manager.evaluate("registry:get_participant", home.idgrid)["meter_ids"]
    assert meters == [home.meter_id]
    kettle = ("devices:register", "x", "kettle", home.idgrid, key)
    refuses(community, "INVALID_ARGUMENT", home.client, *kettle)
    home.client.submit("devices:offer_transfer", "plug-1", other.idgrid)
    foreign = ("devices:accept_transfer", "plug-1", home.res_id)
    refuses(community, "NOT_YOURS", other.client, *foreign)
    assert other.client.submit("devices:accept_transfer", "plug-1", other.res_id)["res_id"]


def test_a_name_of_a_device_and_of_a_source_is_one_households(community: Community) -> None:
    """Else a source named after a neighbour's meter would be shown what that meter tells."""
    home, neighbour, _ = community.households
    key = home.meter.public_key.hex()
    source = (neighbour.meter_id, home.idgrid, "battery", 1000)
    device = (neighbour.res_id, "plug", home.idgrid, key)
    for caller in (home.client, community.manager):
        refuses(community, "NOT_YOURS", caller, "registry:register_res", *source)
        refuses(community, "NOT_YOURS", caller, "devices:register", *device)
    refuses(community, "NOT_YOURS", home.client, "registry:register_meter", *device[::2], key)
    home.client.submit("registry:register_res", home.meter_id, home.idgrid, "battery", 1000)
    home.client.submit("devices:register", home.res_id, "plug", home.idgrid, key)


def test_a_lost_key_is_replaced_by_the_grid_operator(community: Community) -> None:
    home, _, other = community.households
    replace_key = ("devices:replace_key", home.meter_id, other.meter.public_key.hex())
    refuses(community, "ROLE_NOT_ALLOWED", home.client, *replace_key)
    before = community.manager.evaluate("devices:get", home.meter_id)["key_fingerprint"]
    after = community.dso.submit(*replace_key)
    assert after["key_fingerprint"] != before
    start = hour_of(LISTING)
    community.ledger.at(start)
    old = home.reading(milliseconds(start))
    refuses(community, "BAD_READING_SIGNATURE", community.oracle, "oracle:report_readings", [old])
    home.meter = other.meter
    community.oracle.submit("oracle:report_readings", [home.reading(milliseconds(start))])


@pytest.mark.row("E137")
def test_every_kind_of_source_can_be_registered_and_its_tokens_say_it(
    community: Community,
) -> None:
    home = community.households[0]
    for source_type in ("solar", "wind", "hydro", "biomass", "ev", "battery"):
        assert source_type in SOURCE_TYPES
        name = f"src-{source_type}"
        register = ("registry:register_res", name, home.idgrid, source_type, 1000)
        assert home.client.submit(*register)["source_type"] == source_type
    refuses(
        community,
        "INVALID_ARGUMENT",
        home.client,
        "registry:register_res",
        "c",
        home.idgrid,
        "coal",
        1000,
    )
    plants = {kind: community.join(source_type=kind) for kind in ("wind", "hydro", "biomass")}
    buyer = community.join(role="consumer")
    community.open()
    for plant in plants.values():
        community.offer(plant, 1_000, 40_000)
    community.bid(buyer, 3_000, 54_000)
    community.close_and_clear()
    flows = {plant.idgrid: (0, 1_000) for plant in plants.values()}
    community.deliver(flows | {buyer.idgrid: (3_000, 0)})
    community.settle()
    community.scheduler.submit("origin:issue", LISTING, 0)
    for kind, plant in plants.items():
        token = community.manager.evaluate("origin:token", f"{LISTING}.{plant.idgrid}")
        assert (token["source_types"], token["minted_wh"]) == ([kind], 1_000)
