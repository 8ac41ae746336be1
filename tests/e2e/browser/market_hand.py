"""What the community's timetable, meters and oracle do for one hour on a real network.

The browser's own loop runs in the test's thread, so each of these runs in a thread of its own.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.hems.virtual_meter import VirtualMeter
from gateway.ledger_access.actor import Actor
from gateway.timetable.market_clock import HourPlan
from gateway.timetable.scheduler import Scheduler
from tests.e2e.running_demo import RunningDemo
from tests.unit.energy.community import hour_of

FLOOR, CAP = 80_000, 540_000
DELIVERY_MS, PAUSE_MS, SETTLING_MS = 2_000, 1_000, 60_000


@dataclass(frozen=True, slots=True)
class Flow:
    """Energy through a meter in the hour."""

    meter: VirtualMeter
    load_wh: int = 0
    pv_wh: int = 0


class MarketHand:
    """Moves one listing from phase to phase when the test says so."""

    def __init__(self, demo: RunningDemo, listing_id: str, *, bidding_s: int) -> None:
        """Nothing happens yet; the gate closes `bidding_s` after now."""
        self._demo = demo
        gate_ms = _now_ms() + bidding_s * 1_000
        start_ms = gate_ms + PAUSE_MS
        self.hour = HourPlan(
            listing_id=listing_id,
            delivery_start=hour_of(listing_id).astimezone(UTC),
            open_at_ms=_now_ms(),
            gate_closure_ms=gate_ms,
            delivery_start_ms=start_ms,
            delivery_end_ms=start_ms + DELIVERY_MS,
            settlement_end_ms=start_ms + DELIVERY_MS + SETTLING_MS,
        )

    def open(self) -> None:
        """The listing takes orders."""
        self._do(lambda by: _scheduler(by).open_listing(self.hour, floor=FLOOR, cap=CAP))

    def clear(self) -> dict[str, Any]:
        """Wait for the gate; one price; delivery begins."""
        return self._do(lambda by: _scheduler(by).close_and_clear(self.hour))

    def deliver_and_settle(self, flows: list[Flow]) -> dict[str, Any]:
        """Energy flows, each meter signs its registers before and after, the hour is settled."""

        async def run(by: Mapping[str, Actor]) -> dict[str, Any]:
            hour, meters = self.hour, [flow.meter for flow in flows]
            await _report(by["oracle"], meters, hour.delivery_start_ms)
            for flow in flows:
                flow.meter.run_hour(load_wh=flow.load_wh, pv_wh=flow.pv_wh)
            await asyncio.sleep(max(0, hour.delivery_end_ms - _now_ms()) / 1_000)
            await _report(by["oracle"], meters, hour.delivery_end_ms)
            return await _scheduler(by).settle(hour)

        return self._do(run)

    def _do(self, work: Callable[[Mapping[str, Actor]], Coroutine[Any, Any, Any]]) -> Any:
        async def run() -> Any:
            async with self._demo.actors() as (actors, _):
                return await work(actors)

        with ThreadPoolExecutor(1) as threads:
            return threads.submit(asyncio.run, run()).result()


async def _report(oracle: Actor, meters: list[VirtualMeter], t_end_ms: int) -> None:
    readings = [asdict(meter.read(t_end_ms)) for meter in meters]
    await oracle.submit("oracle:report_readings", json.dumps(readings))


def _scheduler(by: Mapping[str, Actor]) -> Scheduler:
    return Scheduler(by["scheduler"], _now_ms)


def _now_ms() -> int:
    return int(datetime.now(tz=UTC).timestamp() * 1_000)
