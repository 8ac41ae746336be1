"""Foreign devices through the real mosquitto into the API: as settings name them."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiomqtt
import httpx
import pytest

from chaincode.shim.testing import make_identity
from gateway.application import create_app
from gateway.database import Database
from gateway.hems.own_switching import NO_PLUG
from gateway.mqtt.collecting import start_collecting
from gateway.settings import (
    CommunitySettings,
    ForeignDevices,
    GatewaySettings,
    HemsSettings,
    IdentityFiles,
    LedgerSettings,
)
from tests.support.gateway_database import fresh_database
from tests.support.mosquitto import COMMUNITY, Mosquitto, mosquitto, needs_mosquitto
from tests.unit.energy.community import DSO, Community
from tests.unit.gateway.hems import HOUR_MS, Hems, bearer, hems_of

pytestmark = needs_mosquitto
SECONDS_MAX = 60
METER, NEIGHBOUR, PLUG = "meter-0", "meter-1", "plug-0"
FOREIGN = ForeignDevices(source={"p2p": METER, "p2p-2": NEIGHBOUR})
NO_FILE = Path("/nowhere")


def settings_for(broker: Mosquitto, foreign: ForeignDevices) -> GatewaySettings:
    return GatewaySettings(
        host="127.0.0.1",
        port=0,
        ledger=LedgerSettings("channel", "energy", NO_FILE, ()),
        identity=IdentityFiles("CoopMSP", NO_FILE, NO_FILE),
        community=CommunitySettings(COMMUNITY, "Test community", HOUR_MS, 0),
        mqtt=broker.settings("gateway"),
        links=(),
        database="",
        hems=HemsSettings(foreign=foreign),
    )


@asynccontextmanager
async def gateway_beside(
    broker: Mosquitto,
    foreign: ForeignDevices,
    *,
    device_id: str = METER,
    settings: GatewaySettings | None = None,
    database: Database | None = None,
    meanwhile: Callable[[Community], None] = lambda _: None,
):
    """The API of a community of two households, collecting from the broker what a device says.

    The first household has a plug as well.
    """
    community = Community.found()
    homes = [community.join(), community.join()]
    assert [home.meter_id for home in homes] == [METER, NEIGHBOUR]
    key = make_identity(DSO, PLUG, {}, "client").public_key.hex()
    community.dso.submit("devices:register", PLUG, "plug", homes[0].idgrid, key)
    community.dso.submit("registry:approve_meter", PLUG)
    meanwhile(community)
    settings = settings or settings_for(broker, foreign)
    async with (
        hems_of(community) as hems,
        broker.client(device_id) as device,
        collecting(hems, device, settings, database) as (api, services),
    ):
        yield api, device, homes, services


@asynccontextmanager
async def collecting(
    hems: Hems, device: aiomqtt.Client, settings: GatewaySettings, database: Database | None = None
):
    """The API of a gateway that listens to the broker by now, as this device hears."""
    await device.subscribe(f"rec/{COMMUNITY}/gateway/time", qos=1)
    started_ms, begun = hems.services.clock_ms(), time.monotonic()
    running = replace(
        hems.services,
        clock_ms=lambda: started_ms + int((time.monotonic() - begun) * 1_000),
    )
    services, tasks = await start_collecting(settings, running, database or fresh_database())
    transport = httpx.ASGITransport(create_app(services))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as api:
            async with asyncio.timeout(SECONDS_MAX):
                await anext(aiter(device.messages))  # it subscribes before it tells the time
            yield api, services
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def shown(
    api: httpx.AsyncClient, idgrid: str, field: str, wanted: int, *, device_id: str = METER
) -> None:
    """Return when the newest measurement of the household's device shows this value."""
    path = f"/v1/devices/{device_id}/measurements"
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            answer = await api.get(path, headers=bearer(idgrid))
            found = answer.raise_for_status().json()
            if found and found[-1][field] == wanted:
                return
            await asyncio.sleep(0.05)


