"""Power over time to energy: for the registers, and for one transfer with its payable events."""

from meternode.registers import UJ_PER_WH

ELAPSED_PERIODS_MAX = 5
"""After a longer silence of the sensors nobody knows the power: it counts for this many periods,
and the hour is `estimated`."""


class Integrator:
    """Feeds registers from samples of power."""

    def __init__(self, registers, sample_ms):
        self._registers = registers
        self._elapsed_ms_max = ELAPSED_PERIODS_MAX * sample_ms
        self._last_ms = None
        self.is_estimated = False
        """Whether the hour so far has time without a value, or with one nobody calibrated."""

    def sample(self, power_mw, ticks_ms, is_calibrated=True):
        """Count the time since the last sample with this power; None: the sensor does not know.

        Returns the milliseconds counted.
        """
        last_ms, self._last_ms = self._last_ms, ticks_ms
        if last_ms is None:
            return 0
        elapsed_ms = ticks_ms - last_ms
        if elapsed_ms == 0:
            return 0
        if power_mw is None or not is_calibrated:
            self.is_estimated = True
        if power_mw is None:
            return 0
        if elapsed_ms > self._elapsed_ms_max:
            self.is_estimated = True
            elapsed_ms = self._elapsed_ms_max
        self._registers.flow(power_mw, elapsed_ms)
        return elapsed_ms

    def sample_through(self, power_mw, t_end_ms, ticks_ms, is_calibrated=True):
        """Count up to the end of an interval, `t_end_ms` in ticks, from a sample at `ticks_ms`.

        The end lies before the last sample when the node was off then, or the time of day was
        told or corrected since: nobody knows the registers as of then, and it is an estimate.
        Returns the milliseconds counted.
        """
        earliest_ms = ticks_ms if self._last_ms is None else self._last_ms
        if t_end_ms < earliest_ms:
            self.is_estimated = True
        return self.sample(power_mw, max(t_end_ms, earliest_ms), is_calibrated)

    def take_quality(self, ends_hour):
        """`measured` or `estimated`, for all of the hour up to now; with its end a new one begins.

        Only the readings at the ends of hours are carried to the ledger, so the one at the end
        speaks for every interval of its hour.
        """
        quality = "estimated" if self.is_estimated else "measured"
        if ends_hour:
            self.is_estimated = False
        return quality


class PayableEnergy:
    """The energy of one transfer between its start and its stop."""

    def __init__(self, transfer_id, device, started_ms, energy_uj=0):
        self._transfer_id = transfer_id
        self._device = device
        self._started_ms = started_ms
        self.energy_uj = energy_uj

    def add(self, power_mw, elapsed_ms):
        """Count power in the direction of the transfer; the other direction is not payable."""
        if power_mw > 0:
            self.energy_uj += power_mw * elapsed_ms

    def energy_mwh(self):
        """Thousandths of a watt-hour, rounded down."""
        return self.energy_uj * 1_000 // UJ_PER_WH

    def start_event(self):
        """The event when the relay closes."""
        return payable_event(self._transfer_id, self._device, "start", 0, 0)

    def seconds(self, ticks_ms):
        """Since the start, to the nearest."""
        return (ticks_ms - self._started_ms + 500) // 1_000

    def stop_event(self, ticks_ms):
        """The event when it opens: seconds since the start and kilowatt-hours."""
        seconds, energy_mwh = self.seconds(ticks_ms), self.energy_mwh()
        return payable_event(self._transfer_id, self._device, "stop", seconds, energy_mwh)


def payable_event(transfer_id, device, kind, seconds, energy_mwh):
    """The content of an `event` message (docs/mqtt.md)."""
    return {
        "name": "Payable Energy",
        "event": kind,
        "time": seconds,
        "energy": round(energy_mwh / 1_000_000, 6),
        "id": transfer_id,
        "d": device,
    }
