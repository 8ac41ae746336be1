"""What differs from board to board, and what a board's settings may say: pins, sensors, samples.

Pure, so `provision.py` checks a node's settings against it on the PC. GPIO numbers throughout.
"""

from meternode.settings import BadSettings

OUTPUTS = ("out", "in", "led", "plug")
SENSOR_PINS = ("voltage_pin", "current_pin")
SENSOR_NUMBERS = {"dc": ("ma_per_mv", "zero_mv"), "ac": ("mv_per_mv",)}
"""What a type of sensors cannot be read without, beside its pins."""
CALIBRATIONS = ("voltage_calibration", "current_calibration")
CHARGE = ("empty_mv", "full_mv")
WATCHDOG_MS = 8_000
"""A Pico's watchdog cannot wait longer than 8.3 s."""
SAMPLE_MS_MAX = WATCHDOG_MS // 2
"""Every sample feeds the watchdog."""


class Kind:
    """One board. `wired` are the pins of the drawings (docs/wiring.md), by what hangs on them."""

    def __init__(self, *, inputs, taken, input_mv_max, is_attenuated, wired):
        self.inputs = inputs
        """Pins of the converter that works beside Wi-Fi."""
        self.taken = taken
        """Pins the board itself uses, or that decide how it starts."""
        self.input_mv_max = input_mv_max
        """Above this an analogue input tells nothing."""
        self.is_attenuated = is_attenuated
        self.pin_max = 28 if inputs[0] == 26 else 48
        self.wired = wired


_PICO_PINS = {"voltage_pin": 26, "current_pin": 27, "out": 2, "in": 3, "plug": 4}
_PICO_PINS.update({"button": 14, "led": 15})
_ESP32_PINS = {"voltage_pin": 4, "current_pin": 5, "out": 6, "in": 7, "plug": 8}
_ESP32_PINS.update({"button": 9, "led": 10})


def _pico():
    return Kind(
        inputs=(26, 27, 28),
        taken=(23, 24, 25),
        input_mv_max=3_300,
        is_attenuated=False,
        wired=_PICO_PINS,
    )


def _esp32(taken, input_mv_max):
    return Kind(
        inputs=tuple(range(1, 11)),
        taken=taken,
        input_mv_max=input_mv_max,
        is_attenuated=True,
        wired=_ESP32_PINS,
    )


KINDS = {
    "pico_w": _pico(),
    "pico_2_w": _pico(),
    # start mode, USB, flash and PSRAM; the second converter stops while Wi-Fi sends
    "esp32_s2": _esp32((0, 19, 20) + tuple(range(26, 33)) + (45, 46), 2_500),
    "esp32_s3": _esp32((0, 3, 19, 20) + tuple(range(26, 38)) + (45, 46), 3_100),
}


def kind_of(fields):
    """The kind named in the `board` part of config.json; raises `BadSettings`."""
    name = fields.get("kind")
    if name not in KINDS:
        raise BadSettings("board.kind: one of " + ", ".join(sorted(KINDS)))
    return KINDS[name]


def check_pins(fields):
    """Raises `BadSettings` for a pin that cannot serve, or that serves twice."""
    kind, used = kind_of(fields), []
    sensors, relays = fields.get("sensors", {}), fields.get("relays", {})
    for name in relays:
        if name not in OUTPUTS:
            raise BadSettings("board.relays: no output is called " + str(name))
        used.append(relays[name])
    if "button" in fields:
        used.append(fields["button"])
    for name in SENSOR_PINS:
        if name in sensors:
            if sensors[name] not in kind.inputs:
                raise BadSettings(f"board.sensors: GPIO {sensors[name]} is no analogue input")
            used.append(sensors[name])
    for pin in used:
        if not isinstance(pin, int) or not 0 <= pin <= kind.pin_max or pin in kind.taken:
            raise BadSettings(f"board: GPIO {pin} cannot be used on this board")
    if len(set(used)) != len(used):
        raise BadSettings("board: a pin is named twice")


def check_board(settings):
    """Raises `BadSettings` for what no board can do with; `settings` are a node's, checked."""
    check_sensors(settings.board.get("sensors", {"type": "none"}))
    check_pins(settings.board)
    if settings.sample_ms > SAMPLE_MS_MAX:
        raise BadSettings("sample_ms: the watchdog of a board does not wait so long")


def check_sensors(sensors):
    """Raises `BadSettings` for a field of `board.sensors` that is missing or cannot be."""
    kind = sensors.get("type")
    if kind == "none":
        return
    if kind not in SENSOR_NUMBERS:
        raise BadSettings("board.sensors.type: one of ac, dc, none")
    needed = SENSOR_PINS + SENSOR_NUMBERS[kind]
    if any(name in sensors for name in CHARGE):
        needed += CHARGE
    if "voltage_ratio_permille" in sensors:
        needed += ("voltage_ratio_permille",)
    for name in needed:
        if not _is_whole(sensors.get(name)):
            raise BadSettings(f"board.sensors.{name}: a whole number is needed")
    for name in CALIBRATIONS:
        pair = sensors.get(name)
        if pair is not None and not (
            isinstance(pair, list) and len(pair) == 2 and all(_is_whole(part) for part in pair)
        ):
            raise BadSettings(f"board.sensors.{name}: two whole numbers, [gain_ppm, offset]")
    if "full_mv" in sensors and sensors["full_mv"] <= sensors["empty_mv"]:
        raise BadSettings("board.sensors.full_mv: must be above empty_mv")


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)
