"""Five houses whose nodes are the firmware on MicroPython, from the sensor to what settles.

Each node is the image a board gets, run with a board's heap and all tasks of `App`, on a clock
that leaps (`tests/firmware/leaping`) → a real mosquitto over TLS → the gateway's collector and
database → an oracle → the contract, on the in-process ledger → settlement.
"""

import asyncio
import json
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from gateway.hems.anchored_rows import READINGS
from gateway.hems.anchoring import AnchorBook, anchor
from gateway.hems.batteries import BatteryStore
from gateway.hems.plausibility import Limits
from gateway.hems.profiles import DEMO_START, load_profiles
from gateway.hems.running import open_service
from gateway.hems.series import Kept
from gateway.mqtt.collector import Collector, keep_collecting
from gateway.mqtt.device_messages import ONLINE
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.topics import READING, ROOT, STATE, parse_topic
from gateway.oracle.instants import ReportTimes
from gateway.oracle.job import RunLog
from gateway.oracle.reporting import ReportingNode
from gateway.oracle.series_source import SeriesReadings
from tests.firmware.pc_node import PcNode, make_image, settings
from tests.support.gateway_database import fresh_database
from tests.support.ledger_actor import LedgerActor
from tests.support.mosquitto import COMMUNITY, Mosquitto, mosquitto
from tests.unit.energy.community import Community, Household, milliseconds

HOUSES = 5
QUARTER = timedelta(minutes=15)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
MINUTE_MS = 60_000
FIRST_HOUR = datetime(2026, 1, 15, 6, tzinfo=UTC)
START = FIRST_HOUR - 2 * MINUTE
PROFILE_START = DEMO_START - timedelta(hours=7)
"""Six in the morning, so that the fifteen hours have a day's sun in their middle."""
SECONDS_MAX = 60
MW_PER_WH_AND_HOUR = 1_000
SCRIPT = Path(__file__).parents[1] / "firmware" / "leaping" / "leaping_node.py"


class House:
    """A node, its home's profile, and what the ledger knows of both."""

    def __init__(self, home: Household, number: int, folder: Path) -> None:
        self.home = home
        self.profile = load_profiles().homes[number]
        self.flash = folder / home.meter_id
        self.node = PcNode(self.flash, script=SCRIPT)
        self.heard: dict[int, bytes] = {}
        """What came of its readings at the gateway, by `seq`."""
        self.sample_ms = MINUTE_MS
        self.bus_power_mw = 0
        """What flows through a closed relay."""

    @property
    def public_key(self) -> Any:
        return load_pem_public_key(self.node.enrolment["public_key"].encode())

    async def start(self, broker: Mosquitto) -> None:
        """Make its flash and switch it on."""
        name = self.home.meter_id
        make_image(
            self.flash,
            settings=settings(
                name,
                broker.port,
                account=self.home.idgrid,
                sample_ms=self.sample_ms,
                measure_ms=15 * MINUTE_MS,
                interval_ms=15 * MINUTE_MS,
                outbox_records=96,
                board={
                    "kind": "pc",
                    "starts_ms": milliseconds(START),
                    "bus_power_mw": self.bus_power_mw,
                },
            ),
            authority=broker.authority.tls.certificate_pem,
            token=broker.tokens[name],
            code="FIVE",
            wifi=None,
        )
        await self.node.start()

    def net_wh(self, hour: datetime) -> int:
        row = load_profiles().hour_index(PROFILE_START + (hour - FIRST_HOUR))
        return self.profile.pv_wh[row] - self.profile.load_wh[row]

    def profile_mw(self, hour: datetime) -> int:
        """What flows without any transfer; positive is what comes in."""
        return -self.net_wh(hour) * MW_PER_WH_AND_HOUR

    def measured(self, hour: datetime) -> dict[str, Any]:
        """What its sensors are told to see."""
        return {"power_mw": self.profile_mw(hour)}

    async def run_until(self, instant: datetime, hour: datetime) -> None:
        await self.node.tell(**self.measured(hour))
        until_ms = milliseconds(instant)
        await self.node.tell(leap=until_ms)
        await self.node.wait_for(lambda line: line.get("reached") == until_ms)

    async def hear_the_time(self, instant: datetime) -> None:
        """Before it leaps again: the time would be a quarter of an hour old by then."""
        since_ms = milliseconds(instant)
        await self.node.wait_for(lambda line: line.get("told", 0) >= since_ms)

    def last(self) -> dict[str, Any]:
        """Registers and how many readings wait, when it had leapt last."""
        return [line for line in self.node.lines if "reached" in line][-1]


class Keys:
    """The keys that the ledger has of the meters."""

    def __init__(self, houses: list[House]) -> None:
        self._keys = {house.home.meter_id: house.public_key for house in houses}

    def public_key(self, meter_id: str) -> Any:
        return self._keys.get(meter_id)


class NotingCollector(Collector):
    """The shipped one; what it stored of readings is noted, and who waits for it is woken."""

    stored: Callable[[list[tuple[str, bytes]]], None]

    def keep(self, batch: Iterable[tuple[str, bytes]]) -> Kept:
        batch = list(batch)
        kept = super().keep(batch)
        self.stored(batch)
        return kept


