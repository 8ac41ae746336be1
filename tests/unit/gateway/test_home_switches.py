"""A household's home automation switches its plugs, as fast as it likes: who pays for it."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from chaincode.shim.testing import make_identity
from gateway.application import create_app
from gateway.errors import Problem
from gateway.hems.home_assistant import StandingSource
from gateway.hems.home_devices import HomeDevices
from gateway.hems.own_switching import NO_PLUG, OwnSwitching
from gateway.identity.sessions import Viewer
from gateway.mqtt.collector import Collector
from gateway.mqtt.home_assistants import HomeAssistants
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.refusal_log import LINES_PER_MINUTE_MAX
from gateway.mqtt.switch_wishes import SWITCH_SPACING_MS, SWITCHED_PER_HOUSEHOLD_MAX, SwitchWish
from gateway.notices.records import Choices
from gateway.services import Services
from gateway.web.home_assistant_texts import words_of_homes
from gateway.web.messages import all_messages
from tests.unit.energy.community import DSO, Community
from tests.unit.gateway.api_world import assert_problem
from tests.unit.gateway.hems import hems_of
from tests.unit.gateway.metering.data_service import COMMUNITY, NOON_MS, Keys, Scene

PLUG, PENDING, METER, BATTERY = "kettle-0", "kettle-1", "meter-0", "cell-0"


class Home:
    """One household's home automation and the gateway it speaks to; `now_ms` is its clock."""

    def __init__(
        self, homes: HomeAssistants, scene: Scene, idgrid: str, services: Services
    ) -> None:
        self.homes, self.scene, self.idgrid, self.services = homes, scene, idgrid, services
        self.now_ms = NOON_MS

    def wants(self, device_id: str, *payloads: bytes) -> list[bool]:
        """Whether each of these is to be carried out at once."""
        topic = f"rec/{COMMUNITY}/people/{self.idgrid}/devices/{device_id}/switch"
        assert self.homes.is_for_home(topic)
        return [
            self.homes.hear(topic, payload, is_retained=False, now_ms=self.now_ms)
            for payload in payloads
        ]

    def turn(self) -> list[SwitchWish]:
        """What the gateway does about it now."""
        wishes = self.homes.wishes_due(self.now_ms)
        self.homes.switch(wishes, self.now_ms)
        return wishes

    def hears(self, leaf: str, content: dict[str, object]) -> list[str]:
        """Which topics are published anew at once when the plug says this."""
        raw = json.dumps({"v": 1, "d": PLUG} | content).encode()
        collector = Collector(
            self.scene.service,
            ReadingCheck(Keys()),
            community=COMMUNITY,
            clock_ms=lambda: self.now_ms,
            homes=self.homes,
        )
        collector.keep([(f"rec/{COMMUNITY}/{PLUG}/{leaf}", raw)])
        return [one.topic for one in self.homes.due(self.now_ms)]

    def discovered(self) -> dict[str, Any]:
        """What the home automation is told to show, by device; the market's as `market`."""
        return {
            one.topic.split("/")[3] if one.topic.count("/") > 3 else "market": json.loads(
                one.payload
            )
            for one in self.homes.due(self.now_ms)
            if one.topic.endswith("/config")
        }

    def told(self) -> list[tuple[str, bool]]:
        """What is sent to devices now."""
        due = self.scene.service.due(self.now_ms)
        return [(one.device_id, bool(one.message["on"])) for one in due]


@asynccontextmanager
async def home_beside():
    """A household with a meter, a battery, an approved plug and one that waits for approval."""
    community = Community.found()
    owner = community.join()
    for name, kind in ((PLUG, "plug"), (PENDING, "plug"), (BATTERY, "battery")):
        key = make_identity(DSO, name, {}, "client").public_key.hex()
        community.dso.submit("devices:register", name, kind, owner.idgrid, key)
    for name in (PLUG, BATTERY):
        community.dso.submit("registry:approve_meter", name)
    async with hems_of(community) as hems:
        scene, services = Scene(Keys()), hems.services
        homes = HomeAssistants(
            [owner.idgrid],
            StandingSource(services.readmodel, services.market, services.community),
            HomeDevices(services.community, services.readings, scene.stores, 3_600_000),
            OwnSwitching(services.community, scene.stores.switches),
            community=COMMUNITY,
            community_name="Test community",
            words_of=words_of_homes(services.notices, "en"),
        )
        yield Home(homes, scene, owner.idgrid, services)


def test_of_a_thousand_switches_the_last_counts_and_the_next_waits_its_time():
    async def play() -> None:
        async with home_beside() as home:
            assert all(home.wants(PLUG, *[b"ON", b"OFF"] * 500))
            assert home.turn() == [SwitchWish(home.idgrid, PLUG, is_on=False)]
            assert home.told() == [(PLUG, False)]
            home.now_ms += SWITCH_SPACING_MS - 1
            assert not any(home.wants(PLUG, *[b"OFF", b"ON"] * 500))
            assert home.turn() == []
            home.now_ms += 1
            assert home.turn() == [SwitchWish(home.idgrid, PLUG, is_on=True)]
            assert home.told() == [(PLUG, True)]
            home.now_ms += SWITCH_SPACING_MS
            assert home.turn() == []

    asyncio.run(play())


