"""Transfers over a real mosquitto through links that lose 30 % of the packets, seeded.

The nodes run the firmware's own `App`, `Link` and `Node` (on CPython, each with its flash in a
folder) over TLS, the gateway is the shipped collector on its database. A seed says which packets
are lost and when the broker is killed (-9), the gateway killed between storing and telling it, or
a node's plug pulled; everybody may be offline for half an hour, too. After that all may end.
How real programs interleave does not repeat exactly; what is broken, and when, does.
"""

import asyncio
import random
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.hems.alarms import Alarm
from gateway.hems.batteries import BatteryStore
from gateway.hems.plausibility import Limits
from gateway.hems.running import open_service
from gateway.hems.transfer_rules import OVER
from gateway.hems.transfers import plan_trades
from gateway.mqtt.collector import Collector, keep_collecting
from gateway.mqtt.reading_check import Attesting, ReadingCheck
from gateway.settings import MqttSettings
from ledger.crypto.signing import Signer
from tests.firmware.interpreter import FIRMWARE
from tests.support.gateway_database import fresh_database
from tests.support.injected_faults import Broken, FaultLog
from tests.support.lossy_link import PUBACK, PUBLISH, LossyLink
from tests.support.mosquitto import COMMUNITY, Mosquitto, mosquitto
from tests.support.paced_loop import paced_loop, stopped
from tests.support.transfer_outcome import Outcome, RelayLog, WatchedRelays, is_flowing
from tests.vectors import make_readings

sys.path[:0] = [str(FIRMWARE)]

from meternode.app import App  # noqa: E402
from meternode.clock import Clock  # noqa: E402
from meternode.node import Node, Sample  # noqa: E402
from meternode.settings import Settings  # noqa: E402
from meternode.signing import HmacSigner  # noqa: E402

NODES = {"node-1": "IDG-1", "node-2": "IDG-2"}
TRADES = [("t-1", "IDG-1", "IDG-2", 2), ("t-2", "IDG-2", "IDG-1", 1)]
START_MS = 1_767_225_600_000
FAULTY_S, CALM_S = 110, 420
"""So long things break; then all of it must be over within so long."""
LASTS_MS = 300_000
"""Until when the transfers may run."""
INTERVAL_MS, SAMPLE_MS = 30_000, 1_000
POWER_MW = 360_000
SILENT_AFTER_MS = 40 * 60_000
OFFLINE_S = 30 * 60
OFFLINE_SPEED = 300
"""Of the loop's clock meanwhile: there is nobody to wait for."""
LOSS = 0.3
BROKER_DIES, GATEWAY_DIES, NODE_DIES, ORACLE_REPEATS = 0.01, 0.015, 0.004, 0.05
"""Per second."""
BACK_MS_MAX = 35_000
"""A node that finds nobody waits up to 30 s until it tries again."""
PUMP_S = 0.2


@dataclass(frozen=True)
class Plan:
    """What a seed breaks beside single packets."""

    loss: float = LOSS
    kills: bool = True
    offline_s: int = 0


class LossyNode:
    """One node: its flash, its link, its outputs; the plug can be pulled."""

    def __init__(self, name: str, world: "LossyWorld", link: LossyLink) -> None:
        self.name, self.world, self.link = name, world, link
        self.relays = WatchedRelays(name, world.log)
        self.node: Any = None
        self._task: asyncio.Task[None] | None = None
        self._heard_ms = world.now_ms
        self._broken_ms = 0
        link.on_lost, link.on_heard = self.broken, self._heard

    def start(self) -> None:
        settings = Settings(
            {
                "community": COMMUNITY,
                "device": self.name,
                "account": NODES[self.name],
                "tier": "A",
                "sample_ms": SAMPLE_MS,
                "measure_ms": 600_000,
                "interval_ms": INTERVAL_MS,
                "broker_host": "127.0.0.1",
            }
        )
        clock = Clock(self.world.elapsed_ms)
        clock.set(self.world.now_ms)
        root = str(self.world.folder / self.name)
        self.node = Node(settings, HmacSigner(make_readings.SHARED_KEY), clock, root)
        token = self.world.broker.tokens[self.name]
        app = App(self.node, settings, clock, self, token=token, root=root)
        self._task = asyncio.create_task(app.run())

    async def die(self) -> None:
        """Power is gone: memory, connection and relays with it."""
        self.node = None
        await stopped(self._task)
        self.relays.see(None, self.world.now_ms)
        await self.link.cut()

    def broken(self) -> None:
        """Something between it and the broker was."""
        self._broken_ms = self.world.now_ms

    def _heard(self) -> None:
        self.note_silence()
        self._heard_ms = self.world.now_ms

    def note_silence(self) -> None:
        """The time without a word of the broker, as far as it comes from what was broken."""
        if self._broken_ms > self._heard_ms:
            ends_ms = min(self.world.now_ms, self._broken_ms + BACK_MS_MAX)
            self.world.injected.note(Broken.LINK, self._heard_ms, ends_ms, self.name)

    # --- the hardware, as `App` asks for it ---------------------------------------------------

    def read(self) -> Sample:
        everybody = {name: node.relays for name, node in self.world.nodes.items()}
        if self.relays.closed is None or not is_flowing(self.relays, everybody):
            return Sample(0)
        return Sample(POWER_MW if self.relays.closed[1] == "in" else -POWER_MW)

    def set_outputs(self, _: dict[str, bool]) -> None:
        self.relays.see(self.node, self.world.now_ms)

    def feed_watchdog(self) -> None:
        pass

    def told_time(self, now_ms: int) -> None:
        pass

    async def open_stream(self, host: str, port: int, *, is_tls: bool) -> Any:
        context = self.world.tls
        return await asyncio.open_connection(host, self.link.port, ssl=context)