@pytest.mark.row("E068")
def test_a_value_published_to_the_sources_topic_is_in_the_api(tmp_path):
    async def play(broker: Mosquitto) -> None:
        async with gateway_beside(broker, FOREIGN) as (api, device, (home, neighbour), _):
            await device.publish("p2p-2/voltage", b"99", qos=1)  # the neighbour's: not granted
            await device.publish("p2p/voltage", b"12.4", qos=1)
            await shown(api, home.idgrid, "u_mv", 12_400)
            await device.publish("p2p/potencia", b"10.54", qos=1)
            await shown(api, home.idgrid, "p_mw", 10_540)
            theirs = f"/v1/devices/{NEIGHBOUR}/measurements"
            answer = await api.get(theirs, headers=bearer(neighbour.idgrid))
            assert (answer.status_code, answer.json()) == (200, [])

    with mosquitto(tmp_path, (METER, NEIGHBOUR), foreign=FOREIGN) as broker:
        asyncio.run(play(broker))


async def switched(api: httpx.AsyncClient, idgrid: str, device_id: str, *, on: bool) -> str:
    """Issue a command; returns where it can be asked for."""
    path = f"/v1/devices/{device_id}/switch"
    answer = await api.post(path, json={"on": on}, headers=bearer(idgrid))
    command = answer.json()
    assert (answer.status_code, command["status"], command["is_on"]) == (202, "", on)
    assert command["expires_ms"] == command["issued_ms"] + 5_000
    return answer.headers["location"]


async def done(api: httpx.AsyncClient, idgrid: str, location: str) -> dict:
    """The command once it is answered."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            found = (await api.get(location, headers=bearer(idgrid))).raise_for_status().json()
            if found["status"]:
                return found
            await asyncio.sleep(0.05)


async def be_tasmota(plug, sent: list[bytes]) -> None:
    """As the plug's firmware: carry out, then say the state."""
    async for message in plug.messages:
        if str(message.topic) == "cmnd/kettle/POWER":
            sent.append(message.payload)
            await plug.publish("stat/kettle/POWER", message.payload, qos=1)


async def be_shelly(plug, sent: list[bytes]) -> None:
    async for message in plug.messages:
        if str(message.topic) == "shellyplug-1/command/switch:0":
            sent.append(message.payload)
            status = {"output": message.payload == b"on", "apower": 0, "aenergy": {"total": 1}}
            await plug.publish("shellyplug-1/status/switch:0", json.dumps(status), qos=1)


async def be_shelly_of_generation_1(plug, sent: list[bytes]) -> None:
    async for message in plug.messages:
        if str(message.topic) == "shellies/shelly1/relay/0/command":
            sent.append(message.payload)
            await plug.publish("shellies/shelly1/relay/0", message.payload, qos=1)


@pytest.mark.parametrize(
    ("foreign", "play_plug", "command", "payloads"),
    [
        (ForeignDevices(tasmota={"kettle": PLUG}), be_tasmota, "cmnd/kettle/POWER", "ON OFF ON"),
        (
            ForeignDevices(shelly={"shellyplug-1": PLUG}),
            be_shelly,
            "shellyplug-1/command/switch:0",
            "on off on",
        ),
        (
            ForeignDevices(shelly1={"shelly1": PLUG}),
            be_shelly_of_generation_1,
            "shellies/shelly1/relay/0/command",
            "on off on",
        ),
    ],
    ids=["tasmota", "shelly", "shelly of generation 1"],
)
def test_a_foreign_plug_is_switched_by_its_owner_through_the_api(
    tmp_path, foreign, play_plug, command, payloads
):
    async def play(broker: Mosquitto) -> None:
        beside = gateway_beside(broker, foreign, device_id=PLUG)
        async with beside as (api, device, (home, neighbour), _):
            sent: list[bytes] = []
            await device.subscribe(command, qos=1)
            plug = asyncio.create_task(play_plug(device, sent))
            for on in (True, False, True):
                found = await done(api, home.idgrid, await switched(api, home.idgrid, PLUG, on=on))
                assert (found["status"], found["is_on"]) == ("done", on)
            assert [text.decode() for text in sent] == payloads.split()
            path = f"/v1/devices/{PLUG}/switch"
            refused = await api.post(path, json={"on": False}, headers=bearer(neighbour.idgrid))
            assert refused.status_code == 403
            assert (await api.post(path, json={"on": False})).status_code == 401
            path = f"/v1/devices/{METER}/switch"
            no_plug = await api.post(path, json={"on": False}, headers=bearer(home.idgrid))
            assert (no_plug.status_code, no_plug.json()["detail"]) == (403, NO_PLUG)
            assert len(sent) == 3
            plug.cancel()

    with mosquitto(tmp_path, (METER, NEIGHBOUR, PLUG), foreign=foreign) as broker:
        asyncio.run(play(broker))