def test_names_a_household_invents_are_as_many_as_it_may_have_devices(caplog):
    async def play() -> None:
        async with home_beside() as home:
            for number in range(1_000):
                home.wants(f"invented-{number}", b"ON")
            assert len(home.turn()) == SWITCHED_PER_HOUSEHOLD_MAX
            home.wants("one-more", b"ON")
            assert home.turn() == []
            home.now_ms += SWITCH_SPACING_MS
            home.wants(PLUG, b"ON")
            assert len(home.turn()) == 1
            assert home.told() == [(PLUG, True)]

    asyncio.run(play())
    refused = [line for line in caplog.messages if line.startswith("a switch by")]
    assert len(refused) == LINES_PER_MINUTE_MAX
    assert refused[0].endswith("of invented-50 refused: too many devices at once")


def test_what_waits_when_the_connection_is_lost_is_never_done():
    async def play() -> None:
        async with home_beside() as home:
            home.wants(PLUG, b"ON")
            home.homes.connected()
            assert home.turn() == []

    asyncio.run(play())


def test_over_http_too_nothing_but_an_approved_plug_is_switched():
    async def play() -> None:
        async with home_beside() as home:
            services = replace(home.services, hems=home.scene.service)
            services.sessions.admit("own", Viewer(home.idgrid))
            services.sessions.admit("other", Viewer("VAL-0009-X"))
            transport = httpx.ASGITransport(create_app(services))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:

                async def switched(device_id: str, who: str) -> httpx.Response:
                    headers = {"authorization": f"Bearer {who}"}
                    path = f"/v1/devices/{device_id}/switch"
                    return await http.post(path, json={"on": True}, headers=headers)

                for device_id in (METER, BATTERY, PENDING):
                    answer = await switched(device_id, "own")
                    assert_problem(answer, Problem.FORBIDDEN)
                    assert answer.json()["detail"] == NO_PLUG
                for device_id in (PLUG, "invented"):
                    assert_problem(await switched(device_id, "other"), Problem.FORBIDDEN)
                assert home.told() == []
                assert (await switched(PLUG, "own")).status_code == 202
                assert home.told() == [(PLUG, True)]

    asyncio.run(play())


def test_a_plug_that_waits_for_approval_is_shown_without_a_switch():
    async def play() -> None:
        async with home_beside() as home:
            shown = home.discovered()
            assert shown[PLUG]["components"]["switch"]["name"] == "Switch"
            assert shown[PENDING]["components"]["switch"] == {"platform": "switch"}
            assert shown[PENDING]["components"]["power"]["name"] == "Power"
            assert "switch" not in shown[METER]["components"]

    asyncio.run(play())


@pytest.mark.parametrize(
    ("language", "model", "names"),
    [
        ("es", "Enchufe", {"Interruptor", "Potencia", "Energía", "Voltaje"}),
        ("pt", "Tomada", {"Interruptor", "Potência", "Energia", "Tensão"}),
        ("en", "Plug", {"Switch", "Power", "Energy", "Voltage"}),
    ],
)
def test_names_are_in_the_language_the_household_chose_for_notices(language, model, names):
    async def play() -> None:
        async with home_beside() as home:
            home.services.notices.choose(home.idgrid, Choices({}, language))
            plug = home.discovered()[PLUG]
            assert plug["device"]["model"] == model
            assert plug["device"]["name"] == PLUG
            assert names <= {one["name"] for one in plug["components"].values()}

    asyncio.run(play())


def test_every_name_that_a_home_automation_shows_is_in_the_catalogues():
    async def play() -> set[str]:
        async with home_beside() as home:
            shown = home.discovered().values()
            named = {
                one["name"]
                for each in shown
                for one in each["components"].values()
                if "name" in one
            }
            return named | {each["device"]["model"] for each in shown}

    assert asyncio.run(play()) <= set(all_messages())


def test_neither_a_meter_nor_a_plug_that_is_not_approved_is_switched(caplog):
    async def play() -> None:
        async with home_beside() as home:
            for device_id in (METER, PENDING, PLUG):
                home.wants(device_id, b"OFF")
            home.turn()
            assert home.told() == [(PLUG, False)]

    asyncio.run(play())
    why = "forbidden: this device is no approved plug"
    assert [line.partition(" of ")[2] for line in caplog.messages if " switch by " in line] == [
        f"{METER} refused: {why}",
        f"{PENDING} refused: {why}",
    ]


def test_what_a_plug_says_is_shown_at_once_when_it_is_switched_and_only_then():
    async def play() -> None:
        async with home_beside() as home:
            values = f"rec/{COMMUNITY}/people/{home.idgrid}/devices/{PLUG}"
            state = {"state": "online", "on": 0}
            assert values in home.hears("state", state)
            assert home.hears("measure", {"t": NOON_MS, "p_mw": 85_000}) == []
            assert home.hears("state", state) == [], "others' pages need not be looked at for it"
            assert home.hears("state", state | {"on": 1}) == [values]

    asyncio.run(play())
