"""A household's Home Assistant over the real mosquitto: discovered, told, and nobody else's.

Home Assistant itself is not here: its releases need a newer Python and some hundred packages. What
it does with MQTT is done by hand: subscribe to the discovery, render the templates with Jinja.
"""

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import aiomqtt
import jsonschema_rs
import pytest
from jinja2 import Template

from gateway.mqtt.mosquitto import access_of
from gateway.settings import ForeignDevices
from tests.integration.test_foreign_devices import METER, NEIGHBOUR, gateway_beside, settings_for
from tests.support.mosquitto import COMMUNITY, Mosquitto, mosquitto, needs_mosquitto
from tests.unit.energy.community import CAP, FLOOR, Community

pytestmark = needs_mosquitto
SECONDS_MAX = 60
NOBODY = ForeignDevices()
SELLER, BUYER = "VAL-0000-G", "VAL-0001-E"
CLEARED, OPEN = "2026-01-15T12", "2026-01-15T14"
SCHEMA = Path(__file__).parents[1] / "vectors" / "home-assistant-discovery.json"
DISCOVERY = f"homeassistant/device/{COMMUNITY}-{SELLER}/config"


def trade(community: Community) -> None:
    """The first home sells 2 kWh of a cleared hour, and offers 3 kWh of an open one."""
    seller, buyer = community.households
    community.ledger.at("2026-01-15T11:49:00Z")
    community.open(CLEARED)
    community.offer(seller, 2_000, FLOOR, CLEARED)
    community.bid(buyer, 2_000, CAP, CLEARED)
    community.close_and_clear(CLEARED)
    community.ledger.at("2026-01-15T13:49:00Z")
    community.open(OPEN)
    community.offer(seller, 3_000, FLOOR, OPEN)


class HomeAssistant:
    """Subscribes as Home Assistant does, and keeps the last message of each topic."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.heard: dict[str, bytes] = {}

    async def start(self) -> None:
        for discovery in ("homeassistant/+/+/config", "homeassistant/+/+/+/config"):
            await self._client.subscribe(discovery, qos=1)

    def forgetful(self) -> "HomeAssistant":
        """On the same connection, with nothing heard yet."""
        return HomeAssistant(self._client)

    async def subscribe(self, wanted: str) -> None:
        await self._client.subscribe(wanted, qos=1)

    async def publish(self, topic: str, payload: bytes) -> None:
        await self._client.publish(topic, payload, qos=1)

    async def wait_until_empty(self, *topics: str) -> None:
        """Return when what was retained on these topics has been taken back."""
        async with asyncio.timeout(SECONDS_MAX):
            while any(self.heard.get(topic) != b"" for topic in topics):
                await self._next()

    async def _next(self) -> None:
        message = await anext(aiter(self._client.messages))
        self.heard[str(message.topic)] = message.payload

    async def wait_for(self, topic: str, unlike: bytes | None = None) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS_MAX):
            while self.heard.get(topic, unlike) == unlike:
                await self._next()
        found: dict[str, Any] = json.loads(self.heard[topic])
        return found

    async def sensors(self, config: dict[str, Any]) -> dict[str, str]:
        """What each sensor shows: the state through its template."""
        await self._client.subscribe(config["state_topic"], qos=1)
        state = await self.wait_for(config["state_topic"])
        return {
            name: Template(sensor["value_template"]).render(value_json=state)
            for name, sensor in config["components"].items()
        }

    async def availability(self, config: dict[str, Any], unlike: bytes | None = None) -> str:
        (told,) = config["availability"]
        await self._client.subscribe(told["topic"], qos=1)
        state = await self.wait_for(told["topic"], unlike)
        return Template(told["value_template"]).render(value_json=state)


def problems_of(config: object) -> list[str]:
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    return [str(error) for error in validator.iter_errors(config)]


def test_a_household_finds_price_gate_and_position_in_its_home_assistant(tmp_path):
    async def play(broker: Mosquitto) -> None:
        async with broker.client(SELLER) as client, broker.client(BUYER) as other:
            home, neighbour = HomeAssistant(client), HomeAssistant(other)
            await home.start()
            await neighbour.start()
            config = await alive(broker, home)
            was = home.heard[config["availability"][0]["topic"]]
            assert await home.availability(config, unlike=was) == "lost", "it has stopped"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await anext(aiter(other.messages))

    async def alive(broker: Mosquitto, home: HomeAssistant) -> dict[str, Any]:
        settings = settings_for(broker, NOBODY)
        hems = replace(settings.hems, home_assistant=(SELLER,))
        settings = replace(settings, hems=hems)
        async with gateway_beside(broker, NOBODY, settings=settings, meanwhile=trade) as (
            _,
            _,
            (seller, _),
            services,
        ):
            assert seller.idgrid == SELLER
            config = await home.wait_for(DISCOVERY)
            assert problems_of(config) == []
            assert config["device"]["serial_number"] == seller.idgrid
            gate_ms = services.market.listing(OPEN).gate_closure_ms
            price = services.market.result(CLEARED)["price_utoken_per_kwh"]
            shown = await home.sensors(config)
            assert shown["price"] == str(price / 1_000_000)
            assert datetime.fromisoformat(shown["next_gate"]).timestamp() * 1_000 == gate_ms
            assert (shown["position"], shown["ordered"]) == ("-2000", "-3000")
            assert shown["balance"] == "1000.0"
            assert await home.availability(config) == "online"
            return config

    with mosquitto(tmp_path, (METER, NEIGHBOUR), people=(SELLER, BUYER)) as broker:
        asyncio.run(play(broker))


@pytest.mark.parametrize(
    "change",
    [
        {"device": {"name": "no identifiers"}},
        {"origin": {}},
        {"availability": [{"topic": "rec/#"}]},
        {"components": {"a": {"platform": "sensor"}}},
        {"state_topik": "misspelt"},
    ],
)
def test_the_schema_refuses_what_home_assistant_would_not_understand(change):
    good = {
        "device": {"identifiers": ["x"], "name": "x"},
        "origin": {"name": "x"},
        "availability": [{"topic": "rec/val/gateway/state"}],
        "state_topic": "rec/val/people/x/market",
        "components": {
            "a": {"platform": "sensor", "unique_id": "a", "name": "a", "value_template": "{{ 1 }}"}
        },
    }
    assert problems_of(good) == []
    assert problems_of(good | change)


def test_a_home_hears_what_is_its_own_and_says_nothing_but_to_switch():
    access = access_of(COMMUNITY, ["meter-1"], people=[SELLER, BUYER])
    home = access[SELLER]
    assert home.publish == (f"rec/{COMMUNITY}/people/{SELLER}/devices/+/switch",)
    for topic in ("market", "devices/kettle"):
        assert home.may_receive(f"rec/{COMMUNITY}/people/{SELLER}/{topic}")
        assert not home.may_receive(f"rec/{COMMUNITY}/people/{BUYER}/{topic}")
    for topic in ("meter-1/reading", "meter-1/state", "meter-1/cmd"):
        assert not home.may_receive(f"rec/{COMMUNITY}/{topic}")
    for discovery in ("config", "kettle/config"):
        assert home.may_receive(f"homeassistant/device/{COMMUNITY}-{SELLER}/{discovery}")
        assert not home.may_receive(f"homeassistant/device/{COMMUNITY}-{BUYER}/{discovery}")
