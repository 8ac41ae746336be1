"""The demo's devices between readings: every moment of the data set shown as it passes."""

import asyncio
from collections.abc import Callable, Sequence

from gateway.demo.home_devices import HomeDevices
from gateway.demo.live_values import Moment, power_w, values_of
from gateway.hems.fleet import FleetMeter

MS_PER_HOUR = 3_600_000
SHOWN_PER_HOUR = 6
SHOWN_MS_MIN, SHOWN_MS_MAX = 500, 10_000


def shown_every_ms(hour_ms: int) -> int:
    """How often devices tell their values, for a market hour of so many real milliseconds."""
    return min(max(hour_ms // SHOWN_PER_HOUR, SHOWN_MS_MIN), SHOWN_MS_MAX)


class LiveHomes:
    """All meters and devices of the community."""

    def __init__(
        self,
        meters: Sequence[FleetMeter],
        devices: HomeDevices,
        *,
        moment_at: Callable[[int], Moment],
        clock_ms: Callable[[], int],
        hour_ms: int,
    ) -> None:
        self._meters = meters
        self._devices = devices
        self._moment_at = moment_at
        self._clock_ms = clock_ms
        self._hour_ms = hour_ms
        self._shown_ms = clock_ms()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.show()
            await asyncio.sleep(shown_every_ms(self._hour_ms) / 1_000)

    async def show(self) -> None:
        """Everything as it is now."""
        now_ms = self._clock_ms()
        moment = self._moment_at(now_ms)
        market_ms = (now_ms - self._shown_ms) * MS_PER_HOUR // self._hour_ms
        self._shown_ms = now_ms
        await asyncio.gather(
            self._devices.show(moment, now_ms, market_ms),
            *(_measure(entry, moment, now_ms) for entry in self._meters),
        )


async def _measure(entry: FleetMeter, moment: Moment, now_ms: int) -> None:
    home = entry.home
    watts = power_w(home.load_wh, moment) - power_w(home.pv_wh, moment)
    values = values_of(watts)
    await entry.meter.measure(t_ms=now_ms, u_mv=values.u_mv, i_ma=values.i_ma, p_mw=values.p_mw)