class FiveHouses:
    """The whole way, on one machine."""

    house: type[House] = House

    def __init__(self, folder: Path, hours: int, houses: int = HOUSES) -> None:
        self.folder = folder
        self.hours = hours
        start = (FIRST_HOUR - timedelta(minutes=30)).isoformat().replace("+00:00", "Z")
        self.community = Community.found(start=start)
        self.houses = [
            self.house(self.community.join(), number, folder) for number in range(houses)
        ]
        self.database = fresh_database()
        self.now_ms = milliseconds(START)
        self.service = open_service(
            self.database,
            BatteryStore(),
            Limits(),
            now_ms=self.now_ms,
            is_appliance=lambda _: False,  # they meter whole homes
        )
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
        self._has_stored = asyncio.Event()

    async def run(self) -> None:
        """Connect everything and let the hours pass."""
        async with AsyncExitStack() as stack:
            await self._connect(stack)
            await self._step(FIRST_HOUR)
            self._trade(FIRST_HOUR)
            self._clear(FIRST_HOUR)
            await self._report(FIRST_HOUR)
            await self._begin_delivery()
            for index in range(self.hours):
                hour = FIRST_HOUR + timedelta(hours=index)
                await self._hour(hour, is_last=index == self.hours - 1)
            await self._run_nodes(hour + timedelta(hours=1) + MINUTE, hour)

    async def _hour(self, hour: datetime, *, is_last: bool) -> None:
        """Deliver and meter an hour, trade the next one meanwhile, settle."""
        following = hour + timedelta(hours=1)
        for quarter in range(1, 4):
            await self._until(hour + quarter * QUARTER, hour)
        if not is_last:
            self.community.ledger.at(following - timedelta(minutes=10))
            self._trade(following)
            self._clear(following)
        await self._until(following, hour)
        await self._report(following)
        listing = f"{hour:%Y-%m-%dT%H}"
        self.settled[listing] = self.community.settle(listing)
        await anchor(self.anchors, self.oracle_actor, READINGS)

    async def _begin_delivery(self) -> None:
        """The first hour is cleared and begins."""

    async def _until(self, instant: datetime, hour: datetime) -> None:
        """The next end of a quarter."""
        await self._step(instant, hour)

    async def _step(self, instant: datetime, hour: datetime | None = None) -> None:
        """The nodes run to an instant; the gateway stores what they send of it.

        They stop a minute before it, so that no node's reading is of the gateway's future.
        """
        of_hour = hour or FIRST_HOUR
        await self._run_nodes(instant - MINUTE, of_hour)
        await self._tell_the_time(instant - MINUTE)
        await self._run_nodes(instant + SECOND, of_hour)
        async with asyncio.timeout(SECONDS_MAX):
            while not all(self._has_read(house, instant) for house in self.houses):
                self._has_stored.clear()
                await self._has_stored.wait()
        await self._tell_the_time(instant + SECOND)

    async def _run_nodes(self, instant: datetime, hour: datetime) -> None:
        await asyncio.gather(*(house.run_until(instant, hour) for house in self.houses))

    async def _tell_the_time(self, instant: datetime) -> None:
        """The gateway's clock goes there, and it tells its nodes, as it does once a minute."""
        self.now_ms = milliseconds(instant)
        self.service.has_command.set()
        for house in self.houses:
            await house.hear_the_time(instant)

    def _has_read(self, house: House, instant: datetime) -> bool:
        latest = self.service.stores.series.latest(house.home.meter_id)
        return latest is not None and latest.t_end_ms == milliseconds(instant)

    async def _report(self, instant: datetime) -> None:
        self.community.ledger.at(instant)
        assert await self.oracle.report_due() == len(self.houses)

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

    # --- what runs -----------------------------------------------------------------------------

    async def _connect(self, stack: AsyncExitStack) -> None:
        (self.folder / "broker").mkdir()
        names = tuple(house.home.meter_id for house in self.houses)
        broker = stack.enter_context(mosquitto(self.folder / "broker", names))
        for house in self.houses:
            stack.push_async_callback(house.node.kill)
        await asyncio.gather(*(house.start(broker) for house in self.houses))
        for house in self.houses:
            point = house.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            self.community.dso.submit("devices:replace_key", house.home.meter_id, point.hex(), "B")
        collector = NotingCollector(
            self.service,
            ReadingCheck(Keys(self.houses)),
            community=COMMUNITY,
            clock_ms=lambda: self.now_ms,
        )
        loop = asyncio.get_running_loop()
        collector.stored = lambda batch: loop.call_soon_threadsafe(self._note, batch) and None
        await _subscribed(broker, set(names))
        mqtt = broker.settings("gateway")
        task = asyncio.create_task(keep_collecting(lambda: collector.run(mqtt)))
        stack.push_async_callback(_cancel, task)
        await collector.is_listening.wait()
        for house in self.houses:  # what is told at the connection must not come after a leap
            await house.hear_the_time(START)

    def _note(self, batch: list[tuple[str, bytes]]) -> None:
        houses = {house.home.meter_id: house for house in self.houses}
        for text, raw in batch:
            topic = parse_topic(text)
            if topic is not None and topic.leaf == READING:
                houses[topic.meter].heard[json.loads(raw)["seq"]] = raw
        self._has_stored.set()


async def _subscribed(broker: Mosquitto, names: set[str]) -> None:
    """Every node hears the time: a gateway tells it once it is there, then a minute later.

    A node says `online`, retained, after it has subscribed.
    """
    async with broker.client("gateway") as probe, asyncio.timeout(SECONDS_MAX):
        await probe.subscribe(f"{ROOT}/{COMMUNITY}/+/{STATE}", qos=1)
        online: set[str] = set()
        async for message in probe.messages:
            topic, state = parse_topic(str(message.topic)), json.loads(message.payload)
            online |= {topic.meter} if topic and state["state"] == ONLINE else set()
            if online == names:
                return


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
