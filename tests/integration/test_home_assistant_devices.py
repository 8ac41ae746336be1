"""A household's meters, battery and plug in its Home Assistant, over the real mosquitto.

As in `test_home_assistant` what Home Assistant does with MQTT is done by hand.
"""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiomqtt
import pytest
from jinja2 import Template

from chaincode.shim.testing import make_identity
from gateway.mqtt import home_assistants, switch_wishes
from gateway.settings import ForeignDevices, GatewaySettings
from tests.integration.test_foreign_devices import METER, NEIGHBOUR, collecting, settings_for
from tests.integration.test_home_assistant import BUYER, SELLER, HomeAssistant, problems_of
from tests.support.mosquitto import COMMUNITY, Mosquitto, mosquitto, needs_mosquitto
from tests.unit.energy.community import DSO, Community
from tests.unit.gateway.hems import Hems, hems_of

pytestmark = needs_mosquitto
SECONDS_MAX = 60
PV_METER, BATTERY, PLUG = "pv-meter-0", "battery-0", "kettle-0"
DEVICES = (METER, NEIGHBOUR, PV_METER, BATTERY)
FOREIGN = ForeignDevices(tasmota={"kettle": PLUG})
MINUTES_15_MS = 900_000


@pytest.fixture(autouse=True)
def looks_often(monkeypatch):
    """The gateway looks every 10 s whether something changed; here at every turn.

    Nor does a plug that is switched to and fro wait here.
    """
    monkeypatch.setattr(home_assistants, "EVERY_MS", 0)
    monkeypatch.setattr(switch_wishes, "SWITCH_SPACING_MS", 0)


def key_of(name: str) -> str:
    return make_identity(DSO, name, {}, "client").public_key.hex()


def street() -> Community:
    """The seller has a meter at its panels, a battery and a plug; the buyer only its meter."""
    community = Community.found()
    seller, buyer = community.join(), community.join()
    assert (seller.idgrid, buyer.idgrid) == (SELLER, BUYER)
    community.dso.submit(
        "devices:register", PV_METER, "meter", SELLER, key_of(PV_METER), seller.res_id
    )
    community.dso.submit("devices:register", BATTERY, "battery", SELLER, key_of(BATTERY))
    community.dso.submit("devices:register", PLUG, "plug", SELLER, key_of(PLUG))
    community.dso.submit("registry:approve_meter", PLUG)
    return community


def discovery(device_id: str, idgrid: str = SELLER) -> str:
    return f"homeassistant/device/{COMMUNITY}-{idgrid}/{device_id}/config"


def values(device_id: str, idgrid: str = SELLER) -> str:
    return f"rec/{COMMUNITY}/people/{idgrid}/devices/{device_id}"


def with_homes(broker: Mosquitto, *homes: str) -> GatewaySettings:
    settings = settings_for(broker, FOREIGN)
    return replace(settings, hems=replace(settings.hems, home_assistant=homes))


@dataclass
class Scene:
    """The seller's Home Assistant beside a running gateway, and the devices' connections."""

    home: HomeAssistant
    neighbour: HomeAssistant
    meter: aiomqtt.Client
    plug: aiomqtt.Client
    hems: Hems
    broker: Mosquitto
    now_ms: int

    async def publish(self, name: str, leaf: str, content: dict[str, Any]) -> None:
        topic, payload = f"rec/{COMMUNITY}/{name}/{leaf}", json.dumps({"v": 1} | content)
        if name == METER:
            await self.meter.publish(topic, payload, qos=1)
            return
        async with self.broker.client(name) as device:
            await device.publish(topic, payload, qos=1)

    async def read(self, *, load_wh: int) -> None:
        """The meter's next reading, a quarter of an hour after the one before."""
        virtual = self.hems.meters[METER]
        virtual.run_hour(load_wh=load_wh, pv_wh=0)
        self.now_ms += MINUTES_15_MS
        message = virtual.message(virtual.read(self.now_ms))
        await self.meter.publish(f"rec/{COMMUNITY}/{METER}/reading", message, qos=1)


