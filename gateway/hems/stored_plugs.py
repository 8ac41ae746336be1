"""Plugs as a maker's service would describe them, from what this gateway has stored of them.

In the shape of the source's server (001:2002-2031): a plug of Tasmota or Shelly needs no bridge.
"""

from dataclasses import dataclass
from typing import Any

from chaincode.energy.registry.records import Meter
from gateway.hems.devices import DeviceBook
from gateway.hems.measurements import MeasurementStore
from gateway.local_time import LocalTime
from gateway.mqtt.device_messages import ONLINE, Measurement

MILLI = 1_000
WH_PER_KWH = 1_000
SWITCHED = {None: "", 0: "off", 1: "on"}


@dataclass(frozen=True, slots=True)
class StoredPlugs:
    """What was told since the plug is its owner's; blocks."""

    devices: DeviceBook
    measurements: MeasurementStore
    local: LocalTime

    def device(self, plug: Meter) -> dict[str, Any]:
        """State and newest values; W, V and A as texts with two digits, empty if not told."""
        known = self.devices.get(plug.meter_id)
        newest = self.measurements.latest(plug.meter_id)
        if newest is None or newest.t_ms < plug.owned_since_ms:
            newest = Measurement(plug.meter_id, 0)
        return {
            "deviceid": plug.meter_id,
            "name": plug.meter_id,
            "online": known is not None and known.state == ONLINE,
            "params": {
                "switch": SWITCHED[known.plug_on if known is not None else None],
                "power": _text(newest.p_mw),
                "voltage": _text(newest.u_mv),
                "current": _text(newest.i_ma),
            },
        }

    def month(self, plug: Meter, now_ms: int) -> dict[str, Any]:
        """Its use in kWh of this local month up to now, and of each of its days."""
        today = self.local.day_of(now_ms)
        begin_ms, _ = self.local.month_ms(f"{today:%Y-%m}")
        days = self.local.days(begin_ms, now_ms + 1)
        used = [self._used_wh(plug, start_ms, end_ms) for _, start_ms, end_ms in days]
        return {
            "status": "ok",
            "month": f"{today:%Y-%m}",
            "monthly": sum(used) / WH_PER_KWH,
            "daily": [
                {"day": day.day, "usage": used_wh / WH_PER_KWH}
                for (day, _, _), used_wh in zip(days, used, strict=True)
            ],
        }

    def _used_wh(self, plug: Meter, from_ms: int, to_ms: int) -> int:
        since_ms = plug.owned_since_ms
        if to_ms <= since_ms:
            return 0
        return self.measurements.energy_wh(
            plug.meter_id, max(from_ms, since_ms), to_ms, not_before_ms=since_ms
        )


def _text(milli: int | None) -> str:
    return "" if milli is None else f"{milli / MILLI:.2f}"