def test_switching_a_plug_to_what_it_is_is_done_though_it_reports_only_changes(tmp_path):
    """Generation 2 with its notifications alone, as it comes from the shop."""
    foreign = ForeignDevices(shelly={"shellyplug-1": PLUG})

    async def be_plug(plug, is_on: bool, sent: list[bytes]) -> None:
        async for message in plug.messages:
            if str(message.topic) != "shellyplug-1/command/switch:0":
                continue
            sent.append(message.payload)
            if is_on is not (message.payload == b"on"):
                is_on = message.payload == b"on"
                await notify(plug, is_on)

    async def notify(plug, is_on: bool) -> None:
        status = {"id": 0, "output": is_on, "apower": 8.5, "aenergy": {"total": 12.5}}
        frame = {"src": "shellyplug-1", "method": "NotifyStatus", "params": {"switch:0": status}}
        await plug.publish("shellyplug-1/events/rpc", json.dumps(frame), qos=1)

    async def play(broker: Mosquitto) -> None:
        async with gateway_beside(broker, foreign, device_id=PLUG) as (api, device, (home, _), _):
            sent: list[bytes] = []
            await device.subscribe("shellyplug-1/command/switch:0", qos=1)
            await notify(device, is_on=True)
            await shown(api, home.idgrid, "energy_wh", 12, device_id=PLUG)
            plug = asyncio.create_task(be_plug(device, True, sent))
            for on in (True, False, False):
                found = await done(api, home.idgrid, await switched(api, home.idgrid, PLUG, on=on))
                assert (found["status"], found["reason"], found["is_on"]) == ("done", "", on)
            assert set(sent) == {b"on", b"off"}
            plug.cancel()

    with mosquitto(tmp_path, (METER, NEIGHBOUR, PLUG), foreign=foreign) as broker:
        asyncio.run(play(broker))


async def be_node(node, sent: list[dict]) -> None:
    """As a node's firmware answers `switch` (tests/firmware has the firmware itself)."""
    async for message in node.messages:
        if str(message.topic) == f"rec/{COMMUNITY}/{PLUG}/cmd":
            command = json.loads(message.payload)
            sent.append(command)
            answer = {"v": 1, "d": PLUG, "id": command["id"], "status": "done"}
            answer |= {"t": command["t"], "on": command["on"]}
            await node.publish(f"rec/{COMMUNITY}/{PLUG}/ack", json.dumps(answer), qos=1)


@pytest.mark.row("E092")
def test_an_owner_switches_a_node_through_the_api_and_hears_that_it_is_done(tmp_path):
    async def play(broker: Mosquitto) -> None:
        nobody = ForeignDevices()
        beside = gateway_beside(broker, nobody, device_id=PLUG)
        async with beside as (api, node, (home, neighbour), _):
            sent: list[dict] = []
            await node.subscribe(f"rec/{COMMUNITY}/{PLUG}/cmd", qos=1)
            answering = asyncio.create_task(be_node(node, sent))
            for on in (True, False):
                where = await switched(api, home.idgrid, PLUG, on=on)
                found = await done(api, home.idgrid, where)
                assert (found["status"], found["command_id"]) == ("done", sent[-1]["id"])
                assert sent[-1]["expires"] == found["expires_ms"]
                theirs = await api.get(where, headers=bearer(neighbour.idgrid))
                assert theirs.status_code == 403
            assert [command["on"] for command in sent] == [1, 0]
            answering.cancel()

    with mosquitto(tmp_path, (METER, NEIGHBOUR, PLUG)) as broker:
        asyncio.run(play(broker))
