"""An hour in which a sensor was at its end: from the converter to the line that says so.

The firmware on MicroPython reads the converter, signs, and a real broker, the gateway's database,
an oracle and the contract carry what it signed.
"""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.hems.alarms import AlarmKind
from tests.integration.five_houses_world import FIRST_HOUR, QUARTER, FiveHouses, House
from tests.support.mosquitto import needs_mosquitto

HOUSES, HOURS = 2, 2
CLIPPED_COUNTS = (65_535, 65_535)
"""Voltage and current at the ends of their converters."""
pytestmark = [needs_mosquitto, pytest.mark.slow]


class ClippingHouse(House):
    """One through which more may flow than its sensors can tell."""

    is_clipped = False

    def measured(self, hour: datetime) -> dict[str, Any]:
        if self.is_clipped:
            return {"power_mw": None, "counts": CLIPPED_COUNTS}
        return super().measured(hour)


class WithAClampAtItsEnd(FiveHouses):
    """The first house's sensors clip in the second quarter of the first hour."""

    house = ClippingHouse

    async def _step(self, instant: datetime, hour: datetime | None = None) -> None:
        self.houses[0].is_clipped = instant == FIRST_HOUR + 2 * QUARTER
        await super()._step(instant, hour)


def test_a_sensor_at_its_end_makes_an_estimated_hour_and_no_other(tmp_path):
    world = WithAClampAtItsEnd(tmp_path, HOURS, HOUSES)
    asyncio.run(world.run())
    clipped, *others = world.houses
    listings = [f"{FIRST_HOUR + timedelta(hours=at):%Y-%m-%dT%H}" for at in range(HOURS)]

    def line(house, listing: str) -> dict:
        return house.home.client.evaluate("market:get_line", listing, house.home.idgrid)

    assert [line(clipped, name)["metering"] for name in listings] == ["estimated", "measured"]
    for house in others:
        assert [line(house, name)["metering"] for name in listings] == ["measured"] * HOURS
    qualities = [json.loads(raw)["q"] for _, raw in sorted(clipped.heard.items())]
    assert qualities == ["measured"] * 2 + ["estimated"] * 3 + ["measured"] * 4

    known = line(clipped, listings[0])
    counted_wh = known["imported_wh"] + known["exported_wh"]
    hour_wh = abs(clipped.net_wh(FIRST_HOUR))
    assert abs(counted_wh - hour_wh * 3 // 4) <= hour_wh // 30, "nothing of the second quarter"
    (alarm,) = world.service.stores.alarms.all()
    assert (alarm.kind, alarm.device_id) == (AlarmKind.SENSOR, clipped.home.meter_id)
    assert alarm.detail == "i_saturated, u_saturated"
    assert alarm.cleared_ms is not None
    assert world.community.audit()["difference_utoken"] == 0
