"""Meter readings: signed by the device, counted once, registers only grow."""

from datetime import timedelta
from typing import Any

import pytest

from chaincode.energy.oracle.readings import signed_message
from chaincode.energy.oracle.records import MeterReading
from chaincode.shim import ContractError
from tests.unit.energy.community import LISTING, Community, hour_of, milliseconds, refuses

START = milliseconds(hour_of(LISTING))
QUARTER_MS = 15 * 60_000
REPORT = "oracle:report_readings"


@pytest.fixture
def community() -> Community:
    """Two prosumers an hour after delivery."""
    founded = Community.found(start="2026-01-15T12:00:00Z")
    founded.join()
    founded.join()
    return founded


def test_the_signed_message_is_one_line_of_ascii() -> None:
    reading = MeterReading("meter-7", 12, 1_768_471_200_000, 500, 20, "measured", "")
    expected = b"gridledger-reading-1|meter-7|12|1768471200000|500|20|measured"
    assert signed_message(reading) == expected


def test_quarter_hour_readings_of_several_meters_in_one_report(community: Community) -> None:
    readings: list[dict[str, Any]] = []
    for quarter in range(4):
        for home in community.households:
            home.import_wh += 250
            readings.append(home.reading(START + quarter * QUARTER_MS))
    assert community.oracle.submit(REPORT, readings) == {"accepted": 8, "duplicates": 0}
    last = community.oracle.evaluate("oracle:last_reading", "meter-0")
    assert (last["seq"], last["import_wh"]) == (4, 1000)
    assert community.ledger.events[-1].name == "EnergyReceived"


def test_the_same_reading_twice_counts_once(community: Community) -> None:
    home = community.households[0]
    first, second = home.reading(START), home.reading(START + QUARTER_MS)
    community.oracle.submit(REPORT, [first, second])
    before = community.ledger.snapshot().state
    again = community.oracle.submit(REPORT, [first, second])
    assert again == {"accepted": 0, "duplicates": 2}
    assert community.ledger.snapshot().state == before
    third = home.reading(START + 2 * QUARTER_MS)
    twice = community.oracle.submit(REPORT, [third, third])
    assert twice == {"accepted": 1, "duplicates": 1}


def test_a_reading_signed_by_another_key_is_refused(community: Community) -> None:
    home, other = community.households
    home.meter = other.meter
    reading = home.reading(START)
    refusal = refuses(community, "BAD_READING_SIGNATURE", community.oracle, REPORT, [reading])
    assert home.meter_id in refusal.message
    record = community.dso.evaluate("registry:get_meter", home.meter_id)
    assert record["owner_idgrid"] == home.idgrid
    assert len(record["key_fingerprint"]) == 64


@pytest.mark.parametrize(
    "changes",
    [
        {"import_wh": 999},
        {"export_wh": 1},
        {"seq": 9},
        {"t_end_ms": START + 1},
        {"quality": "estimated"},
        {"meter_id": "meter-1"},
        {"signature": ""},
        {"signature": "%%%"},
        {"signature": "AAAA"},
    ],
)
def test_an_altered_reading_fails_its_signature(
    community: Community, changes: dict[str, Any]
) -> None:
    reading = community.households[0].reading(START) | changes
    refuses(community, "BAD_READING_SIGNATURE", community.oracle, REPORT, [reading])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"import_wh": 99}, "REGISTER_DECREASED"),
        ({"export_wh": 49}, "REGISTER_DECREASED"),
        ({"seq": 1}, "READING_OUT_OF_ORDER"),
        ({"t_end_ms": START}, "READING_OUT_OF_ORDER"),
        ({"t_end_ms": START - 1}, "READING_OUT_OF_ORDER"),
        ({"t_end_ms": START + 10**9}, "READING_IN_THE_FUTURE"),
    ],
)
def test_a_reading_must_fit_the_meters_history(
    community: Community, changes: dict[str, Any], code: str
) -> None:
    home = community.households[0]
    home.import_wh, home.export_wh = 100, 50
    community.oracle.submit(REPORT, [home.reading(START)])
    reading = home.reading(START + QUARTER_MS, **changes)
    refuses(community, code, community.oracle, REPORT, [reading])


