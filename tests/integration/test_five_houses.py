"""Fifteen hours of five houses in accelerated time, from the sensor to the settled watt-hour.

firmware (its own files, P-256 in plain Python) → MQTT over TLS → the gateway's collector and
database → an oracle → the contract → settlement. Every watt-hour that settles must be the
difference of two readings which the node signed, and the gateway's raw data must be anchored.
"""

import asyncio
import base64
import json
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chaincode.energy.oracle.readings import signed_message
from chaincode.energy.oracle.records import MeterReading
from gateway.hems.anchored_rows import READINGS
from gateway.hems.anchoring import AnchorBook, anchor, compare
from gateway.hems.batteries import BatteryStore
from gateway.hems.plausibility import Limits
from gateway.hems.profiles import DEMO_START, load_profiles
from gateway.hems.running import open_service
from gateway.mqtt.collector import Collector
from gateway.mqtt.connection import connected
from gateway.mqtt.embedded_broker import EmbeddedBroker, ServerTls, credential
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.topics import Topic, gateway_access, meter_access
from gateway.oracle.instants import ReportTimes
from gateway.oracle.job import RunLog
from gateway.oracle.reporting import ReportingNode
from gateway.oracle.series_source import SeriesReadings
from gateway.settings import MqttSettings
from ledger.crypto.signing import verify_signature
from tests.firmware.interpreter import FIRMWARE
from tests.support.gateway_database import fresh_database
from tests.support.mosquitto import authority_of, write_files
from tests.unit.energy.community import DSO, Community, Household, milliseconds

sys.path[:0] = [str(FIRMWARE)]

from meternode.clock import Clock  # noqa: E402
from meternode.metering import Metering  # noqa: E402
from meternode.settings import Settings  # noqa: E402
from meternode.signing import P256Signer  # noqa: E402

HOUSES = 5
HOURS_ALWAYS, HOURS_FULL = 2, 15
COMMUNITY = "val"
QUARTER = timedelta(minutes=15)
MINUTE_MS = 60_000
FIRST_HOUR = datetime(2026, 1, 15, 6, tzinfo=UTC)
PROFILE_START = DEMO_START - timedelta(hours=7)
"""Six in the morning, so that the fifteen hours have a day's sun in their middle."""
SECONDS_MAX = 60
MW_PER_WH_AND_HOUR = 1_000


class House:
    """A node with the firmware's metering, its home's profile and its connection to the broker."""

    def __init__(self, home: Household, number: int, folder: str) -> None:
        self.home = home
        self.profile = load_profiles().homes[number]
        self.signer = P256Signer(0x5EED + number)
        self.ticks_ms = 0
        self.clock = Clock(lambda: self.ticks_ms)
        self.clock.set(milliseconds(FIRST_HOUR) - MINUTE_MS)
        fields = {
            "community": COMMUNITY,
            "device": home.meter_id,
            "account": home.idgrid,
            "tier": "B",
            "sample_ms": MINUTE_MS,
            "measure_ms": MINUTE_MS,
            "interval_ms": 15 * MINUTE_MS,
            "broker_host": "127.0.0.1",
        }
        self.metering = Metering(Settings(fields), self.signer, self.clock, folder)
        self.metering.count(0)
        self.link: Any = None
        self.sent: dict[int, bytes] = {}

    @property
    def public_key(self) -> Any:
        return load_der_public_key(self.signer.public_key)

    def net_wh(self, hour: datetime) -> int:
        row = load_profiles().hour_index(PROFILE_START + (hour - FIRST_HOUR))
        return self.profile.pv_wh[row] - self.profile.load_wh[row]

    def run_until(self, instant: datetime, hour: datetime) -> None:
        """Samples once a minute; power is positive for what comes in."""
        power_mw = -self.net_wh(hour) * MW_PER_WH_AND_HOUR
        while self.clock.now_ms() < milliseconds(instant):
            self.ticks_ms += MINUTE_MS
            self.metering.count(power_mw)
        self.metering.sign_all()

    async def publish(self) -> None:
        """What the outbox holds, oldest first."""
        topic = str(Topic(COMMUNITY, self.home.meter_id, "reading"))
        while found := self.metering.readings_to_send(16):
            for seq, raw in found:
                await self.link.publish(topic, raw, qos=1)
                self.sent[seq] = raw
                self.metering.sent(seq)

    async def hear_stored(self) -> None:
        """Until the gateway has stored everything."""
        async for message in self.link.messages:
            ranges = json.loads(message.payload)["seqs"]
            self.metering.stored([(first, last) for first, last in ranges])
            if not self.metering.waiting():
                return