class Keys:
    """All are of tier A: the gateway's key attests."""

    def public_key(self, _: str) -> Any:
        return make_readings.GATEWAY_KEY.public_key()


class LossyWorld:
    """One seeded run; a loop may run many at once, each with a broker of its own."""

    def __init__(self, seed: int, plan: Plan, folder: Path, broker: Mosquitto) -> None:
        self._loop = paced_loop()
        self._began_ms = self._loop.elapsed_ms()
        self.random = random.Random(seed)
        self.seed, self.plan, self.folder, self.broker = seed, plan, folder, broker
        self.tls = ssl.create_default_context(cafile=str(broker.folder / "ca.crt"))
        self.database = fresh_database()
        self.log = RelayLog()
        self.injected = FaultLog(reconnect_ms=2 * SAMPLE_MS)
        self.alarms: list[Alarm] = []
        self.nodes: dict[str, LossyNode] = {}
        self.service = self._open()
        self._gateway_link = self._link("gateway", is_message)
        self._gateway: asyncio.Task[None] | None = None
        self._repairs: set[asyncio.Task[None]] = set()

    @property
    def now_ms(self) -> int:
        return START_MS + self.elapsed_ms()

    def elapsed_ms(self) -> int:
        """Since this run began; for threads as well."""
        return self._loop.elapsed_ms() - self._began_ms

    @property
    def links(self) -> list[LossyLink]:
        return [self._gateway_link, *(node.link for node in self.nodes.values())]

    async def run(self) -> list[str]:
        """Plan, let it break, let it end; what is amiss then, before any node goes on."""
        async with self._running():
            self._plan()
            for link in self.links:
                link.loss = self.plan.loss
            for _ in range(FAULTY_S):
                await asyncio.sleep(1)
                self._break_something()
            await self._be_offline()
            for link in self.links:
                link.loss = 0.0
            while self._repairs:
                await asyncio.wait(self._repairs)
            await self._until_over()
            for node in self.nodes.values():
                node.note_silence()
            return self._outcome().amiss()

    def loss_seen(self) -> tuple[int, int]:
        """Packets lost, and packets that could have been."""
        return sum(link.lost for link in self.links), sum(link.seen for link in self.links)

    def _link(self, name: str, loses: Callable[[int], bool]) -> LossyLink:
        seed = f"{self.seed} {name}"
        return LossyLink(self.broker.folder, self.broker.port, seed, loses=loses)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._gateway_link)
            for name in NODES:
                link = await stack.enter_async_context(self._link(name, lambda _: True))
                self.nodes[name] = LossyNode(name, self, link)
            stack.push_async_callback(self._stop)
            for node in self.nodes.values():
                node.start()
            self._start_gateway()
            yield

    async def _stop(self) -> None:
        for task in list(self._repairs):
            await stopped(task)
        for node in self.nodes.values():
            await node.die()
        await stopped(self._gateway)

    # --- the gateway ---------------------------------------------------------------------------

    def _open(self) -> Any:
        limits = Limits(interval_ms=INTERVAL_MS)
        return open_service(
            self.database,
            BatteryStore(),
            limits,
            now_ms=self.now_ms,
            silent_after_ms=SILENT_AFTER_MS,
            on_alarm=self.alarms.append,
        )

    def _start_gateway(self) -> None:
        self.service = self._open()
        self._gateway_link.is_mute = False
        secrets = dict.fromkeys(NODES, make_readings.SHARED_KEY)
        check = ReadingCheck(Keys(), Attesting(Signer(make_readings.GATEWAY_KEY), secrets))
        collector = Collector(
            self.service, check, community=COMMUNITY, clock_ms=lambda: self.now_ms
        )
        settings = MqttSettings(
            "127.0.0.1",
            self._gateway_link.port,
            self.broker.folder / "ca.crt",
            "gateway",
            self.broker.tokens["gateway"],
        )
        self._gateway = asyncio.create_task(keep_collecting(lambda: collector.run(settings)))

    def _plan(self) -> None:
        """As an oracle does after matching, however often."""
        for transfer in plan_trades(
            TRADES,
            {idgrid: name for name, idgrid in NODES.items()},
            segment="bus",
            first_number=1,
            begins_ms=START_MS,
            until_ms=START_MS + LASTS_MS,
        ):
            self.service.stores.transfers.plan(transfer)

    # --- what breaks ---------------------------------------------------------------------------

    def _break_something(self) -> None:
        if not self.plan.kills:
            return
        draw = self.random.random
        broker, gateway, oracle = draw() < BROKER_DIES, draw() < GATEWAY_DIES, draw()
        dying = [node for node in self.nodes.values() if draw() < NODE_DIES]
        lasts_s = self.random.randrange(2, 45)
        if broker and self.broker.is_running:
            self._repair(self._kill_broker(lasts_s))
        if gateway and self._gateway is not None:
            self._repair(self._kill_gateway(lasts_s))
        for node in dying:
            if node.node is not None:
                self._repair(self._kill_node(node, lasts_s))
        if oracle < ORACLE_REPEATS:
            self._plan()

    def _repair(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._repairs.add(task)
        task.add_done_callback(self._repairs.discard)

    async def _kill_broker(self, lasts_s: int) -> None:
        self.broker.kill()
        begun_ms = self.now_ms
        await self._away(lasts_s)
        await asyncio.to_thread(self.broker.start)
        self.injected.note(Broken.BROKER, begun_ms, self.now_ms)

    async def _kill_gateway(self, lasts_s: int) -> None:
        """It stores what still comes, but nobody hears of it: neither the broker nor a device."""
        self._gateway_link.is_mute = True
        begun_ms = self.now_ms
        await asyncio.sleep(1)
        dying, self._gateway = self._gateway, None
        await self._gateway_link.cut()
        await stopped(dying)
        await asyncio.sleep(lasts_s)
        self._start_gateway()
        self.injected.note(Broken.GATEWAY, begun_ms, self.now_ms)

    async def _kill_node(self, node: LossyNode, lasts_s: int) -> None:
        begun_ms = self.now_ms
        await node.die()
        await asyncio.sleep(lasts_s)
        node.start()
        self.injected.note(Broken.NODE, begun_ms, self.now_ms, node.name)

    async def _be_offline(self) -> None:
        if not self.plan.offline_s:
            return
        for link in self.links:
            link.is_open = False
            await link.cut()
        self._loop.paced.speed = OFFLINE_SPEED
        await self._away(self.plan.offline_s)
        self._loop.paced.speed = self._loop.speed
        for link in self.links:
            link.is_open = True

    async def _away(self, lasts_s: int) -> None:
        for _ in range(lasts_s):
            for node in self.nodes.values():
                node.broken()
            await asyncio.sleep(1)

    # --- the end -------------------------------------------------------------------------------

    async def _until_over(self) -> None:
        """Everything over and stored, or the time for it is."""
        ends_ms = self.now_ms + CALM_S * 1_000
        while self.now_ms < ends_ms and not self._is_over():  # noqa: ASYNC110 - of many parts
            await asyncio.sleep(PUMP_S)

    def _is_over(self) -> bool:
        return all(one.state in OVER for one in self._transfers()) and not any(
            node.node.metering.waiting() for node in self.nodes.values()
        )

    def _transfers(self) -> list[Any]:
        return sorted(self.service.stores.transfers.all(), key=lambda one: one.number)

    def _outcome(self) -> Outcome:
        return Outcome(
            nodes={name: node.node for name, node in self.nodes.items()},
            series=self.service.stores.series,
            transfers=self._transfers(),
            log=self.log,
            injected=self.injected,
            alarms=self.alarms,
            now_ms=self.now_ms,
        )


def is_message(kind: int) -> bool:
    """What the gateway's link may lose. It subscribes to each leaf by itself: nearly no
    connection would come up if those packets were lost as well."""
    return kind in (PUBLISH, PUBACK)


async def played(seed: int, plan: Plan, folder: Path) -> tuple[list[str], tuple[int, int]]:
    """One run with a broker of its own: what was amiss, and packets lost and seen."""
    broker_folder = folder / "broker"
    broker_folder.mkdir(parents=True)
    with mosquitto(broker_folder, tuple(NODES)) as broker:
        world = LossyWorld(seed, plan, folder, broker)
        try:
            return await world.run(), world.loss_seen()
        finally:
            world.database.close()
