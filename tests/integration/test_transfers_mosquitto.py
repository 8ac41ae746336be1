"""Transfers and readings over the real mosquitto: kill -9 in mid-transfer, a gateway restarted.

The nodes run the firmware's own `App`, `Link` and `Node` on CPython, over TLS. A gateway is killed
by cancelling its session between what a device published and what it is answered. The loop's clock
stands still while the machine is busy: a node that gets no processor for some samples opens its
relay too late, and says so (`overrun`), which is another matter.
"""

import asyncio
import gc
import ssl
import sys
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.hems.batteries import BatteryStore
from gateway.hems.plausibility import Limits
from gateway.hems.running import open_service
from gateway.hems.transfer_rules import End, Transfer
from gateway.mqtt.collector import Collector, keep_collecting
from gateway.mqtt.reading_check import Attesting, ReadingCheck
from ledger.crypto.signing import Signer
from tests.firmware.interpreter import FIRMWARE
from tests.support.conditions import until
from tests.support.gateway_database import fresh_database
from tests.support.mosquitto import COMMUNITY, Mosquitto, mosquitto, needs_mosquitto
from tests.support.paced_loop import paced_loop, run_paced, stopped
from tests.vectors import make_readings

sys.path[:0] = [str(FIRMWARE)]

from meternode.app import App  # noqa: E402
from meternode.clock import Clock  # noqa: E402
from meternode.node import Node, Sample  # noqa: E402
from meternode.settings import Settings  # noqa: E402
from meternode.signing import HmacSigner  # noqa: E402

pytestmark = [needs_mosquitto, pytest.mark.slow]
NODES = {"node-1": "IDG-1", "node-2": "IDG-2"}
SECONDS_MAX = 90
POWER_MW = 1_800_000
TRANSFER_WH = 4
POLL_S = 0.05
START_MS = 1_767_225_600_000
SPEED = 3


class Hardware:
    """Fake sensors and relays; energy flows while both ends are closed."""

    def __init__(self, name: str, world: "World") -> None:
        self._name = name
        self._world = world
        self.closed: dict[str, bool] = {}
        self.closings: list[str] = []

    def read(self) -> Sample:
        both = all(any(node.closed.values()) for node in self._world.hardware.values())
        sign = 1 if self.closed.get("in") else -1
        return Sample(sign * POWER_MW if both else 0)

    def set_outputs(self, relays: dict[str, bool]) -> None:
        wanted = {side: relays[side] for side in ("in", "out")}
        self.closings += [side for side in wanted if wanted[side] and not self.closed.get(side)]
        self.closed = wanted

    def feed_watchdog(self) -> None:
        pass

    def told_time(self, now: int) -> None:
        pass

    async def open_stream(self, host: str, port: int, *, is_tls: bool) -> Any:
        context = ssl.create_default_context(cafile=str(self._world.broker.folder / "ca.crt"))
        return await asyncio.open_connection("127.0.0.1", self._world.broker.port, ssl=context)


class Keys:
    def public_key(self, meter_id: str) -> Any:
        return make_readings.GATEWAY_KEY.public_key()


