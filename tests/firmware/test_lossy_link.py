"""The firmware on MicroPython behind a link that loses 30 % of its packets, with the real gateway.

Real time, so little of it: two nodes in processes of their own, a transfer between them, a reading
each second. `tests/integration/test_lossy_transfers.py` plays many such runs on CPython.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.hems.batteries import BatteryStore
from gateway.hems.plausibility import Limits
from gateway.hems.running import open_service
from gateway.hems.transfer_rules import OVER, End, Transfer
from gateway.mqtt.collector import Collector, keep_collecting
from gateway.mqtt.reading_check import ReadingCheck
from tests.firmware.pc_node import PcNode, make_image, settings
from tests.support.gateway_database import fresh_database
from tests.support.injected_faults import Broken, FaultLog
from tests.support.lossy_link import LossyLink
from tests.support.mosquitto import COMMUNITY, Mosquitto, mosquitto, needs_mosquitto
from tests.support.paced_loop import stopped

pytestmark = [
    needs_mosquitto,
    pytest.mark.slow,
    # aiomqtt leaves the socket of a refused connection to the collector, with a warning
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NODES = ("node-1", "node-2")
LOSS, LOSSY_S = 0.3, 20
BACK_MS_MAX = 35_000
LASTS_MS, SECONDS_MAX = 100_000, 180
BUS_POWER_MW, TRANSFER_WH = 1_800_000, 5
POLL_S = 0.1


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Keys:
    """What the nodes said at their enrolment."""

    def __init__(self, nodes: dict[str, PcNode]) -> None:
        self._nodes = nodes

    def public_key(self, meter_id: str) -> Any:
        return load_pem_public_key(self._nodes[meter_id].enrolment["public_key"].encode())


class World:
    """Nodes behind links, a broker, the gateway's collector."""

    def __init__(self, seed: int, folder: Path, broker: Mosquitto) -> None:
        self.broker = broker
        self.folder = folder
        self.links = {
            name: LossyLink(broker.folder, broker.port, f"{seed} {name}") for name in NODES
        }
        self.nodes: dict[str, PcNode] = {}
        limits = Limits(interval_ms=1_000)
        self.service = open_service(
            fresh_database(), BatteryStore(), limits, now_ms=now_ms(), on_alarm=lambda _: None
        )
        self.injected = FaultLog(reconnect_ms=BACK_MS_MAX)

    async def run(self) -> None:
        async with AsyncExitStack() as stack:
            for name, link in self.links.items():
                await stack.enter_async_context(link)
                self.nodes[name] = await self._start_node(name, link.port)
                stack.push_async_callback(self.nodes[name].kill)
            collector = Collector(
                self.service,
                ReadingCheck(Keys(self.nodes)),
                community=COMMUNITY,
                clock_ms=now_ms,
            )
            mqtt = self.broker.settings("gateway")
            collecting = asyncio.create_task(keep_collecting(lambda: collector.run(mqtt)))
            stack.push_async_callback(stopped, collecting)
            await self._play()

    async def _start_node(self, name: str, port: int) -> PcNode:
        folder = self.folder / name
        make_image(
            folder,
            settings=settings(
                name,
                port,
                community=COMMUNITY,
                board={"kind": "pc", "bus_power_mw": BUS_POWER_MW},
            ),
            authority=(self.broker.folder / "ca.crt").read_bytes(),
            token=self.broker.tokens[name],
            code="ABCD-1234",
            wifi=None,
        )
        node = PcNode(folder)
        await node.start()
        return node

    async def _play(self) -> None:
        begun_ms = now_ms()
        self.service.stores.transfers.plan(
            Transfer(
                transfer_id="t-1",
                number=1,
                segment="bus",
                energy_wh=TRANSFER_WH,
                seller=End("IDG-node-1", "node-1"),
                buyer=End("IDG-node-2", "node-2"),
                begins_ms=begun_ms,
                expires_ms=begun_ms + LASTS_MS,
                until_ms=begun_ms + LASTS_MS,
            )
        )
        for link in self.links.values():
            link.loss = LOSS
        await asyncio.sleep(LOSSY_S)
        for name, link in self.links.items():
            link.loss = 0.0
            self.injected.note(Broken.LINK, begun_ms, now_ms(), name)
        async with asyncio.timeout(SECONDS_MAX):
            while self.transfer().state not in OVER:  # noqa: ASYNC110 - in a database
                await asyncio.sleep(POLL_S)
            last = {name: await self._newest_made(name) for name in NODES}
            while any(self._stored(name)[-1:] < [last[name]] for name in NODES):  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)

    async def _newest_made(self, name: str) -> int:
        """The number of a reading that the node has made by now."""
        return max(self._stored(name), default=0) + 1

    def transfer(self) -> Transfer:
        found = self.service.stores.transfers.get("t-1")
        assert found is not None
        return found

    def _stored(self, name: str) -> list[int]:
        return [found.seq for found in self.service.stores.series.between(name, 0, 2**62)]

    def amiss(self) -> list[str]:
        wrong = self.injected.unexplained(self.transfer())
        for end, pin in zip(self.transfer().ends, ("out", "in"), strict=True):
            closings = self.nodes[end.device_id].pins(pin).count(1)
            if closings > 1 or (end.status == "done" and closings != 1):
                wrong.append(f"{end.device_id} is {end.status}, closed {closings} times")
        for name in NODES:
            stored = self._stored(name)
            if stored != list(range(1, len(stored) + 1)):
                wrong.append(f"{name} has stored {stored}")
        for name, link in self.links.items():
            if not link.lost:
                wrong.append(f"{name} lost nothing of {link.seen} packets")
        return wrong


async def play(seed: int, folder: Path) -> list[str]:
    (folder / "broker").mkdir(parents=True)
    with mosquitto(folder / "broker", NODES) as broker:
        world = World(seed, folder, broker)
        await world.run()
        return [f"seed {seed}: {line}" for line in world.amiss()]


async def play_all(seeds: range, folder: Path) -> list[str]:
    found = await asyncio.gather(*(play(seed, folder / str(seed)) for seed in seeds))
    return [line for lines in found for line in lines]


def test_two_nodes_lose_and_double_nothing_behind_lossy_links(tmp_path):
    assert asyncio.run(play_all(range(1), tmp_path)) == []


@pytest.mark.full
@pytest.mark.parametrize("first", range(1, 41, 8))
def test_eighty_nodes_lose_and_double_nothing_behind_lossy_links(first, tmp_path):
    assert asyncio.run(play_all(range(first, first + 8), tmp_path)) == []
