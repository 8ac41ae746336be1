"""From counts of an analogue-digital converter to millivolts and milliamperes, or to a flag.

A channel that cannot tell the value says why instead of making one up: `saturated` when the input
is at the end of its range, `uncalibrated` when nobody compared it with an instrument yet.
Counts are `ADC.read_u16()` of MicroPython: 0 to 65535 for 0 V to the supply.

The ranges are those of the parts on the test beds: FZ0430 (divider 30 kOhm : 7.5 kOhm, so
0-16.5 V at a 3.3 V converter), SCT-013-010 (0-10 A AC gives 0-1 V), ZMPT101B (at most 250 V AC,
output centred on half the supply, its gain set by a potentiometer).
"""

COUNTS_MAX = 65_535
RAIL_COUNTS = 200
"""This near to either end a converter clips (10 mV of 3.3 V)."""
SUPPLY_MV = 3_300
PPM = 1_000_000

SATURATED = "saturated"
UNCALIBRATED = "uncalibrated"

FZ0430_RATIO_PERMILLE = 5_000
FZ0430_RESOLUTION_MV = 24
"""One step of the part's stated 10 bit converter, 0.02445 V: less than that is nothing."""
SCT013_010_MA_PER_MV = 10
SCT013_010_MA_MAX = 10_000
ZMPT101B_MV_MAX = 250_000


class Calibration:
    """Linear correction found with a reference instrument: true = raw * gain + offset."""

    def __init__(self, gain_ppm=PPM, offset=0, is_done=False):
        self.gain_ppm = gain_ppm
        self.offset = offset
        self.is_done = is_done

    def apply(self, raw):
        """The corrected value in the unit of `raw`."""
        return raw * self.gain_ppm // PPM + self.offset


def calibration_from(points, unit_max):
    """The calibration through two `(raw, true)` points; `ValueError` if they are no calibration.

    `unit_max` bounds the offset to a tenth of the range: more means a wrong wire.
    """
    (raw_low, true_low), (raw_high, true_high) = points
    if raw_high <= raw_low or true_high <= true_low:
        raise ValueError("the second point must be above the first")
    gain_ppm = (true_high - true_low) * PPM // (raw_high - raw_low)
    offset = true_low - raw_low * gain_ppm // PPM
    if not PPM // 2 <= gain_ppm <= 2 * PPM or abs(offset) > unit_max // 10:
        raise ValueError("gain or offset is beyond what a working sensor needs")
    return Calibration(gain_ppm, offset, is_done=True)


class Value:
    """What a channel tells: a number, or None and why."""

    def __init__(self, number, flag=None):
        self.number = number
        self.flag = flag


class DirectVoltage:
    """FZ0430, or a divider of another ratio, on a DC bus: millivolts."""

    def __init__(self, calibration=None, ratio_permille=FZ0430_RATIO_PERMILLE):
        self._calibration = calibration or Calibration()
        self._ratio_permille = ratio_permille

    def value(self, counts):
        """Millivolts of one conversion."""
        if counts >= COUNTS_MAX - RAIL_COUNTS:
            return Value(None, SATURATED)
        raw = counts * SUPPLY_MV * self._ratio_permille // (COUNTS_MAX * 1_000)
        millivolts = self._calibration.apply(raw)
        number = millivolts if millivolts >= FZ0430_RESOLUTION_MV else 0
        return Value(number, None if self._calibration.is_done else UNCALIBRATED)


class DirectCurrent:
    """A Hall sensor or shunt amplifier, zero at `zero_mv`: milliamperes, positive or negative.

    A current clamp is a transformer and sees no direct current; see docs/hardware.md.
    """

    def __init__(self, ma_per_mv, zero_mv, calibration=None):
        self._ma_per_mv = ma_per_mv
        self._zero_mv = zero_mv
        self._calibration = calibration or Calibration()

    def value(self, counts):
        """Milliamperes of one conversion."""
        if not RAIL_COUNTS < counts < COUNTS_MAX - RAIL_COUNTS:
            return Value(None, SATURATED)
        millivolts = counts * SUPPLY_MV // COUNTS_MAX - self._zero_mv
        number = self._calibration.apply(millivolts * self._ma_per_mv)
        return Value(number, None if self._calibration.is_done else UNCALIBRATED)


class AlternatingInput:
    """One alternating channel: effective value over whole periods of the mains.

    `scale` is units per millivolt at the converter, `unit_max` the end of the sensor's range.
    """

    def __init__(self, scale, unit_max, calibration=None):
        self.scale = scale
        self._unit_max = unit_max
        self._calibration = calibration or Calibration()

    def effective(self, counts):
        """The effective value of a burst of conversions (`counts`: a sequence of them)."""
        if max(counts) >= COUNTS_MAX - RAIL_COUNTS or min(counts) <= RAIL_COUNTS:
            return Value(None, SATURATED)
        mean_square = _mean_product(counts, counts)
        raw = square_root(mean_square * SUPPLY_MV * SUPPLY_MV) * self.scale // COUNTS_MAX
        number = self._calibration.apply(raw)
        if number > self._unit_max:
            return Value(None, SATURATED)
        return Value(max(number, 0), None if self._calibration.is_done else UNCALIBRATED)

    def gain_ppm(self):
        """The gain of the calibration, for power."""
        return self._calibration.gain_ppm


def sct013_010(calibration=None):
    """The 10 A clamp: 1 V for 10 A, in milliamperes."""
    return AlternatingInput(SCT013_010_MA_PER_MV, SCT013_010_MA_MAX, calibration)


def zmpt101b(mv_per_mv, calibration=None):
    """The mains voltage module; `mv_per_mv` is what its potentiometer is set to."""
    return AlternatingInput(mv_per_mv, ZMPT101B_MV_MAX, calibration)


def active_power_mw(voltage, voltage_counts, current, current_counts):
    """Mean of voltage times current over the burst: positive when energy is drawn."""
    product = _mean_product(voltage_counts, current_counts) * SUPPLY_MV * SUPPLY_MV
    microwatts = product * voltage.scale * current.scale // (COUNTS_MAX * COUNTS_MAX)
    return microwatts * voltage.gain_ppm() // PPM * current.gain_ppm() // PPM // 1_000


def _mean_product(left, right):
    """Mean of the products of two bursts without their means (the offset of the inputs)."""
    count = len(left)
    total_left, total_right, total = 0, 0, 0
    for index in range(count):
        total_left += left[index]
        total_right += right[index]
        total += left[index] * right[index]
    return (total - total_left * total_right // count) // count


def square_root(number):
    """The integer square root, rounded down (MicroPython has no `math.isqrt`)."""
    if number < 2:
        return number
    guess = number
    better = (guess + 1) >> 1
    while better < guess:
        guess, better = better, (better + number // better) >> 1
    return guess