class World:
    """Two nodes, a broker, a gateway over one database."""

    def __init__(self, broker: Mosquitto) -> None:
        self._loop = paced_loop()
        self.broker = broker
        self.database = fresh_database()
        self.hardware = {name: Hardware(name, self) for name in NODES}
        self.nodes: dict[str, Any] = {}
        self.service = self.open()
        self.planned_ms = 0

    def now_ms(self) -> int:
        return START_MS + self._loop.elapsed_ms()

    def open(self) -> Any:
        limits = Limits(interval_ms=2_000)
        return open_service(self.database, BatteryStore(), limits, now_ms=self.now_ms())

    @asynccontextmanager
    async def gateway(self):
        """A gateway process: collecting, until it is killed."""
        self.service = self.open()
        secrets = dict.fromkeys(NODES, make_readings.SHARED_KEY)
        check = ReadingCheck(Keys(), Attesting(Signer(make_readings.GATEWAY_KEY), secrets))
        collector = Collector(self.service, check, community=COMMUNITY, clock_ms=self.now_ms)

        settings = self.broker.settings("gateway")
        task = asyncio.create_task(
            keep_collecting(lambda: collector.run(settings), pause=lambda _: asyncio.sleep(POLL_S))
        )
        try:
            await collector.is_listening.wait()
            yield
        finally:
            await stopped(task)

    @asynccontextmanager
    async def running_nodes(self, folder):
        tasks = []
        for name, account in NODES.items():
            settings = Settings(
                {
                    "community": COMMUNITY,
                    "device": name,
                    "account": account,
                    "tier": "A",
                    "sample_ms": 200,
                    "measure_ms": 60_000,
                    "interval_ms": 2_000,
                    "broker_host": "127.0.0.1",
                }
            )
            clock = Clock(self._loop.elapsed_ms)
            clock.set(self.now_ms())
            (folder / name).mkdir()
            signer = HmacSigner(make_readings.SHARED_KEY)
            node = Node(settings, signer, clock, str(folder / name))
            self.nodes[name] = node
            token = self.broker.tokens[name]
            root = str(folder / name)
            app = App(node, settings, clock, self.hardware[name], token=token, root=root)
            tasks.append(asyncio.create_task(app.run()))
        try:
            yield
        finally:
            for task in tasks:
                await stopped(task)

    def plan(self, name: str) -> None:
        """As often as somebody likes."""
        transfer = Transfer(
            transfer_id=name,
            number=1,
            segment="bus",
            energy_wh=TRANSFER_WH,
            seller=End("IDG-1", "node-1"),
            buyer=End("IDG-2", "node-2"),
            begins_ms=self.now_ms(),
            expires_ms=self.now_ms() + 60_000,
            until_ms=self.now_ms() + 80_000,
        )
        if self.service.stores.transfers.plan(transfer):
            self.planned_ms = self.now_ms()

    async def until(self, condition) -> None:
        await until(condition, timeout_s=SECONDS_MAX)

    def is_flowing(self) -> bool:
        return all(any(node.closed.values()) for node in self.hardware.values())

    def state(self, name: str) -> str:
        return str(self.service.stores.transfers.get(name).state)

    def how_it_ended(self, name: str) -> str:
        """Both ends' answers, for a failure's message."""
        ends = self.service.stores.transfers.get(name).ends
        answers = [f"{end.device_id} {end.status} {end.reason} {end.energy_mwh}" for end in ends]
        return f"{answers} after {(self.now_ms() - self.planned_ms) / 1_000} s"

    def closings(self) -> dict[str, list[str]]:
        return {name: node.closings for name, node in self.hardware.items()}

    async def all_stored(self) -> None:
        """Every reading there is by now, once and without a gap."""
        last = {name: node.metering.registers.seq for name, node in self.nodes.items()}
        series = self.service.stores.series

        def stored() -> bool:
            newest = {name: series.latest(name) for name in NODES}
            return all(found and found.seq >= last[name] for name, found in newest.items())

        await self.until(stored)
        await self.until(lambda: all(_is_gapless(series, name) for name in NODES))


def over(broker: Mosquitto, play: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def played() -> None:
        await play(World(broker))

    run_paced(played(), speed=SPEED)
    gc.collect()  # sockets of refused connections are told of here, where that is expected


def _is_gapless(series: Any, name: str) -> bool:
    numbers = [found.seq for found in series.between(name, 0, 2**62)]
    return numbers == list(range(1, len(numbers) + 1))


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with mosquitto(tmp_path_factory.mktemp("transfers"), tuple(NODES)) as running:
        yield running


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_broker_is_killed_in_mid_transfer_and_nothing_is_lost_or_doubled(broker, tmp_path):
    """aiomqtt leaves the socket of a refused connection to the collector, with a warning."""

    async def play(world: World) -> None:
        async with world.gateway(), world.running_nodes(tmp_path):
            world.plan("t-killed")
            await world.until(world.is_flowing)
            world.broker.kill()
            world.broker.start()
            world.plan("t-killed")
            await world.until(lambda: world.state("t-killed") in {"done", "failed"})
            assert world.state("t-killed") == "done", world.how_it_ended("t-killed")
            assert world.closings() == {"node-1": ["out"], "node-2": ["in"]}
            await world.all_stored()

    over(broker, play)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_gateway_restarts_between_publish_and_acknowledge(broker, tmp_path):
    async def play(world: World) -> None:
        async with world.running_nodes(tmp_path):
            async with world.gateway():
                world.plan("t-restarted")
                await world.until(world.is_flowing)
            async with world.gateway():
                world.plan("t-restarted")
            async with world.gateway():
                await world.until(lambda: world.state("t-restarted") in {"done", "failed"})
                assert world.state("t-restarted") == "done", world.how_it_ended("t-restarted")
                assert world.closings() == {"node-1": ["out"], "node-2": ["in"]}
                await world.all_stored()

    over(broker, play)