class LedgerActor:
    """A staff member of the test ledger, as `Actor` is one of a network."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def submit(self, function: str, *args: str) -> Any:
        def value(text: str) -> Any:
            return json.loads(text) if text[:1] == "[" or text.isdigit() else text

        return self._client.submit(function, *(value(text) for text in args))

    async def evaluate(self, function: str, *args: str) -> Any:
        return self._client.evaluate(function, *args)


class Keys:
    """The keys that the ledger has of the meters."""

    def __init__(self, houses: list[House]) -> None:
        self._keys = {house.home.meter_id: house.public_key for house in houses}

    def public_key(self, meter_id: str) -> Any:
        return self._keys.get(meter_id)


class FiveHouses:
    """The whole way, on one machine."""

    def __init__(self, folder, hours: int) -> None:
        self.folder = folder
        self.hours = hours
        start = (FIRST_HOUR - timedelta(minutes=30)).isoformat().replace("+00:00", "Z")
        self.community = Community.found(start=start)
        self.houses = []
        for number in range(HOUSES):
            home = self.community.join()
            (folder / home.meter_id).mkdir()
            house = House(home, number, str(folder / home.meter_id))
            key = "04" + house.signer.public_key[-64:].hex()
            self.community.dso.submit("devices:replace_key", home.meter_id, key, "B")
            self.houses.append(house)
        self.database = fresh_database()
        self.now_ms = milliseconds(FIRST_HOUR)
        self.service = open_service(self.database, BatteryStore(), Limits(), now_ms=self.now_ms)
        self.oracle_actor = LedgerActor(self.community.oracle)
        self.oracle = ReportingNode(
            self.oracle_actor,
            SeriesReadings(self.service.stores.series),
            ReportTimes(),
            clock_ms=lambda: self.now_ms,
            log=RunLog(lambda: self.now_ms),
        )
        self.anchors = AnchorBook(self.database)
        self.settled: dict[str, dict[str, Any]] = {}

    async def run(self) -> None:
        """Connect everything and let the hours pass."""
        async with AsyncExitStack() as stack:
            await self._connect(stack)
            await self._step(FIRST_HOUR)
            self._trade(FIRST_HOUR)
            self._clear(FIRST_HOUR)
            await self._report(FIRST_HOUR)
            for index in range(self.hours):
                hour = FIRST_HOUR + timedelta(hours=index)
                await self._hour(hour, is_last=index == self.hours - 1)

    async def _hour(self, hour: datetime, *, is_last: bool) -> None:
        """Deliver and meter an hour, trade the next one meanwhile, settle."""
        following = hour + timedelta(hours=1)
        for quarter in range(1, 4):
            await self._step(hour + quarter * QUARTER, hour)
        if not is_last:
            self.community.ledger.at(following - timedelta(minutes=10))
            self._trade(following)
            self._clear(following)
        await self._step(following, hour)
        await self._report(following)
        listing = f"{hour:%Y-%m-%dT%H}"
        self.settled[listing] = self.community.settle(listing)
        await anchor(self.anchors, self.oracle_actor, READINGS)

    async def _step(self, instant: datetime, hour: datetime | None = None) -> None:
        """Meters run, publish, and hear that what they sent is stored."""
        self.now_ms = milliseconds(instant) + 1_000
        for house in self.houses:
            house.run_until(instant, hour or FIRST_HOUR)
            await house.publish()
        async with asyncio.timeout(SECONDS_MAX):
            for house in self.houses:
                if house.metering.waiting():
                    await house.hear_stored()

    async def _report(self, instant: datetime) -> None:
        self.community.ledger.at(instant)
        assert await self.oracle.report_due() == HOUSES

    def _trade(self, hour: datetime) -> None:
        if hour == FIRST_HOUR:
            self.community.ledger.at(hour - timedelta(minutes=10))
        listing = f"{hour:%Y-%m-%dT%H}"
        self.community.open(listing)
        for number, house in enumerate(self.houses):
            wanted_wh = house.net_wh(hour)
            if wanted_wh > 0:
                self.community.offer(house.home, wanted_wh, 40_000 + number * 1_000, listing)
            elif wanted_wh < 0:
                self.community.bid(house.home, -wanted_wh, 60_000 + number * 1_000, listing)

    def _clear(self, hour: datetime) -> None:
        self.community.close_and_clear(f"{hour:%Y-%m-%dT%H}")

    async def _connect(self, stack: AsyncExitStack) -> None:
        pair = authority_of("CoopMSP")
        write_files(pair.issue_tls("broker", now=datetime.now(tz=UTC)), self.folder, "broker")
        (self.folder / "ca.crt").write_bytes(pair.tls.certificate_pem)
        names = [house.home.meter_id for house in self.houses]
        access = {name: meter_access(COMMUNITY, name) for name in names}
        access["gateway"] = gateway_access(COMMUNITY)
        broker = EmbeddedBroker(
            credentials={name: credential(name, granted) for name, granted in access.items()},
            tls=ServerTls(self.folder / "broker.crt", self.folder / "broker.key"),
        )
        await broker.start()
        stack.push_async_callback(broker.stop)

        def settings(user: str) -> MqttSettings:
            return MqttSettings("127.0.0.1", broker.port, self.folder / "ca.crt", user, user)

        for house in self.houses:
            name = house.home.meter_id
            house.link = await stack.enter_async_context(connected(settings(name)))
            await house.link.subscribe(str(Topic(COMMUNITY, name, "stored")), qos=1)
        collector = Collector(
            self.service,
            ReadingCheck(Keys(self.houses)),
            community=COMMUNITY,
            clock_ms=lambda: self.now_ms,
        )
        task = asyncio.create_task(collector.run(settings("gateway")))
        stack.push_async_callback(_cancel, task)
        await collector.is_listening.wait()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.slow
@pytest.mark.parametrize("hours", [HOURS_ALWAYS, pytest.param(HOURS_FULL, marks=pytest.mark.full)])
def test_every_settled_watt_hour_traces_to_readings_that_a_node_signed(tmp_path, hours):
    world = FiveHouses(tmp_path, hours)
    asyncio.run(world.run())
    assert len(world.settled) == hours
    totals = {"imported": 0, "exported": 0, "settled": 0}
    for listing, settlement in world.settled.items():
        hour = datetime.fromisoformat(f"{listing}:00:00+00:00")
        ends = milliseconds(hour), milliseconds(hour + timedelta(hours=1))
        assert settlement["state"] == "SETTLED"
        assert settlement["missing"] == []
        lines = []
        for house in world.houses:
            client, name = house.home.client, house.home.meter_id
            series = client.evaluate("access:meter_series", name, ends[0] - 1, ends[1])
            start, end = (
                next(one for one in series if one["t_end_ms"] == instant) for instant in ends
            )
            for one in (start, end):
                reading = MeterReading(**one)
                message = json.loads(house.sent[reading.seq])
                assert message["imp_wh"] == reading.import_wh
                assert message["sig"] == reading.signature
                signature = base64.b64decode(reading.signature)
                verify_signature(house.public_key, signed_message(reading), signature)
            line = client.evaluate("market:get_line", listing, house.home.idgrid)
            assert line["imported_wh"] == end["import_wh"] - start["import_wh"]
            assert line["exported_wh"] == end["export_wh"] - start["export_wh"]
            assert line["metering"] == "measured"
            assert line["sold_wh"] <= line["exported_wh"]
            assert line["bought_wh"] <= line["imported_wh"]
            lines.append(line)
        assert settlement["imported_wh"] == sum(line["imported_wh"] for line in lines)
        assert settlement["exported_wh"] == sum(line["exported_wh"] for line in lines)
        assert settlement["settled_wh"] == sum(line["sold_wh"] for line in lines)
        assert settlement["settled_wh"] == sum(line["bought_wh"] for line in lines)
        totals["imported"] += settlement["imported_wh"]
        totals["exported"] += settlement["exported_wh"]
        totals["settled"] += settlement["settled_wh"]
    assert totals["imported"] + totals["exported"] > 0
    assert totals["settled"] > 0 or hours < HOURS_FULL
    for house in world.houses:
        registers = house.metering.registers
        first = json.loads(house.sent[min(house.sent)])
        assert registers.imported.wh >= first["imp_wh"]
        assert len(house.sent) == hours * 4 + 1
    assert world.community.audit()["difference_utoken"] == 0
    anchors = world.community.oracle.evaluate("anchors:page", DSO, READINGS)
    assert anchors[-1]["last_row"] == HOUSES * (hours * 4 + 1)
    assert compare(world.anchors, READINGS, anchors) == []
    assert world.service.stores.alarms.all() == []
