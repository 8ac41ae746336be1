"""What the demo shows of devices: transfers with their relays, alarms and their clearing.

Both are read from the gateway's API as its manager, so what is told is what a page would show. One
meter is out of reach at the end of the first hour, until its alarm stands or nobody missed it for
`away_ms_max`; its reading comes late and nothing is lost.
"""

import asyncio
import logging
from typing import Any

import httpx

from gateway.demo.table import LiveTable
from gateway.hems.fleet import DemoMeter

POLL_MS = 500
AWAY_PERCENT, AWAY_MS_MIN = 75, 30_000
"""At most so much of an hour, and so long even in a short one: a slow machine's alarm is late."""
END_WAITED_S = 30
"""For what the last hour's end brings: the gateway may hear it after the ledger has settled it."""
WH_PER_KWH, MWH_PER_KWH = 1_000, 1_000_000

logger = logging.getLogger(__name__)


def away_ms_max(hour_ms: int) -> int:
    """How long a meter stays out of reach that nobody misses, in ms; hours come late with it."""
    return max(hour_ms * AWAY_PERCENT // 100, AWAY_MS_MIN)


class DeviceWatch:
    """Tells each transfer's and each alarm's steps once."""

    def __init__(self, http: httpx.AsyncClient, table: LiveTable) -> None:
        self.http = http
        """Signed in as the manager once it runs."""
        self._table = table
        self._told: set[str] = set()
        self._going_on: set[str] = set()
        """Transfers that are not over, and the alarm of the meter that is out of reach."""
        self.is_missed = asyncio.Event()
        """The alarm of the silent meter `missing` stands, or stood."""
        self.missing = ""

    async def run(self, login_token: str) -> None:
        """Look every `POLL_MS`, for ever."""
        await self.http.get(f"/login/{login_token}")
        while True:
            await self.look()
            await asyncio.sleep(POLL_MS / 1_000)

    async def look_until_over(self) -> None:
        """Until the transfers and the silent meter's alarm are over; `END_WAITED_S` at most."""
        try:
            async with asyncio.timeout(END_WAITED_S):
                await self.look()
                while self._going_on:
                    await asyncio.sleep(POLL_MS / 1_000)
                    await self.look()
        except TimeoutError:
            logger.warning("not over yet: %s", ", ".join(sorted(self._going_on)))

    async def look(self) -> None:
        """One look at both lists."""
        try:
            transfers = await self.http.get("/v1/transfers")
            alarms = await self.http.get("/v1/alarms")
        except httpx.TransportError as error:
            logger.warning("the gateway did not answer: %s", error)
            return
        for found, told in ((transfers, self._transfer), (alarms, self._alarm)):
            if found.is_success:
                for entry in reversed(found.json()):
                    told(entry)

    def _transfer(self, entry: dict[str, Any]) -> None:
        name, ends = entry["transfer_id"], (entry["seller"], entry["buyer"])
        if any(end["status"] for end in ends):
            kwh = entry["energy_wh"] / WH_PER_KWH
            parties = " → ".join(end["idgrid"] for end in ends)
            self._say(f"  transfer {name}: {kwh:.3f} kWh {parties}, relays OUT and IN close")
        is_over = entry["state"] in {"done", "failed"}
        self._note(f"transfer {name}", is_over=is_over)
        if is_over:
            sold, bought = (end["energy_mwh"] / MWH_PER_KWH for end in ends)
            measured = f"measured {sold:.3f} kWh out, {bought:.3f} kWh in"
            why = ", ".join(sorted({end["reason"] for end in ends if end["reason"]}))
            end = "done" if entry["state"] == "done" else f"failed ({why})"
            self._say(f"  transfer {name}: {end}, relays open, {measured}")

    def _alarm(self, entry: dict[str, Any]) -> None:
        what = f"{entry['device_id']} {entry['kind']}"
        self._say(f"  alarm {entry['number']}: {what}, {entry['detail']}")
        if entry["kind"] == "silent" and entry["device_id"] == self.missing:
            self.is_missed.set()
            self._note(f"alarm {entry['number']}", is_over=entry["cleared_ms"] is not None)
        if entry["cleared_ms"] is not None:
            self._say(f"  alarm {entry['number']}: {what}, over")

    def _note(self, what: str, *, is_over: bool) -> None:
        if is_over:
            self._going_on.discard(what)
        else:
            self._going_on.add(what)

    def _say(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._table.say(line)


class MeterOutOfReach:
    """A `DemoMeter` out of reach from its first reading on, until `is_missed`.

    Its second reading waits that long, or for `away_ms_max` at most.
    """

    def __init__(self, meter: DemoMeter, is_missed: asyncio.Event, away_ms_max: int) -> None:
        self._meter = meter
        self._is_missed = is_missed
        self._away_ms_max = away_ms_max
        self._readings = 0
        self._is_away = False
        self.meter_id = meter.meter_id
        self.public_key = meter.public_key
        self.public_key_pem = meter.public_key_pem

    async def connect(self) -> None:
        """See `DemoMeter`."""
        await self._meter.connect()

    def run_hour(self, *, load_wh: int, pv_wh: int) -> None:
        """See `DemoMeter`."""
        self._meter.run_hour(load_wh=load_wh, pv_wh=pv_wh)

    async def publish(self, t_end_ms: int) -> None:
        """See `DemoMeter`; the registers are read as of the instant, however late it leaves."""
        self._readings += 1
        if self._readings == len(("first", "second")):
            try:
                async with asyncio.timeout(self._away_ms_max / 1_000):
                    await self._is_missed.wait()
            except TimeoutError:
                logger.info("nobody missed %s", self.meter_id)
            self._is_away = False
        await self._meter.publish(t_end_ms)
        self._is_away = self._readings == len(("first",))

    async def measure(self, *, t_ms: int, u_mv: int, i_ma: int, p_mw: int) -> None:
        """See `DemoMeter`; nothing leaves a meter that is out of reach."""
        if not self._is_away:
            await self._meter.measure(t_ms=t_ms, u_mv=u_mv, i_ma=i_ma, p_mw=p_mw)

    async def close(self) -> None:
        """See `DemoMeter`."""
        await self._meter.close()
