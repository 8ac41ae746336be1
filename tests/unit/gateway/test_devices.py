"""Devices, alarms and transfers over HTTP: their owner's and the manager's, nobody else's."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from gateway.application import create_app
from gateway.hems.devices import LAST_SEEN_WRITTEN_MS
from gateway.hems.household_values import HouseholdValues
from gateway.identity.scopes import Scope
from gateway.identity.sessions import Viewer
from gateway.services import Services
from gateway.web.device_status import device_status
from tests.unit.energy.community import Community
from tests.unit.gateway.hems import bearer, hems_of
from tests.unit.gateway.metering.data_service import QUARTER_MS, SILENT_AFTER_MS, Keys, Scene
from tests.unit.gateway.metering.test_transfers import end, transfer

OWNER, STRANGER, MANAGER = "owner", "stranger", "manager"


class OwnKeys(Keys):
    """The keys of the meters of the community."""


async def ask(client: httpx.AsyncClient, path: str, who: str) -> tuple[int, Any]:
    answer = await client.get(path, headers=bearer(who))
    return answer.status_code, answer.json()


def devices_scene(play) -> None:
    async def run() -> None:
        community = Community.found()
        home, other = community.join(), community.join()
        async with hems_of(community) as hems:
            meter = hems.meters[home.meter_id]
            scene = Scene(
                Keys(meter, hems.meters[other.meter_id]),
                database=hems.services.readmodel.database,
            )
            services = replace(hems.services, hems=scene.service, clock_ms=lambda: scene.now_ms)
            services.sessions.admit(OWNER, Viewer(home.idgrid))
            services.sessions.admit(STRANGER, Viewer(other.idgrid))
            services.sessions.admit(MANAGER, Viewer("", is_manager=True))
            relay, read = frozenset({Scope.TRANSACTIONS_WRITE}), frozenset({Scope.OWN_READ})
            own, staff = Viewer(home.idgrid), Viewer("", is_manager=True)
            services.sessions.admit("own script", replace(own, token_scopes=relay))
            services.sessions.admit("staff script", replace(staff, token_scopes=relay))
            services.sessions.admit("reader", replace(own, token_scopes=read))
            transport = httpx.ASGITransport(app=create_app(services))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1"
            ) as client:
                await play(scene, client, home, meter)

    asyncio.run(run())


def test_the_owner_and_the_manager_see_online_and_last_seen():
    async def play(scene, client, home, meter) -> None:
        name = home.meter_id
        state = {"v": 1, "d": name, "state": "online", "fw": "1.2.0", "tier": "B", "outbox": 0}
        scene.hear((f"{name}/state", json.dumps(state).encode()))
        scene.hear_reading(meter)
        for who in (OWNER, MANAGER):
            (found,) = (await ask(client, "/v1/devices", who))[1]
            assert (found["device_id"], found["state"]) == (name, "online")
            assert (found["firmware"], found["last_seen_ms"]) == ("1.2.0", scene.now_ms)
        assert await ask(client, "/v1/devices", STRANGER) == (200, [])
        assert (await client.get("/v1/devices")).status_code == 401

    devices_scene(play)


def test_a_silent_device_is_an_alarm_once_and_cleared_on_return():
    async def play(scene, client, home, meter) -> None:
        scene.hear_reading(meter)
        assert await ask(client, "/v1/alarms", OWNER) == (200, [])
        scene.now_ms += SILENT_AFTER_MS + 1
        for _ in range(3):
            scene.service.watch(scene.now_ms)
        (alarm,) = (await ask(client, "/v1/alarms", OWNER))[1]
        assert (alarm["kind"], alarm["device_id"], alarm["cleared_ms"]) == (
            "silent",
            home.meter_id,
            None,
        )
        assert await ask(client, "/v1/alarms", STRANGER) == (200, [])
        scene.hear_reading(meter)
        (alarm,) = (await ask(client, "/v1/alarms", OWNER))[1]
        assert alarm["cleared_ms"] == scene.now_ms
        assert [told.cleared_ms is None for told in scene.alarms] == [True, False]

    devices_scene(play)


def test_a_token_sees_devices_by_its_scope():
    async def play(scene, client, home, meter) -> None:
        scene.hear_reading(meter)
        paths = [f"/v1/devices/{home.meter_id}/{what}" for what in ("measurements", "gaps")]
        for token, status in (("own script", 403), ("staff script", 403), ("reader", 200)):
            for path in ("/v1/devices", *paths):
                assert (await ask(client, path, token))[0] == status

    devices_scene(play)


def test_a_new_owner_sees_nothing_from_before() -> None:
    async def run() -> None:
        community = Community.found()
        home, other = community.join(), community.join()
        async with hems_of(community) as hems:
            scene = Scene(
                Keys(hems.meters[home.meter_id], hems.meters[other.meter_id]),
                database=hems.services.readmodel.database,
            )
            scene.hear_reading(hems.meters[home.meter_id])
            services = replace(hems.services, hems=scene.service, clock_ms=lambda: scene.now_ms)
            path = f"/v1/devices/{home.meter_id}/availability?days=1"
            transport = httpx.ASGITransport(app=create_app(services))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1"
            ) as client:
                assert (await ask(client, path, home.idgrid))[1][0]["received"] == 1
                assert (await ask(client, path, other.idgrid))[0] == 403
                scene.now_ms += QUARTER_MS
                community.ledger.at(datetime.fromtimestamp(scene.now_ms / 1000, UTC))
                home.client.submit("devices:offer_transfer", home.meter_id, other.idgrid)
                other.client.submit("devices:accept_transfer", home.meter_id)
                await hems.catch_up()
                assert (await ask(client, path, home.idgrid))[0] == 403
                since = (await ask(client, path, other.idgrid))[1]
                assert [day["received"] for day in since] in ([], [0])

    asyncio.run(run())


def test_a_page_counts_the_quarters_of_an_hour_that_a_meter_missed() -> None:
    """One reading an hour covers each hour, and is still a quarter of what was due."""

    async def run() -> None:
        community = Community.found()
        home = community.join()
        async with hems_of(community) as hems:
            meter, database = hems.meters[home.meter_id], hems.services.readmodel.database
            scene = Scene(Keys(meter), database=database)
            for number in range(9):
                message = scene.read(meter)
                if number % 4 == 0:
                    scene.hear((f"{home.meter_id}/reading", message))
                scene.now_ms += QUARTER_MS
            services = replace(
                hems.services,
                hems=scene.service,
                clock_ms=lambda: scene.now_ms - QUARTER_MS,
                energy_hour_ms=4 * QUARTER_MS,
            )
            (shown,) = device_status(services, hems.services.community.meters())
            (today,) = shown.health.days
            assert (today.received, today.expected) == (3, 9)

    asyncio.run(run())


def test_last_seen_is_the_newest_of_what_is_known_in_every_process() -> None:
    """The collector writes down at most once a minute that it heard a device."""

    async def run() -> None:
        community = Community.found()
        home = community.join()
        async with hems_of(community) as hems:
            meter, database = hems.meters[home.meter_id], hems.services.readmodel.database
            scene = Scene(Keys(meter), database=database)
            name, began_ms = home.meter_id, scene.now_ms
            state = {"v": 1, "d": name, "state": "online", "fw": "1.2.0", "tier": "B", "outbox": 0}
            scene.hear((f"{name}/state", json.dumps(state).encode()))
            values = {"v": 1, "d": name, "u_mv": 229_800, "i_ma": 3_100, "p_mw": 712_000}
            meters = hems.services.community.meters()

            def seen_ms(services: Services) -> int:
                services = replace(services, clock_ms=lambda: scene.now_ms)
                return device_status(services, meters)[0].last_seen_ms

            collector = replace(hems.services, hems=scene.service)
            measured = HouseholdValues(scene.stores.measurements, hems.services.community)
            other = replace(hems.services, hems=None, measurements=measured)
            assert seen_ms(other) == began_ms
            scene.now_ms = began_ms + LAST_SEEN_WRITTEN_MS // 2
            told_ms = scene.now_ms - 1_000
            scene.hear((f"{name}/measure", json.dumps(values | {"t": told_ms}).encode()))
            assert (seen_ms(collector), seen_ms(other)) == (scene.now_ms, told_ms)
            scene.now_ms = told_ms - 1
            assert seen_ms(other) == began_ms, "of the future there is no sight"

    asyncio.run(run())


def test_percent_of_readings_per_day_and_gaps():
    async def play(scene, client, home, meter) -> None:
        for number in range(8):
            scene.now_ms += QUARTER_MS
            message = scene.read(meter)
            if number not in {2, 3}:
                scene.hear((f"{home.meter_id}/reading", message))
        path = f"/v1/devices/{home.meter_id}/availability?days=1"
        status, (today,) = await ask(client, path, OWNER)
        assert (status, today["expected"], today["received"]) == (200, 8, 6)
        assert today["permille"] == 750
        (gap,) = (await ask(client, f"/v1/devices/{home.meter_id}/gaps", MANAGER))[1]
        assert (gap["first_seq"], gap["last_seq"]) == (3, 4)
        assert (await ask(client, path, STRANGER))[0] == 403
        assert (await ask(client, "/v1/devices/none/gaps", OWNER))[0] == 403

    devices_scene(play)


@pytest.mark.row("E069")
def test_a_measurement_has_voltage_current_power_charge_and_time_or_is_refused():
    async def play(scene, client, home, meter) -> None:
        name = home.meter_id
        content = {
            "v": 1,
            "d": name,
            "t": scene.now_ms,
            "u_mv": 12_400,
            "i_ma": 850,
            "p_mw": 10_540,
            "soc_permille": 640,
            "flags": [],
        }
        without_time = {key: value for key, value in content.items() if key != "t"}
        for wrong in (
            without_time,
            content | {"t": "now"},
            content | {"u_mv": 12.4},
            content | {"soc_permille": 1_001},
            content | {"extra": 1},
            content | {"d": "another"},
            {"v": 1, "d": name, "t": 1},
        ):
            scene.hear((f"{name}/measure", json.dumps(wrong).encode()))
        assert scene.stores.devices.get(name).refused == 7
        assert (await ask(client, f"/v1/devices/{name}/measurements", OWNER))[1] == []
        scene.hear((f"{name}/measure", json.dumps(content).encode()))
        (found,) = (await ask(client, f"/v1/devices/{name}/measurements", OWNER))[1]
        assert (found["u_mv"], found["i_ma"], found["p_mw"]) == (12_400, 850, 10_540)
        assert (found["soc_permille"], found["t_ms"]) == (640, scene.now_ms)
        assert (await ask(client, f"/v1/devices/{name}/measurements", STRANGER))[0] == 403

    devices_scene(play)


def test_parties_see_a_transfer_and_its_events():
    async def play(scene, client, home, meter) -> None:
        own = replace(end(1), idgrid=home.idgrid)
        scene.stores.transfers.plan(transfer(seller=own))
        event = {"name": "Payable Energy", "event": "stop", "time": 224, "energy": 0.0125}
        told = json.dumps(event | {"id": "t-1", "d": "node-1"}).encode()
        scene.hear(("node-1/event", told), ("node-1/event", told))
        (found,) = (await ask(client, "/v1/transfers", OWNER))[1]
        assert (found["transfer_id"], found["seller"]["idgrid"]) == ("t-1", home.idgrid)
        expected = event | {"device_id": "node-1"}
        assert await ask(client, "/v1/transfers/t-1/events", OWNER) == (200, [expected])
        assert (await ask(client, "/v1/transfers/t-1/events", STRANGER))[0] == 403
        assert (await ask(client, "/v1/transfers/t-9/events", OWNER))[0] == 404
        assert await ask(client, "/v1/transfers", STRANGER) == (200, [])

    devices_scene(play)