def shown(home: HomeAssistant, device_id: str, idgrid: str = SELLER) -> dict[str, str]:
    """What each entity of a device shows now."""
    config = json.loads(home.heard[discovery(device_id, idgrid)])
    state = json.loads(home.heard[config["state_topic"]])
    return {
        name: Template(one["value_template"]).render(value_json=state)
        for name, one in config["components"].items()
    }


async def shows(home: HomeAssistant, device_id: str, **wanted: str) -> dict[str, str]:
    """What it shows once these entities show this."""
    topic = values(device_id)
    async with asyncio.timeout(SECONDS_MAX):
        await home.wait_for(topic)
        while not wanted.items() <= shown(home, device_id).items():
            await home.wait_for(topic, home.heard[topic])
    return shown(home, device_id)


@asynccontextmanager
async def scene(broker: Mosquitto, *homes: str):
    community = street()
    async with (
        hems_of(community) as hems,
        broker.client(METER) as meter,
        broker.client(PLUG) as plug,
        broker.client(SELLER) as seller,
        broker.client(BUYER) as buyer,
        collecting(hems, meter, with_homes(broker, *homes), hems.services.readmodel.database) as (
            _,
            services,
        ),
    ):
        await plug.subscribe("cmnd/kettle/POWER", qos=1)
        made = Scene(
            HomeAssistant(seller),
            HomeAssistant(buyer),
            meter,
            plug,
            hems,
            broker,
            services.clock_ms() - 3 * MINUTES_15_MS,
        )
        await made.home.start()
        await made.neighbour.start()
        for client, idgrid in ((seller, SELLER), (buyer, BUYER)):
            for wanted in (values("+", idgrid), values("+", SELLER)):
                await client.subscribe(wanted, qos=1)
        yield made


def play(tmp_path, work) -> None:
    people = (SELLER, BUYER)
    with mosquitto(tmp_path, DEVICES, foreign=FOREIGN, people=people) as broker:
        asyncio.run(work(broker))


def test_each_device_of_a_household_is_shown_with_what_it_told_and_to_nobody_else(tmp_path):
    async def work(broker: Mosquitto) -> None:
        async with scene(broker, SELLER) as it:
            for name in (METER, PV_METER, BATTERY, PLUG):
                config = await it.home.wait_for(discovery(name))
                assert problems_of(config) == []
                assert config["device"]["via_device"] == f"gridledger-{COMMUNITY}-{SELLER}"
            for load_wh in (1_000, 250):
                await it.read(load_wh=load_wh)
            measured = {"d": METER, "t": it.now_ms - 1_000, "u_mv": 231_400}
            await it.publish(METER, "measure", measured)
            found = await shows(it.home, METER, power="1000", voltage="231.4", silent="OFF")
            assert (found["import"], found["export"]) == ("1250", "0")
            assert found["last"].startswith("2026-01-15T")
            produced = {"d": PV_METER, "t": it.now_ms, "p_mw": -3_200_000}
            await it.publish(PV_METER, "measure", produced)
            await shows(it.home, PV_METER, power="3200")
            stored = {"b": BATTERY, "stored_wh": 4_000}
            await it.publish(BATTERY, "charge", stored | {"t": it.now_ms})
            charge = {"d": BATTERY, "t": it.now_ms, "soc_permille": 635, "p_mw": 800_000}
            await it.publish(BATTERY, "measure", charge)
            await shows(it.home, BATTERY, charge="63.5", stored="4000", power="800")
            energy = {"ENERGY": {"Total": 12.345, "Power": 2_000, "Voltage": 230}}
            await it.plug.publish("tele/kettle/SENSOR", json.dumps(energy), qos=1)
            await it.plug.publish("stat/kettle/POWER", b"OFF", qos=1)
            await shows(it.home, PLUG, power="2000", energy="12345", switch="OFF")
            state = f"rec/{COMMUNITY}/gateway/state"
            await it.neighbour.subscribe(state)
            await it.neighbour.wait_for(state)
            assert set(it.neighbour.heard) == {state}, "what came before this is not for it"

    play(tmp_path, work)


