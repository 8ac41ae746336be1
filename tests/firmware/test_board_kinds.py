"""Pins of each kind of board, and analogue inputs that end below the supply."""

import asyncio
import re

import pytest
from board.kinds import KINDS, OUTPUTS, SENSOR_PINS, check_pins
from drivers.adc_sensors import AttenuatedInput
from meternode.settings import BadSettings

from tests.firmware.interpreter import ROOT
from tests.firmware.pc_node import PcNode
from tests.firmware.test_pc_node import scene

WIRED = (*SENSOR_PINS, *OUTPUTS, "button")


def fields_of(name: str) -> dict[str, object]:
    """The `board` part of a node that is wired as the drawings say."""
    wired = KINDS[name].wired
    return {
        "kind": name,
        "relays": {output: wired[output] for output in OUTPUTS},
        "button": wired["button"],
        "sensors": {"type": "dc", "ma_per_mv": 5, "zero_mv": 1_650}
        | {pin: wired[pin] for pin in SENSOR_PINS},
    }


@pytest.mark.parametrize("name", KINDS)
def test_every_board_is_wired_with_pins_it_has(name):
    check_pins(fields_of(name))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kind": "uno"}, "board.kind"),
        ({"relays": {"out": 25}}, "GPIO 25"),
        ({"relays": {"out": 99}}, "GPIO 99"),
        ({"relays": {"out": "2"}}, "GPIO 2"),
        ({"relays": {"horn": 2}}, "horn"),
        ({"relays": {"out": 2, "in": 2}}, "twice"),
        ({"button": 26}, "twice"),
        ({"sensors": {"voltage_pin": 2}}, "no analogue input"),
    ],
)
def test_a_pin_that_cannot_serve_is_named(changed, said):
    with pytest.raises(BadSettings, match=said):
        check_pins(fields_of("pico_w") | changed)


@pytest.mark.parametrize("name", ["esp32_s2", "esp32_s3"])
def test_inputs_of_an_esp32_do_not_take_pins_that_decide_its_start(name):
    for pin in (0, 19, 20, 45, 46):
        with pytest.raises(BadSettings):
            check_pins({"kind": name, "relays": {"out": pin}})


def test_the_tables_of_the_documents_are_those_of_the_code():
    text = (ROOT / "docs" / "wiring.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|((?: \d+ \|){8})", text, re.MULTILINE)
    told = {name: [int(cell) for cell in re.findall(r"\d+", cells)] for name, cells in rows}
    assert told == {
        name: [kind.wired[part] for part in WIRED] + [kind.input_mv_max]
        for name, kind in KINDS.items()
    }


def test_an_esp32_measures_with_its_converter_attenuated(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world:
            folder = world.image(
                "node-1", board=fields_of("esp32_s3"), wifi={"name": "home", "password": "x"}
            )
            node = PcNode(folder, modules=ROOT / "tests" / "firmware" / "board_stubs")
            telling = asyncio.create_task(world.keep_telling_time())
            try:
                await node.start(lambda line: "watchdog_ms" in line)
                attenuated = [line for line in node.lines if "attenuated" in line]
                assert [line["attenuated"] for line in attenuated] == [4, 5]
                measured = (await world.wait_for("node-1", "measure"))[0]
                assert abs(measured["u_mv"] - 12_397) < 10
                assert [flag for flag in measured["flags"] if "saturated" in flag] == []
            finally:
                telling.cancel()
                await node.kill()

    asyncio.run(play())


def test_an_attenuated_input_is_full_where_its_range_ends():
    class Converter:
        microvolts = 0

        def read_uv(self):
            return self.microvolts

    converter = Converter()
    read = AttenuatedInput(converter, 2_500).read_u16
    assert read() == 0
    converter.microvolts = 1_650_000
    assert read() == 32_767
    converter.microvolts = 2_499_999
    assert read() < 50_000
    converter.microvolts = 2_500_000
    assert read() == 65_535
