"""A gateway offers updates: retained on `ota`, so a node that was away finds its own."""

import asyncio
from pathlib import Path

from gateway.mqtt.collector import Collector
from tests.integration.test_mosquitto import heard
from tests.support.mosquitto import COMMUNITY, Mosquitto, mosquitto, needs_mosquitto
from tests.unit.gateway.metering.data_service import Keys, Scene

pytestmark = needs_mosquitto
MANIFEST = b'{"v":1,"version":"1.1.0"}'


async def offered(broker: Mosquitto, updates: dict[str, Path]) -> None:
    """A gateway's process with this setting, from its start until it listens."""
    scene = Scene(Keys())
    collector = Collector(
        scene.service,
        scene.collector._check,
        community=COMMUNITY,
        clock_ms=lambda: scene.now_ms,
        updates=updates,
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(collector.run(broker.settings("gateway")))
        await collector.is_listening.wait()
        running.cancel()


def test_a_node_that_was_away_finds_the_update_its_gateway_offers(tmp_path: Path) -> None:
    manifest, too_long = tmp_path / "manifest.json", tmp_path / "long.json"
    manifest.write_bytes(MANIFEST)
    too_long.write_bytes(b"x" * 1_025)
    updates = {"node-1": manifest, "node-2": too_long, "node-3": tmp_path / "missing.json"}
    own, other = (f"rec/{COMMUNITY}/{name}/ota" for name in ("node-1", "node-2"))

    async def play(broker: Mosquitto) -> None:
        await offered(broker, updates)
        async with broker.client("node-1") as node:
            await node.subscribe(own, qos=1)
            assert await heard(node) == [(own, MANIFEST)]
        async with broker.client("gateway") as gateway, broker.client("node-2") as node:
            await node.subscribe(other, qos=1)
            await gateway.publish(other, b"told now", qos=1)
            assert await heard(node) == [(other, b"told now")]  # nothing was retained for it

    with mosquitto(tmp_path, tuple(updates)) as broker:
        asyncio.run(play(broker))
