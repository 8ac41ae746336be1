"""A device over the real broker, its owner's inbox and mailbox; the clock is set by hand."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from gateway.application import create_app
from gateway.hems.fleet import LightMeter
from gateway.hems.virtual_meter import VirtualMeter
from gateway.identity.sessions import Viewer
from gateway.local_time import fixed
from gateway.mqtt.broker_link import NoBroker
from gateway.mqtt.collecting import start_collecting
from gateway.mqtt.connection import connected
from gateway.mqtt.embedded_broker import EmbeddedBroker, ServerTls, credential
from gateway.mqtt.topics import gateway_access, meter_access, notice_topic
from gateway.notices.running import notice_tasks
from gateway.services import Services
from gateway.settings import HemsSettings, MqttSettings
from gateway.web.notice_texts import NoticeWriter
from network.certificates.gateway_tls import write_gateway_tls
from tests.support.conditions import until
from tests.unit.gateway.ledger_double import services_over
from tests.unit.gateway.notices.smtp_catcher import HOST, Catcher, caught_by
from tests.unit.gateway.notices.test_running import mailing, settings_of
from tests.unit.gateway.notices.told_street import PersonsOnLedger, Street, email_of

COMMUNITY = "la-ligua"
SILENT_AFTER_MS = 40 * 60_000
SECONDS_MAX = 60
KETTLE = "kettle"


@dataclass
class Gateway:
    """A gateway as its process puts it together, over a double of the ledger alone."""

    street: Street
    services: Services
    catcher: Catcher
    mqtt: MqttSettings

    def mqtt_as(self, user: str) -> MqttSettings:
        return replace(self.mqtt, username=user, token=f"token of {user}")

    async def last_seen(self, device_id: str) -> None:
        """Return when the gateway has heard the device at the time it is."""
        assert self.services.hems is not None
        devices = self.services.hems.stores.devices
        await until(
            lambda: getattr(devices.get(device_id), "last_seen_ms", 0) == self.street.now_ms
        )

    async def listens(self) -> None:
        """Return when it hears all topics: what is retained would else come late, as new."""
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                try:
                    return await self.services.broker.publish(notice_topic(COMMUNITY, "-"), b"")
                except NoBroker:
                    await asyncio.sleep(0)

    async def mailed(self, count: int) -> None:
        """Return when the seller has so many mails; its neighbour's silent meter has its own."""
        await until(lambda: len(self.subjects()) >= count)

    async def inbox(self) -> str:
        """The page, as the seller reads it."""
        self.services.sessions.admit("the seller", Viewer(self.street.seller.idgrid))
        transport = httpx.ASGITransport(app=create_app(self.services))
        headers = {"authorization": "Bearer the seller"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost", headers=headers
        ) as client:
            return (await client.get("/notices")).text

    async def inbox_with(self, words: str) -> str:
        """The page once it has these words; another task than the mails' writes them."""

        async def is_there() -> bool:
            return words in await self.inbox()

        await until(is_there)
        return await self.inbox()

    def subjects(self) -> list[str]:
        """Of the seller's mails."""
        wanted = email_of(self.street.seller)
        return [mail["Subject"] for mail in self.catcher.mails if mail["To"] == wanted]

    def told_others_of(self, device_id: str) -> list[str]:
        """Who else had a mail about the seller's device."""
        owner = email_of(self.street.seller)
        others = [mail for mail in self.catcher.mails if mail["To"] != owner]
        return [mail["To"] for mail in others if device_id in mail.get_content()]


@asynccontextmanager
async def running_gateway(street: Street, folder: Path):
    files = write_gateway_tls(folder / "tls", [HOST], now=datetime.now(tz=UTC))
    devices = (street.seller.meter_id, KETTLE)
    access = {name: meter_access(COMMUNITY, name) for name in devices}
    access["gateway"] = gateway_access(COMMUNITY)
    broker = EmbeddedBroker(
        credentials={name: credential(f"token of {name}", who) for name, who in access.items()},
        tls=ServerTls(Path(files["certificate"]), Path(files["key"])),
    )
    await broker.start()
    mqtt = MqttSettings(HOST, broker.port, Path(files["ca"]), "gateway", "token of gateway")
    services = mailing(
        services_over(
            street.ledger.double, lambda: street.now_ms, readmodel=street.ledger.readmodel
        )
    )
    catcher = Catcher()
    async with caught_by(catcher) as port:
        settings = replace(
            settings_of(folder, port),
            mqtt=mqtt,
            hems=HemsSettings(silent_after_ms=SILENT_AFTER_MS),
        )
        services, tasks = await start_collecting(settings, services, street.book.database)
        tasks += notice_tasks(
            settings,
            PersonsOnLedger(street.community),
            services,
            NoticeWriter("La Ligua", fixed(-180)),
        )
        gateway = Gateway(street, services, catcher, mqtt)
        try:
            await gateway.listens()
            yield gateway
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await broker.stop()


