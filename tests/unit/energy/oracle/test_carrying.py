"""What the ledger tells an oracle: which meters to carry, since when, and what it would refuse."""

from typing import Any

import pytest

from chaincode.energy.oracle import carrying
from tests.unit.energy.community import LISTING, Community, hour_of, milliseconds, refuses

START = milliseconds(hour_of(LISTING))
QUARTER_MS = 15 * 60_000
REPORT, CHECK, CARRIED = (
    "oracle:report_readings",
    "oracle:check_readings",
    "devices:carried_meters",
)


@pytest.fixture
def community() -> Community:
    """Three prosumers an hour after delivery."""
    founded = Community.found(start="2026-01-15T12:00:00Z")
    for _ in range(3):
        founded.join()
    return founded


def carried(community: Community) -> dict[str, int]:
    """Meter -> end of its last recorded reading, over all pages."""
    found: dict[str, int] = {}
    after = ""
    while True:
        page = community.oracle.evaluate(CARRIED, after)
        found |= {entry["meter"]["meter_id"]: entry["recorded_ms"] for entry in page["meters"]}
        after = page["following"]
        if not after:
            return found


def test_the_connections_meters_and_up_to_when_they_are_recorded(community: Community) -> None:
    home = community.households[1]
    community.oracle.submit(REPORT, [home.reading(START), home.reading(START + QUARTER_MS)])
    assert carried(community) == {"meter-0": 0, "meter-1": START + QUARTER_MS, "meter-2": 0}
    meter = community.oracle.evaluate(CARRIED)["meters"][1]["meter"]
    assert meter == community.dso.evaluate("devices:get", "meter-1")


def test_only_what_settles_is_carried(community: Community) -> None:
    home = community.households[0]
    key = home.meter.public_key.hex()
    pending = ("devices:register", "meter-new", "meter", home.idgrid, key)
    community.dso.submit(*pending)
    community.dso.submit("devices:register", "plug-1", "plug", home.idgrid, key)
    community.dso.submit("registry:approve_meter", "plug-1")
    assert set(carried(community)) == {"meter-0", "meter-1", "meter-2"}


def test_pages_of_them(community: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "CONNECTIONS_PER_PAGE", 2)
    first = community.oracle.evaluate(CARRIED)
    assert len(first["meters"]) == 2
    assert first["following"]
    assert set(carried(community)) == {"meter-0", "meter-1", "meter-2"}
    refuses(community, "INVALID_ARGUMENT", community.oracle, CARRIED, "meter~meter-0")


def test_each_bad_reading_is_named_with_its_code_and_the_others_are_not(
    community: Community,
) -> None:
    one, two, three = community.households
    one.import_wh = 100
    community.oracle.submit(REPORT, [one.reading(START)])
    forged = two.reading(START) | {"import_wh": 7}
    good = [three.reading(START), three.reading(START + QUARTER_MS)]
    unknown = three.reading(START) | {"meter_id": "meter-9"}
    given: list[dict[str, Any]] = [
        one.reading(START + QUARTER_MS, import_wh=99),
        forged,
        *good,
        one.reading(START + 10**9),
        unknown,
    ]
    before = community.ledger.snapshot()
    assert community.oracle.evaluate(CHECK, given) == [
        {"meter_id": "meter-0", "seq": 2, "code": "REGISTER_DECREASED"},
        {"meter_id": "meter-1", "seq": 1, "code": "BAD_READING_SIGNATURE"},
        {"meter_id": "meter-0", "seq": 3, "code": "READING_IN_THE_FUTURE"},
        {"meter_id": "meter-9", "seq": 3, "code": "UNKNOWN_METER"},
    ]
    assert community.ledger.snapshot().state == before.state
    assert community.oracle.submit(REPORT, good) == {"accepted": 2, "duplicates": 0}
    assert community.oracle.evaluate(CHECK, good) == [], "what is recorded so is no fault"


def test_both_are_the_oracles(community: Community) -> None:
    for caller in (community.manager, community.households[0].client):
        refuses(community, "ROLE_NOT_ALLOWED", caller, CARRIED)
        refuses(community, "ROLE_NOT_ALLOWED", caller, CHECK, [])
