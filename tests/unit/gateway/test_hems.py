"""What a device last showed, over HTTP, for its owner and for a member's oracle."""

import asyncio

import pytest

from gateway.hems.batteries import Observation
from gateway.hems.metered_hour import metered_hour
from tests.unit.energy.community import Community, milliseconds
from tests.unit.energy.oracle.panel import with_battery
from tests.unit.gateway.hems import HOUR_MS, ORACLE_TOKEN, bearer, client_of, hems_of

QUARTER_MS = HOUR_MS // 4
MINUTE_MS = HOUR_MS // 60
BATTERY, METER = "battery-0", "meter-0"


def play(scene) -> None:
    """Run a scene with two households; the first has a battery."""
    community = Community.found(start="2026-01-15T10:00:00Z")
    with_battery(community, community.join())
    community.join()

    async def run() -> None:
        async with hems_of(community) as hems, client_of(hems) as client:
            await scene(hems, client)

    asyncio.run(run())


@pytest.mark.row("E063")
def test_a_battery_shows_the_energy_it_held_last():
    async def scene(hems, client) -> None:
        path, owner = f"/battery-soc/{BATTERY}", hems.community.households[0]
        now_ms = milliseconds(hems.community.ledger.now)
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers=bearer("guessed"))).status_code == 401
        known = bearer(ORACLE_TOKEN)
        for unknown in ("battery-9", "pv-0", METER):
            answer = await client.get(f"/battery-soc/{unknown}", headers=known)
            assert answer.status_code == 404
        assert (await client.get(path, headers=known)).status_code == 409, "not reported yet"
        hems.services.batteries.record(BATTERY, Observation(now_ms - 60_000, 6_250))
        hems.services.batteries.record(BATTERY, Observation(now_ms - 30_000, 6_001))
        for token in (ORACLE_TOKEN, owner.idgrid):
            answer = await client.get(path, headers=bearer(token))
            assert answer.json() == {
                "id": BATTERY,
                "value": 6.001,
                "unit": "kWh",
                "at_ms": now_ms - 30_000,
            }
        earlier = await client.get(f"{path}?at_ms={now_ms - 31_000}", headers=known)
        assert earlier.json()["value"] == 6.25

    play(scene)


@pytest.mark.row("E064")
def test_a_smart_meter_shows_the_last_hour_of_its_readings():
    async def scene(hems, client) -> None:
        path, owner = f"/smartmeter/{METER}", hems.community.households[0]
        end_ms = milliseconds(hems.community.ledger.now)
        known = bearer(ORACLE_TOKEN)
        assert (await client.get(path)).status_code == 401
        assert (await client.get("/smartmeter/meter-9", headers=known)).status_code == 404
        assert (await client.get(path, headers=known)).status_code == 409, "no readings yet"
        loads_wh = [900, 900, 210, 345, 0, 777]
        for number, load_wh in enumerate(loads_wh):
            at_ms = end_ms - (len(loads_wh) - 1 - number) * QUARTER_MS
            await hems.read(owner, at_ms, load_wh=load_wh)
        answer = (await client.get(path, headers=known)).json()
        assert answer["value"] == sum(loads_wh[-4:]) / 1000 == 1.332
        assert (answer["from_ms"], answer["to_ms"]) == (end_ms - HOUR_MS, end_ms)
        signed = hems.services.readings
        assert [r["signature"] for r in answer["readings"]] == [
            signed.until(METER, answer[name]).signature for name in ("from_ms", "to_ms")
        ]
        earlier = await client.get(f"{path}?at_ms={end_ms - QUARTER_MS}", headers=known)
        assert earlier.json()["value"] == sum(loads_wh[1:5]) / 1000

    play(scene)


def test_a_device_is_shown_to_its_owner_and_to_whom_it_lets_the_market_read():
    async def scene(hems, client) -> None:
        owner, neighbour = hems.community.households
        for path in (f"/battery-soc/{BATTERY}", f"/smartmeter/{METER}"):
            answer = await client.get(path, headers=bearer(neighbour.idgrid))
            assert answer.status_code == 403
        owner.client.submit("access:revoke", "market", METER)
        await hems.catch_up()
        for path in (f"/battery-soc/{BATTERY}", f"/smartmeter/{METER}"):
            answer = await client.get(path, headers=bearer(ORACLE_TOKEN))
            assert (answer.status_code, answer.json()["code"]) == (403, "NO_DATA_ACCESS")
            mine = await client.get(path, headers=bearer(owner.idgrid))
            assert mine.status_code == 409, "the owner may look; nothing is reported yet"

    play(scene)


def test_a_silent_meter_has_no_last_hour():
    async def scene(hems, client) -> None:
        owner = hems.community.households[0]
        end_ms = milliseconds(hems.community.ledger.now)
        await hems.read(owner, end_ms - 2 * HOUR_MS)
        path, known = f"/smartmeter/{METER}", bearer(ORACLE_TOKEN)
        assert (await client.get(path, headers=known)).status_code == 409
        await hems.read(owner, end_ms, load_wh=5)
        assert (await client.get(path, headers=known)).status_code == 409, (
            "no reading at the start"
        )

    play(scene)


def test_without_both_ends_there_is_no_hour() -> None:
    assert metered_hour(None, None, at_ms=HOUR_MS, hour_ms=HOUR_MS) is None


@pytest.mark.row("E064")
def test_a_meter_that_fell_silent_within_the_hour_has_no_hour():
    async def scene(hems, client) -> None:
        owner = hems.community.households[0]
        end_ms = milliseconds(hems.community.ledger.now)
        path, known = f"/smartmeter/{METER}", bearer(ORACLE_TOKEN)
        silent_ms = end_ms - HOUR_MS + 5 * MINUTE_MS
        for at_ms in (end_ms - HOUR_MS, silent_ms):
            await hems.read(owner, at_ms, load_wh=100)
        assert (await client.get(path, headers=known)).status_code == 409
        await hems.read(owner, end_ms - QUARTER_MS - 1, load_wh=100)
        assert (await client.get(path, headers=known)).status_code == 409, "older than a quarter"
        await hems.read(owner, end_ms - QUARTER_MS, load_wh=100)
        answer = await client.get(path, headers=known)
        assert (answer.status_code, answer.json()["value"]) == (200, 0.3)

    play(scene)


def test_an_older_observation_is_not_kept_and_old_ones_go(monkeypatch) -> None:
    monkeypatch.setattr("gateway.hems.batteries.OBSERVATIONS_KEPT_PER_BATTERY", 2)
    monkeypatch.setattr("gateway.hems.batteries.BATTERIES_MAX", 1)
    from gateway.hems.batteries import BatteryStore  # noqa: PLC0415 - after the patch

    store = BatteryStore()
    assert [store.record("b", Observation(at, at)) for at in (1, 2, 2, 3)] == [
        True,
        True,
        False,
        True,
    ]
    assert store.at("b", 1) is None
    assert store.at("b", 2) == Observation(2, 2)
    assert store.record("c", Observation(1, 1)) is False