@pytest.fixture
def street() -> Street:
    """The seller has a kettle on a plug, too."""
    found = Street()
    community = found.community.ledger
    state = {key: community.state(key) or b"" for key in community.keys("")}
    plug = json.loads(state[f"meter~{found.seller.meter_id}"])
    plug |= {"meter_id": KETTLE, "kind": "plug"}
    state[f"meter~{KETTLE}"] = json.dumps(plug).encode()
    found.ledger.double.event = ("Founded", b"{}")
    found.ledger.block(("registry:found", state))
    found.ledger.catch_up()
    return found


@pytest.mark.row("E075")
def test_a_stopped_simulator_is_told_once_within_the_limit_and_so_is_its_return(street, tmp_path):
    """By mail and in the inbox; the page and the API say so, too."""
    home = street.seller
    virtual = VirtualMeter(home.meter_id, home.meter.private_key)

    async def play() -> None:
        async with running_gateway(street, tmp_path) as gateway:
            simulator = LightMeter(COMMUNITY, virtual, gateway.mqtt_as(home.meter_id))
            await simulator.connect()
            await simulator.publish(street.now_ms)
            series = gateway.services.hems.stores.series
            await until(lambda: series.latest(home.meter_id) is not None)
            await gateway.last_seen(home.meter_id)
            await simulator.close()
            stopped_ms = street.now_ms
            street.now_ms += SILENT_AFTER_MS
            assert gateway.services.hems.watch(street.now_ms) == []
            street.now_ms += 1
            await gateway.mailed(1)
            (alarm,) = gateway.services.hems.stores.alarms.all(home.meter_id)
            assert (alarm.kind, alarm.raised_ms) == ("silent", stopped_ms + SILENT_AFTER_MS + 1)
            street.now_ms += 10 * SILENT_AFTER_MS
            gateway.services.hems.watch(street.now_ms)
            page = await gateway.inbox_with(f"{home.meter_id}: nothing is heard of it")
            assert page.count(f"{home.meter_id}: nothing is heard of it") == 1
            await simulator.connect()
            await simulator.publish(street.now_ms)
            await gateway.mailed(2)
            page = await gateway.inbox_with(f"{home.meter_id}: it is heard again")
            assert page.count(f"{home.meter_id}: nothing is heard of it") == 1
            assert page.count(f"{home.meter_id}: it is heard again") == 1
            assert gateway.services.hems.stores.alarms.standing(home.meter_id) == []
            assert gateway.subjects() == [
                "La Ligua: A device needs attention",
                "La Ligua: A device is well again",
            ]
            assert gateway.told_others_of(home.meter_id) == []
            await simulator.close()

    asyncio.run(play())


@pytest.mark.row("E077")
def test_a_kettle_at_three_times_its_usual_power_is_an_alarm_in_the_inbox(street, tmp_path):
    async def play() -> None:
        async with running_gateway(street, tmp_path) as gateway:
            store = gateway.services.hems.stores.measurements
            async with connected(gateway.mqtt_as(KETTLE)) as kettle:
                state = f'{{"v":1,"d":"{KETTLE}","state":"online"}}'
                await kettle.publish(f"rec/{COMMUNITY}/{KETTLE}/state", state, qos=1, retain=True)
                await gateway.last_seen(KETTLE)

                async def boil(watts: int) -> None:
                    street.now_ms += 60_000
                    said = {"v": 1, "d": KETTLE, "t": street.now_ms, "p_mw": watts * 1_000}
                    topic = f"rec/{COMMUNITY}/{KETTLE}/measure"
                    await kettle.publish(topic, json.dumps(said).encode(), qos=1)
                    await until(lambda: getattr(store.latest(KETTLE), "t_ms", 0) == street.now_ms)

                for minute in range(60):
                    await boil(2_000 if minute % 3 else 0)
                assert "irregular" not in await gateway.inbox()
                for _ in range(3):
                    await boil(6_000)
                await gateway.mailed(1)
                irregular = f"{KETTLE}: its load is irregular"
                assert (await gateway.inbox_with(irregular)).count(irregular) == 1
                (alarm,) = gateway.services.hems.stores.alarms.standing(KETTLE)
                assert alarm.detail == "6000 W, usually 2000 W"
                await boil(2_000)
                await gateway.mailed(2)
                usual = f"{KETTLE}: its load is as usual again"
                assert (await gateway.inbox_with(usual)).count(usual) == 1

    asyncio.run(play())