async def told(plug: aiomqtt.Client) -> bytes:
    """What the plug is told next."""
    async with asyncio.timeout(SECONDS_MAX):
        async for message in plug.messages:
            if str(message.topic) == "cmnd/kettle/POWER":
                return bytes(message.payload)
    raise AssertionError("the connection ended")


def test_a_plug_is_switched_from_its_owners_home_assistant_and_by_nobody_else(tmp_path, caplog):
    async def away(broker: Mosquitto) -> None:
        """What is asked for while the gateway is away is not done when it is back."""
        async with broker.client(SELLER) as home:
            await home.publish(f"{values(PLUG)}/switch", b"OFF", qos=1)
            await home.publish(f"{values(PLUG)}/switch", b"OFF", qos=1, retain=True)

    async def work(broker: Mosquitto) -> None:
        async with scene(broker, SELLER) as it:
            await switch(it)
        await away(broker)
        async with scene(broker, SELLER, BUYER) as it:
            config = await it.neighbour.wait_for(discovery(NEIGHBOUR, BUYER))
            assert "switch" not in config["components"]
            for home, device in ((SELLER, PLUG), (BUYER, PLUG), (BUYER, NEIGHBOUR)):
                await it.neighbour.publish(f"{values(device, home)}/switch", b"OFF")
            await switch(it)

    async def switch(it: Scene) -> None:
        config = await it.home.wait_for(discovery(PLUG))
        asked = config["components"]["switch"]
        for payload in (asked["payload_on"], asked["payload_off"], asked["payload_on"]):
            await it.home.publish(asked["command_topic"], payload.encode())
            said = await told(it.plug)
            assert said == payload.encode()
            await it.plug.publish("stat/kettle/POWER", said, qos=1)
            await shows(it.home, PLUG, switch=payload)

    play(tmp_path, work)
    refused = [line for line in caplog.messages if line.startswith("a switch by")]
    assert refused == [
        f"a switch by {SELLER} of {PLUG} refused: retained",
        f"a switch by {BUYER} of {PLUG} refused: forbidden: this device is not yours",
        f"a switch by {BUYER} of {NEIGHBOUR} refused: forbidden: this device is no approved plug",
    ]


def test_what_a_household_gives_away_leaves_its_home_assistant(tmp_path):
    async def work(broker: Mosquitto) -> None:
        async with scene(broker, SELLER, BUYER) as it:
            await it.home.wait_for(discovery(PLUG))
            seller, buyer = it.hems.community.households
            seller.client.submit("devices:offer_transfer", PLUG, BUYER)
            buyer.client.submit("devices:accept_transfer", PLUG)
            await it.hems.catch_up()
            await it.home.wait_until_empty(discovery(PLUG), values(PLUG))
            await it.neighbour.wait_for(discovery(PLUG, BUYER))
            assert discovery(METER) in it.home.heard
        async with scene(broker, BUYER) as it:
            await it.neighbour.wait_for(discovery(NEIGHBOUR, BUYER))
            async with asyncio.timeout(SECONDS_MAX):
                while await retained_for_seller(it):
                    pass

    async def retained_for_seller(it: Scene) -> set[str]:
        """What the broker has for whoever subscribes anew; the gateway's own state comes last."""
        state = f"rec/{COMMUNITY}/gateway/state"
        late = it.home.forgetful()
        await late.start()
        for wanted in (values("+"), f"rec/{COMMUNITY}/people/{SELLER}/market", state):
            await late.subscribe(wanted)
        await late.wait_for(state)
        return {topic for topic, payload in late.heard.items() if payload} - {state}

    play(tmp_path, work)
