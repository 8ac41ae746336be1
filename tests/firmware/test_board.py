"""`board/` itself, under MicroPython with stand-ins for the pins and the radio."""

import asyncio
import json
import time

import pytest

from tests.firmware.interpreter import ROOT
from tests.firmware.pc_node import PcNode
from tests.firmware.test_pc_node import scene

PINS = {"out": 2, "in": 3, "led": 15, "plug": 4}
SENSORS = {
    "type": "dc",
    "voltage_pin": 26,
    "current_pin": 27,
    "ma_per_mv": 5,
    "zero_mv": 1_650,
    "voltage_calibration": [1_000_000, 0],
    "current_calibration": [1_000_000, 0],
}


def test_a_board_joins_measures_and_switches_its_pins(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world:
            board = {"kind": "pico_w", "relays": PINS, "sensors": SENSORS}
            folder = world.image("node-1", board=board, wifi={"name": "home", "password": "x"})
            node = PcNode(folder, modules=ROOT / "tests" / "firmware" / "board_stubs")
            try:
                await node.start(lambda line: "enrolment" in line)
                await node.wait_for(lambda line: line.get("joins") == "home")
                made = {line["made"]: line["level"] for line in node.lines if "made" in line}
                assert made == {2: 1, 3: 1, 4: 1, 15: 0}, "open: relays close at a low level"
                assert "made" in node.lines[0], "before anything else can fail"
                told = [next(iter(line)) for line in node.lines]
                assert told.index("watchdog_ms") > told.index("enrolment"), "a key takes its time"
                now_ms = time.time_ns() // 1_000_000
                telling = asyncio.create_task(world.keep_telling_time())
                measured = (await world.wait_for("node-1", "measure"))[0]
                assert abs(measured["u_mv"] - 12_397) < 5
                assert abs(measured["i_ma"] - 500) < 5
                assert abs(measured["t"] - now_ms) < 60_000
                await world.command("node-1", id="p-1", op="switch", on=1)
                await world.wait_for("node-1", "ack", lambda a: a["status"] == "done")
                await node.wait_for(lambda line: line == {"pin": PINS["plug"], "level": 0})
                await world.wait_for("node-1", "reading")
                telling.cancel()
            finally:
                await node.kill()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("changed", "sensors", "named"),
    [
        ({"sample_ms": 5_000, "interval_ms": 60_000}, SENSORS, "sample_ms"),
        ({}, SENSORS | {"type": "AC"}, "board.sensors.type"),
    ],
)
def test_a_board_refuses_settings_it_cannot_do_with(tmp_path, changed, sensors, named):
    async def play() -> None:
        async with scene(tmp_path) as world:
            board = {"kind": "pico_w", "relays": PINS, "sensors": SENSORS}
            wifi = {"name": "home", "password": "x"}
            folder = world.image("node-1", wifi=wifi, board=board)
            written = json.loads((folder / "config.json").read_text()) | changed
            written["board"]["sensors"] = sensors
            (folder / "config.json").write_text(json.dumps(written))  # after the image's own check
            node = PcNode(folder, modules=ROOT / "tests" / "firmware" / "board_stubs")
            try:
                await node.start(waits=False)
                await node.wait_until_it_says(f"BadSettings: {named}")
                await node.ended()
                assert node.lines == [], "no pin, no watchdog"
            finally:
                await node.kill()

    asyncio.run(play())
