"""Readings as frozen vectors: what each tier signs, and what the contract takes of each."""

import json
from typing import Any

import pytest

from tests.unit.energy.community import Community, refuses
from tests.vectors import make_readings

VECTORS = json.loads(make_readings.PATH.read_text(encoding="utf-8"))
REPORT = "oracle:report_readings"
SIGNED = [entry for entry in VECTORS["readings"] if entry["tier"] == "B"]
ATTESTED = [entry for entry in VECTORS["readings"] if entry["tier"] == "A"]


@pytest.fixture
def community() -> Community:
    """A household with the meters of the vectors, of tiers A, B and C."""
    founded = Community.found(start="2026-02-01T00:00:00Z")
    home = founded.join()
    keys = VECTORS["keys"]
    register(founded, "meter-a", home.idgrid, keys["attestation"]["public_point"], "A")
    register(founded, "meter-b", home.idgrid, keys["B"]["public_point"], "B")
    return founded


def register(community: Community, meter_id: str, idgrid: str, point: str, tier: str) -> None:
    arguments = ("devices:register", meter_id, "meter", idgrid, point, "", tier)
    record = community.dso.submit(*arguments)
    assert record["tier"] == tier
    community.dso.submit("registry:approve_meter", meter_id)


def reported(entry: dict[str, Any], signature: str) -> dict[str, Any]:
    return entry["reading"] | {"signature": signature}


def test_the_vectors_are_what_their_maker_makes() -> None:
    assert make_readings.PATH.read_text(encoding="utf-8") == make_readings.content()


def test_readings_signed_by_the_meter_count(community: Community) -> None:
    readings = [reported(entry, entry["sig"]) for entry in SIGNED]
    answer = community.oracle.submit(REPORT, readings)
    assert answer == {"accepted": len(SIGNED), "duplicates": 0}


def test_a_gateway_attests_tier_a_and_only_tier_a(community: Community) -> None:
    readings = [reported(entry, entry["attested_sig"]) for entry in ATTESTED]
    assert community.oracle.submit(REPORT, readings)["accepted"] == len(ATTESTED)
    code = "BAD_READING_SIGNATURE"
    for entry in SIGNED:
        attested = make_readings.attested_message(
            make_readings.MeterReading(**entry["reading"], signature="")
        )
        forged = make_readings.signature(make_readings.GATEWAY_KEY, attested)
        refuses(community, code, community.oracle, REPORT, [reported(entry, forged)])


def test_a_secret_shared_with_the_gateway_is_no_signature_for_the_ledger(
    community: Community,
) -> None:
    for entry in ATTESTED:
        reading = reported(entry, entry["sig"])
        refuses(community, "BAD_READING_SIGNATURE", community.oracle, REPORT, [reading])


@pytest.mark.parametrize("forgery", VECTORS["forgeries"], ids=lambda entry: entry["name"])
def test_nobody_on_the_way_can_forge(community: Community, forgery: dict[str, str]) -> None:
    """Broker, gateway and oracle alike hand over what they want: the contract decides."""
    message = json.loads(forgery["message"])
    reading = {
        "meter_id": message["m"],
        "seq": message["seq"],
        "t_end_ms": message["t_end"],
        "import_wh": message["imp_wh"],
        "export_wh": message["exp_wh"],
        "quality": message["q"],
        "signature": message["sig"],
    }
    refuses(community, "BAD_READING_SIGNATURE", community.oracle, REPORT, [reading])


def test_a_meter_moves_to_another_tier_with_its_new_key(community: Community) -> None:
    point = VECTORS["keys"]["B"]["public_point"]
    renewed = community.dso.submit("devices:replace_key", "meter-b", point, "C")
    assert renewed["tier"] == "C"
    assert json.loads(community.ledger.events[-1].payload)["tier"] == "C"
    first = reported(SIGNED[0], SIGNED[0]["sig"])
    assert community.oracle.submit(REPORT, [first])["accepted"] == 1
    same = community.dso.submit("devices:replace_key", "meter-b", point)
    assert same["tier"] == "C"
    arguments = ("devices:replace_key", "meter-b", point, "D")
    refuses(community, "INVALID_ARGUMENT", community.dso, *arguments)
