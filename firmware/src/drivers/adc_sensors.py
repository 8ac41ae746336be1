"""Sensors on analogue inputs, read into one `Sample`.

DirectSensors(ADC(26), ADC(27), DirectVoltage(), DirectCurrent(5, 1650), soc=None).read()
"""

from array import array

from meternode.node import Sample
from meternode.sensors import COUNTS_MAX, SUPPLY_MV, UNCALIBRATED, active_power_mw

AVERAGED = 16
"""Conversions averaged for one value of a DC channel: the converter of a Pico is noisy."""
BURST_MAX = 1_000
BURST_US = 40_000
"""A burst of an AC channel: two periods of 50 Hz, and nearly two and a half of 60 Hz."""


class DirectSensors:
    """Voltage and current of a DC bus; the current is positive when energy comes in."""

    def __init__(self, voltage_adc, current_adc, voltage, current, charge=None):
        self._voltage_adc = voltage_adc
        self._current_adc = current_adc
        self._voltage = voltage
        self._current = current
        self._charge = charge

    def read(self):
        """One sample; a saturated channel has a flag and no value, and then power has none."""
        voltage = self._voltage.value(_average(self._voltage_adc))
        current = self._current.value(_average(self._current_adc))
        power_mw = None
        if voltage.number is not None and current.number is not None:
            power_mw = voltage.number * current.number // 1_000
        soc = self._charge.soc_permille(voltage.number) if self._charge else None
        flags = flags_of(u=voltage, i=current)
        return Sample(power_mw, voltage.number, current.number, soc, flags)


class AlternatingSensors:
    """ZMPT101B and SCT-013 on two inputs, sampled in turn over whole periods.

    `ticks_us` counts microseconds; memory for a burst is taken once.
    """

    def __init__(self, voltage_adc, current_adc, voltage, current, ticks_us):
        self._voltage_adc = voltage_adc
        self._current_adc = current_adc
        self._voltage = voltage
        self._current = current
        self._ticks_us = ticks_us
        self._counts = array("H", bytes(2 * BURST_MAX)), array("H", bytes(2 * BURST_MAX))

    def read(self):
        """One sample: effective values, and power with its sign."""
        voltage_counts, current_counts = self._burst()
        voltage = self._voltage.effective(voltage_counts)
        current = self._current.effective(current_counts)
        power_mw = None
        if voltage.number is not None and current.number is not None:
            power_mw = active_power_mw(
                self._voltage, voltage_counts, self._current, current_counts
            )
        return Sample(
            power_mw, voltage.number, current.number, None, flags_of(u=voltage, i=current)
        )

    def _burst(self):
        voltage_counts, current_counts = self._counts
        begun, count = self._ticks_us(), 0
        while count < BURST_MAX and self._ticks_us() - begun < BURST_US:
            voltage_counts[count] = self._voltage_adc.read_u16()
            current_counts[count] = self._current_adc.read_u16()
            count += 1
        return memoryview(voltage_counts)[:count], memoryview(current_counts)[:count]


class AttenuatedInput:
    """An ESP32's converter, attenuated as far as it goes and calibrated in its factory.

    It ends below the supply; from there on it reads full, which every sensor calls saturated.
    """

    def __init__(self, adc, input_mv_max):
        self._adc = adc
        self._uv_max = input_mv_max * 1_000

    def read_u16(self):
        """Counts as of a converter whose end is the supply."""
        microvolts = self._adc.read_uv()
        if microvolts >= self._uv_max:
            return COUNTS_MAX
        return microvolts * COUNTS_MAX // (SUPPLY_MV * 1_000)


class LeadAcidCharge:
    """State of charge from the resting voltage of a battery: a line between empty and full.

    Good to about a tenth, and only at rest; a battery's own controller knows better.
    """

    def __init__(self, empty_mv, full_mv):
        self._empty_mv = empty_mv
        self._full_mv = full_mv

    def soc_permille(self, voltage_mv):
        """0 to 1000, or None without a voltage."""
        if voltage_mv is None:
            return None
        span_mv = self._full_mv - self._empty_mv
        return min(1_000, max(0, (voltage_mv - self._empty_mv) * 1_000 // span_mv))


def flags_of(**channels):
    """Flags of a measurement (docs/mqtt.md): `u_saturated`, …, and `uncalibrated` once."""
    flags = []
    for name in sorted(channels):
        flag = channels[name].flag
        if flag == UNCALIBRATED:
            flags.append(UNCALIBRATED)
        elif flag is not None:
            flags.append(name + "_" + flag)
    return sorted(set(flags))


def _average(adc):
    return sum(adc.read_u16() for _ in range(AVERAGED)) // AVERAGED
