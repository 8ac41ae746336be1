"""Which devices say that a sensor of theirs is not to be trusted, and which no longer do."""

from collections.abc import Sequence

from gateway.mqtt.device_messages import Measurement


class SensorWatch:
    """Flags of measurements over time. A load at the end of a clamp's range comes and goes.

    So it is over when no flag came for a whole interval; of what was flagged before this process
    began, with the first measurement without one.
    """

    def __init__(self, interval_ms: int) -> None:
        self._interval_ms = interval_ms
        self._flagged_ms: dict[str, int] = {}

    def flagged(self, measurements: Sequence[Measurement], now_ms: int) -> dict[str, str]:
        """The flags of each device that has any in this batch, in words for the manager."""
        found = {one.device_id: ", ".join(one.flags) for one in measurements if one.flags}
        self._flagged_ms |= dict.fromkeys(found, now_ms)
        return found

    def over(self, measurements: Sequence[Measurement], now_ms: int) -> set[str]:
        """Devices that measured without a flag, and had none for an interval."""
        well = {one.device_id for one in measurements if not one.flags}
        over = {
            name for name in well if now_ms - self._flagged_ms.get(name, 0) >= self._interval_ms
        }
        for name in over:
            self._flagged_ms.pop(name, None)
        return over
