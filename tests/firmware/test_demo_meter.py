"""The demo's meter that is the firmware, beside the light one in Python."""

import asyncio
import json
import os
import signal

import pytest

from gateway.hems import firmware_meter
from gateway.hems.firmware_meter import FirmwareError, FirmwareMeter, interpreter
from gateway.hems.virtual_meter import VirtualMeter
from gateway.mqtt.device_messages import FINAL
from gateway.mqtt.reading import check_signature, decode_reading
from gateway.settings import MqttSettings
from network.running.process_usage import usage_of_trees
from tests.firmware.test_pc_node import Scene, scene, transfer

START_MS = 1_767_225_600_000
HOUR_MS = 3_600_000
STALL_S = 1.0
"""As long as a machine gives a node no processor: ten samples."""
HOURS = ((1_200, 0), (300, 2_750), (0, 0), (777, 778))


def mqtt(world: Scene, name: str) -> MqttSettings:
    broker = world.broker
    return MqttSettings(
        "127.0.0.1", broker.port, broker.folder / "ca.pem", name, broker.token(name)
    )


def test_firmware_and_light_meter_read_the_same_of_a_profile(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world:
            command = interpreter()
            assert command is not None
            (tmp_path / "node").mkdir()
            node = await FirmwareMeter.start(
                command,
                tmp_path / "node",
                community="val",
                account="IDG-1",
                mqtt=mqtt(world, "node-1"),
            )
            light = VirtualMeter("node-1")
            expected = []
            try:
                for number, (load_wh, pv_wh) in enumerate(HOURS, start=1):
                    for meter in (node, light):
                        meter.run_hour(load_wh=load_wh, pv_wh=pv_wh)
                    await node.publish(START_MS + number * HOUR_MS)
                    expected.append(light.read(START_MS + number * HOUR_MS))
                heard = await world.wait_for("node-1", "reading", count=len(HOURS))
            finally:
                await node.close()
                await node.close()  # whoever else holds it may end it, too
            for content, wanted in zip(heard, expected, strict=True):
                reading = decode_reading(json.dumps(content).encode())
                check_signature(reading, node.public_key)
                for name in ("seq", "t_end_ms", "import_wh", "export_wh", "quality"):
                    assert getattr(reading, name) == getattr(wanted, name)

    asyncio.run(play())


def test_without_the_files_or_the_interpreter_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(firmware_meter, "FIRMWARE", tmp_path)
    assert interpreter() is None


def test_a_node_that_cannot_start_says_why(tmp_path):
    async def play() -> None:
        settings = MqttSettings("127.0.0.1", 1, tmp_path / "none.pem", "node-1", "t")
        with pytest.raises(FirmwareError, match=r"none\.pem"):
            await FirmwareMeter.start(
                interpreter() or [], tmp_path, community="val", account="IDG-1", mqtt=settings
            )

    asyncio.run(play())


def test_two_nodes_of_the_demo_carry_out_a_transfer_at_the_pace_of_the_market(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world:
            nodes = []
            try:
                for number in (1, 2):
                    folder = tmp_path / f"flash-{number}"
                    folder.mkdir()
                    name = f"node-{number}"
                    nodes.append(
                        await FirmwareMeter.start(
                            interpreter() or [],
                            folder,
                            community="val",
                            account=f"IDG-{name}",
                            mqtt=mqtt(world, name),
                            market_hour_ms=6_000,
                        )
                    )
                    await world.wait_for(name, "state")
                for number in (1, 2):
                    await world.command(f"node-{number}", **transfer(1, energy_wh=300))
                for number in (1, 2):
                    name = f"node-{number}"
                    done = await world.wait_for(name, "ack", lambda a: a["status"] == "done")
                    assert 300_000 <= done[0]["energy_mwh"] <= 400_000
                    kinds = [event["event"] for event in world.all_of(name, "event")]
                    assert kinds == ["start", "stop"]
            finally:
                for node in nodes:
                    await node.close()

    asyncio.run(play())


def test_a_machine_that_stands_still_in_a_transfer_makes_it_later_and_no_overrun(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world:
            node = await FirmwareMeter.start(
                interpreter() or [],
                tmp_path,
                community="val",
                account="IDG-node-1",
                mqtt=mqtt(world, "node-1"),
                market_hour_ms=12_000,
            )
            try:
                await world.wait_for("node-1", "state")
                await world.command("node-1", **transfer(1, energy_wh=60))
                await world.wait_for("node-1", "event")
                pids = [one.pid for one in usage_of_trees([node._process.pid])]
                for number in (signal.SIGSTOP, signal.SIGCONT):
                    for pid in pids:
                        os.kill(pid, number)
                    await asyncio.sleep(STALL_S)
                (answer,) = await world.wait_for("node-1", "ack", lambda a: a["status"] in FINAL)
                assert answer["status"] == "done", answer
                assert 60_000 <= answer["energy_mwh"] <= 85_000, "within one sample"
            finally:
                await node.close()

    asyncio.run(play())
