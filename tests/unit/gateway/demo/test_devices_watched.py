"""What the demo tells of its devices, and how long it waits for it."""

import asyncio
import io
from typing import Any

import httpx

from gateway.demo.devices import AWAY_MS_MIN, DeviceWatch, MeterOutOfReach, away_ms_max
from gateway.demo.table import LiveTable
from gateway.hems.fleet import LightMeter

MISSING = "meter-06"
HOUR_MS = 3_600_000


class Gateway:
    """Its two lists, of which each look finds the next version; the last one stays."""

    def __init__(self, *alarms: dict[str, Any]) -> None:
        self._alarms = list(alarms)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/transfers":
            return httpx.Response(200, json=[])
        found = self._alarms.pop(0) if len(self._alarms) > 1 else self._alarms[0]
        return httpx.Response(200, json=[found])

    def http(self) -> httpx.AsyncClient:
        transport = httpx.MockTransport(self.answer)
        return httpx.AsyncClient(transport=transport, base_url="http://gateway.test")


def silent(*, cleared_ms: int | None) -> dict[str, Any]:
    return {
        "number": 1,
        "device_id": MISSING,
        "kind": "silent",
        "detail": "not heard for more than 3 s",
        "cleared_ms": cleared_ms,
    }


def test_the_end_of_an_alarm_is_told_however_late_the_gateway_hears_the_meter():
    out = io.StringIO()

    async def play() -> None:
        standing, over = silent(cleared_ms=None), silent(cleared_ms=9)
        async with Gateway(standing, standing, over).http() as http:
            watch = DeviceWatch(http, LiveTable(out=out, is_terminal=False))
            watch.missing = MISSING
            await watch.look_until_over()
            assert watch.is_missed.is_set()

    asyncio.run(play())
    assert "alarm 1: meter-06 silent, over" in out.getvalue()


class Meter(LightMeter):
    """Publishes nowhere, and remembers it."""

    def __init__(self) -> None:
        self.meter_id, self.public_key, self.public_key_pem = MISSING, None, ""
        self.published: list[int] = []

    async def publish(self, t_end_ms: int) -> None:
        self.published.append(t_end_ms)


def test_a_meter_stays_out_of_reach_until_it_is_missed_however_short_the_hour():
    assert away_ms_max(3_000) == AWAY_MS_MIN
    assert away_ms_max(HOUR_MS) == HOUR_MS * 3 // 4

    async def play() -> None:
        meter, is_missed = Meter(), asyncio.Event()
        away = MeterOutOfReach(meter, is_missed, away_ms_max(3_000))
        await away.publish(1)
        late = asyncio.create_task(away.publish(2))
        await asyncio.sleep(0)
        assert meter.published == [1]
        is_missed.set()
        await late
        assert meter.published == [1, 2]

    asyncio.run(play())
