"""Registers, integration and sensors."""

from drivers.adc_sensors import AlternatingSensors, DirectSensors, LeadAcidCharge
from meternode.energy import Integrator, PayableEnergy
from meternode.reading import Reading
from meternode.registers import UJ_PER_WH, Register, Registers, restored
from meternode.sensors import (
    SATURATED,
    UNCALIBRATED,
    Calibration,
    DirectCurrent,
    DirectVoltage,
    calibration_from,
    sct013_010,
    square_root,
    zmpt101b,
)

ROWS = {
    "check_24_volts_on_a_16_5_volt_channel_are_a_flag": ("E082",),
}
DONE = Calibration(is_done=True)


def check_registers_lose_nothing_below_a_watt_hour():
    registers = Registers()
    for _ in range(3_600):
        registers.flow(1, 1_000)  # 1 mW for an hour: 1 mWh
    assert (registers.imported.wh, registers.imported.uj) == (0, UJ_PER_WH // 1_000)
    registers.flow(999, 3_600_000)
    assert (registers.imported.wh, registers.imported.uj) == (1, 0)
    registers.flow(-2_000, 3_600_000)
    assert (registers.imported.wh, registers.exported.wh) == (1, 2)


def check_registers_never_go_back():
    register = Register(5)
    assert is_refused(register.add_uj, -1)
    assert is_refused(lambda ms: Registers().flow(1, ms), -1)
    assert register.wh == 5
    assert is_refused(Register, -1)


def check_after_a_reset_the_later_of_record_and_reading_counts():
    registers = Registers(7, Register(100, 50), Register(3, 9))
    assert restored(None, None).seq == 0
    assert restored(registers.record(), None).record() == registers.record()
    older = restored(registers.record(), Reading(7, 0, 100, 3, "measured"))
    assert older.record() == registers.record()
    newer = restored(registers.record(), Reading(8, 0, 101, 3, "measured"))
    assert newer.seq == 8
    assert (newer.imported.wh, newer.imported.uj) == (101, 0)
    assert (newer.exported.wh, newer.exported.uj) == (3, 9), "the fraction stays"


def check_other_spans_of_the_source_agree_within_one_percent():
    for seconds, energy_kwh in ((595, 0.0331), (3_603, 0.2005)):
        payable = PayableEnergy("t", "d", 0)
        payable.add(200_000, seconds * 1_000)
        assert abs(payable.stop_event(seconds * 1_000)["energy"] - energy_kwh) < energy_kwh / 100


def check_energy_against_the_direction_is_not_payable():
    payable = PayableEnergy("t", "d", 0)
    payable.add(-200_000, 60_000)
    assert payable.energy_mwh() == 0


def check_a_silent_sensor_makes_an_estimate_and_no_energy():
    registers = Registers()
    integrator = Integrator(registers, sample_ms=1_000)
    integrator.sample(3_600_000, 0)
    integrator.sample(3_600_000, 1_000)
    assert integrator.take_quality(ends_hour=True) == "measured"
    integrator.sample(None, 2_000)
    assert integrator.take_quality(ends_hour=True) == "estimated"
    integrator.sample(3_600_000, 600_000)  # ten minutes of silence count for five samples
    assert registers.imported.wh == 1 + 5
    assert integrator.take_quality(ends_hour=False) == "estimated"
    assert integrator.take_quality(ends_hour=True) == "estimated", "of all the hour"
    assert integrator.take_quality(ends_hour=False) == "measured"


def check_24_volts_on_a_16_5_volt_channel_are_a_flag():
    channel = DirectVoltage(DONE)
    full_scale_mv = 3_300
    for volts, expected_mv in ((9, 9_000), (12.4, 12_400), (16.3, 16_300)):
        counts = int(volts * 1_000 / 5 * 65_535 / full_scale_mv)
        value = channel.value(counts)
        assert value.flag is None
        assert abs(value.number - expected_mv) <= 2
    for volts in (16.5, 24):
        clipped = min(65_535, int(volts * 1_000 / 5 * 65_535 / full_scale_mv))
        value = channel.value(clipped)
        assert (value.number, value.flag) == (None, SATURATED)
    sample = DirectSensors(
        Converter([65_535]), Converter([40_000]), channel, DirectCurrent(5, 1_650, DONE)
    ).read()
    assert (sample.u_mv, sample.power_mw, sample.flags) == (None, None, ["u_saturated"])


def check_less_than_the_resolution_is_nothing():
    assert DirectVoltage(DONE).value(50).number == 0


def check_a_channel_nobody_calibrated_says_so():
    assert DirectVoltage().value(30_000).flag == UNCALIBRATED
    sample = DirectSensors(
        Converter([30_000]), Converter([32_768]), DirectVoltage(), DirectCurrent(5, 1_650)
    ).read()
    assert sample.flags == ["uncalibrated"]
    assert sample.power_mw is not None


def check_calibration_by_two_points():
    calibration = calibration_from(((1_000, 1_020), (12_000, 12_240)), 16_500)
    assert abs(calibration.apply(6_000) - 6_120) <= 1
    assert calibration.is_done
    for points in (((5, 5), (5, 9)), ((0, 0), (1_000, 9_000)), ((0, 9_000), (1_000, 10_000))):
        assert is_refused(lambda wrong: calibration_from(wrong, 16_500), points)


def check_a_clamp_beyond_ten_amperes_is_saturated():
    clamp = sct013_010(DONE)
    value = clamp.effective(sine(amplitude_mv=707))  # 0.5 V effective: 5 A
    assert value.flag is None
    assert abs(value.number - 5_000) < 25
    assert clamp.effective(sine(amplitude_mv=1_485)).flag == SATURATED  # 10.5 A
    assert clamp.effective(sine(amplitude_mv=1_900)).flag == SATURATED  # clips


def check_mains_voltage_and_power_with_its_sign():
    voltage, current = zmpt101b(460, DONE), sct013_010(DONE)
    u, i = sine(amplitude_mv=707), sine(amplitude_mv=283)  # 230 V, 2 A
    assert abs(voltage.effective(u).number - 230_000) < 1_000
    assert voltage.effective(sine(amplitude_mv=800)).flag == SATURATED  # above 250 V
    drawn = AlternatingSensors(Converter(u), Converter(i), voltage, current, Microseconds()).read()
    assert abs(drawn.power_mw - 460_000) < 5_000
    fed = AlternatingSensors(
        Converter(u),
        Converter([65_535 - counts for counts in i]),
        voltage,
        current,
        Microseconds(),
    ).read()
    assert abs(fed.power_mw + 460_000) < 5_000
    assert drawn.flags == []


def check_state_of_charge_from_the_voltage():
    charge = LeadAcidCharge(11_800, 12_700)
    assert charge.soc_permille(12_250) == 500
    assert charge.soc_permille(9_000) == 0
    assert charge.soc_permille(14_000) == 1_000
    assert charge.soc_permille(None) is None


def check_the_integer_root():
    for number in (0, 1, 2, 3, 4, 15, 16, 10**18, 10**18 - 1):
        root = square_root(number)
        assert root * root <= number < (root + 1) * (root + 1)


class Converter:
    """An analogue input that reads a list again and again."""

    def __init__(self, counts):
        self._counts = counts
        self._at = 0

    def read_u16(self):
        value = self._counts[self._at % len(self._counts)]
        self._at += 1
        return value


class Microseconds:
    """Each look at the clock takes 100 microseconds: 400 conversions make two periods of 50 Hz."""

    def __init__(self):
        self._now = 0

    def __call__(self):
        self._now += 100
        return self._now


SINE_OF_20 = (0, 309, 588, 809, 951, 1000, 951, 809, 588, 309)
"""A thousand times the sine of every 18 degrees of a half wave."""


def sine(amplitude_mv):
    """Counts of whole periods around half the supply, as the converter clips them."""
    counts = []
    for step in range(400):
        value = SINE_OF_20[step % 10] * (1 if step % 20 < 10 else -1)
        millivolts = 1_650 + amplitude_mv * value // 1_000
        counts.append(min(65_535, max(0, millivolts * 65_535 // 3_300)))
    return counts


def is_refused(function, argument):
    try:
        function(argument)
    except ValueError:
        return True
    return False