def test_one_bad_reading_refuses_the_report_and_is_named(community: Community) -> None:
    home, other = community.households
    good, bad = home.reading(START), other.reading(START) | {"import_wh": 5}
    refusal = refuses(community, "BAD_READING_SIGNATURE", community.oracle, REPORT, [good, bad])
    assert "meter-1, seq 1" in refusal.message


@pytest.mark.parametrize(
    "readings",
    [
        [],
        [7],
        [{}],
        [{"meter_id": "meter-0"}],
        [{"meter_id": "a~b"}],
        [{"meter_id": 7}],
        ["x" * 10],
    ],
)
def test_malformed_reports_are_refused(community: Community, readings: list[Any]) -> None:
    refuses(community, "INVALID_ARGUMENT", community.oracle, REPORT, readings)


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": -1},
        {"import_wh": True},
        {"export_wh": "5"},
        {"quality": "guessed"},
        {"note": "x"},
        {"signature": "A" * 201},
        {"import_wh": 10**16},
    ],
)
def test_malformed_readings_are_refused(community: Community, changes: dict[str, Any]) -> None:
    reading = community.households[0].reading(START) | changes
    refuses(community, "INVALID_ARGUMENT", community.oracle, REPORT, [reading])


def test_only_the_oracle_reports_and_only_approved_meters_count(community: Community) -> None:
    home = community.households[0]
    reading = home.reading(START)
    for client in (home.client, community.manager, community.dso):
        refuses(community, "ROLE_NOT_ALLOWED", client, REPORT, [reading])
    community.dso.submit(
        "registry:register_meter", "m-new", home.idgrid, home.meter.public_key.hex()
    )
    home.meter_id = "m-new"
    refuses(community, "NOT_APPROVED", community.oracle, REPORT, [home.reading(START)])
    home.meter_id = "m-none"
    refuses(community, "UNKNOWN_METER", community.oracle, REPORT, [home.reading(START)])


def test_readings_shortly_before_the_boundary_are_used_within_the_tolerance() -> None:
    community = Community.found()
    seller, buyer = community.join(tokens=0), community.join()
    community.open(reading_tolerance_ms=60_000)
    community.offer(seller, 1000, 40_000)
    community.bid(buyer, 1000, 54_000)
    community.close_and_clear()
    start = hour_of(LISTING)
    community.report(start - timedelta(seconds=30))
    seller.export_wh = buyer.import_wh = 700
    community.report(start + timedelta(minutes=59))
    seller.export_wh = buyer.import_wh = 800
    community.ledger.at(start + timedelta(hours=1))
    with pytest.raises(ContractError, match="READINGS_MISSING"):
        community.settle()
    community.report(start + timedelta(minutes=59, seconds=1))
    community.ledger.at(start + timedelta(hours=1))
    assert community.settle()["settled_wh"] == 800


def test_two_meters_at_one_connection_are_added() -> None:
    community = Community.found()
    seller, buyer = community.join(tokens=0), community.join()
    second = community.join()
    community.dso.submit(
        "registry:register_meter", "m-2", seller.idgrid, second.meter.public_key.hex()
    )
    community.dso.submit("registry:approve_meter", "m-2")
    seller.client.submit("access:grant", "market", "m-2")
    second.meter_id = "m-2"
    community.open()
    community.offer(seller, 1000, 40_000)
    community.bid(buyer, 1000, 54_000)
    community.close_and_clear()
    start = hour_of(LISTING)
    community.report(start)
    seller.export_wh, second.export_wh, buyer.import_wh = 300, 400, 1000
    community.report(start + timedelta(hours=1))
    assert community.settle()["settled_wh"] == 700
