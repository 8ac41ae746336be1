"""From the `board` part of config.json to drivers on pins.

    {"kind": "pico_w", "active_low": 1, "button": 14,
     "relays": {"out": 2, "in": 3, "led": 15, "plug": 4},
     "sensors": {"type": "dc", "voltage_pin": 26, "current_pin": 27,
                 "ma_per_mv": 5, "zero_mv": 1650,
                 "voltage_calibration": [1000000, 0], "current_calibration": [1000000, 0],
                 "empty_mv": 11800, "full_mv": 12700}}

`type` is `dc`, `ac` or `none`; for `ac`, `mv_per_mv` is what the voltage module is set to; for
`dc`, `voltage_ratio_permille` is the divider's where it is not the FZ0430's own 5000. A
calibration is [gain in ppm, offset], as `provision.py calibrate` prints it; without one a channel
says `uncalibrated`.
"""

import time

from drivers.adc_sensors import AlternatingSensors, AttenuatedInput, DirectSensors, LeadAcidCharge
from drivers.outputs import Outputs, Relay
from machine import ADC, Pin
from meternode.node import Sample
from meternode.sensors import (
    FZ0430_RATIO_PERMILLE,
    Calibration,
    DirectCurrent,
    DirectVoltage,
    sct013_010,
    zmpt101b,
)

from board.kinds import check_pins, kind_of


class NoSensors:
    """A node that only switches."""

    def read(self):
        """Nothing is known, so nothing is counted."""
        return Sample(None)


class NotConnected:
    """A pin for a relay the board does not have."""

    def value(self, level):
        """Nowhere to go."""


def make_outputs(fields):
    """All outputs, open: called before anything else but wrong settings can fail."""
    check_pins(fields)
    numbers, is_active_low = fields.get("relays", {}), bool(fields.get("active_low", 1))
    relays = {}
    for name in ("out", "in", "plug"):
        relays[name] = Relay(_output(numbers.get(name), is_active_low), is_active_low)
    relays["led"] = Relay(_output(numbers.get("led"), False), is_active_low=False)
    return Outputs(**relays)


def make_sensors(fields):
    """The sensors of `fields["sensors"]`."""
    sensors = fields.get("sensors", {"type": "none"})
    if sensors["type"] == "none":
        return NoSensors()
    kind = kind_of(fields)
    voltage_adc = _input(kind, sensors["voltage_pin"])
    current_adc = _input(kind, sensors["current_pin"])
    for_voltage = _calibration(sensors.get("voltage_calibration"))
    for_current = _calibration(sensors.get("current_calibration"))
    if sensors["type"] == "ac":
        voltage = zmpt101b(sensors["mv_per_mv"], for_voltage)
        current = sct013_010(for_current)
        return AlternatingSensors(voltage_adc, current_adc, voltage, current, time.ticks_us)
    charge = None
    if "full_mv" in sensors:
        charge = LeadAcidCharge(sensors["empty_mv"], sensors["full_mv"])
    current = DirectCurrent(sensors["ma_per_mv"], sensors["zero_mv"], for_current)
    ratio_permille = sensors.get("voltage_ratio_permille", FZ0430_RATIO_PERMILLE)
    voltage = DirectVoltage(for_voltage, ratio_permille)
    return DirectSensors(voltage_adc, current_adc, voltage, current, charge)


def make_button(fields):
    """A function that tells whether the plug's button is held; never, when there is none."""
    if "button" not in fields:
        return lambda: False
    pin = Pin(fields["button"], Pin.IN, Pin.PULL_UP)
    return lambda: pin.value() == 0


def _input(kind, number):
    if kind.is_attenuated:
        return AttenuatedInput(ADC(Pin(number), atten=ADC.ATTN_11DB), kind.input_mv_max)
    return ADC(Pin(number))


def _output(number, is_active_low):
    if number is None:
        return NotConnected()
    return Pin(number, Pin.OUT, value=int(is_active_low))  # its level before it drives the coil


def _calibration(pair):
    return None if pair is None else Calibration(pair[0], pair[1], is_done=True)
