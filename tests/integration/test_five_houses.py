"""Fifteen hours of five houses in accelerated time: what settles is what nodes signed.

Every watt-hour that settles must be the difference of two readings which the firmware on
MicroPython signed, and the gateway's raw data must be anchored.
"""

import asyncio
import base64
import json
from datetime import datetime, timedelta

import pytest

from chaincode.energy.oracle.readings import signed_message
from chaincode.energy.oracle.records import MeterReading
from gateway.hems.anchored_rows import READINGS
from gateway.hems.anchoring import compare
from ledger.crypto.signing import verify_signature
from tests.integration.five_houses_world import HOUSES, FiveHouses
from tests.support.mosquitto import needs_mosquitto
from tests.unit.energy.community import DSO, milliseconds

HOURS_ALWAYS, HOURS_FULL = 1, 15
pytestmark = [needs_mosquitto, pytest.mark.slow]


@pytest.mark.parametrize("hours", [HOURS_ALWAYS, pytest.param(HOURS_FULL, marks=pytest.mark.full)])
def test_every_settled_watt_hour_traces_to_readings_that_a_node_signed(tmp_path, hours):
    world = FiveHouses(tmp_path, hours)
    asyncio.run(world.run())
    assert len(world.settled) == hours
    totals = {"imported": 0, "exported": 0, "settled": 0}
    for listing, settlement in world.settled.items():
        hour = datetime.fromisoformat(f"{listing}:00:00+00:00")
        ends = milliseconds(hour), milliseconds(hour + timedelta(hours=1))
        assert settlement["state"] == "SETTLED"
        assert settlement["missing"] == []
        lines = []
        for house in world.houses:
            client, name = house.home.client, house.home.meter_id
            series = client.evaluate("access:meter_series", name, ends[0] - 1, ends[1])
            start, end = (
                next(one for one in series if one["t_end_ms"] == instant) for instant in ends
            )
            for one in (start, end):
                reading = MeterReading(**one)
                message = json.loads(house.heard[reading.seq])
                assert message["imp_wh"] == reading.import_wh
                assert message["sig"] == reading.signature
                signature = base64.b64decode(reading.signature)
                verify_signature(house.public_key, signed_message(reading), signature)
            line = client.evaluate("market:get_line", listing, house.home.idgrid)
            assert line["imported_wh"] == end["import_wh"] - start["import_wh"]
            assert line["exported_wh"] == end["export_wh"] - start["export_wh"]
            assert line["metering"] == "measured"
            assert line["sold_wh"] <= line["exported_wh"]
            assert line["bought_wh"] <= line["imported_wh"]
            lines.append(line)
        assert settlement["imported_wh"] == sum(line["imported_wh"] for line in lines)
        assert settlement["exported_wh"] == sum(line["exported_wh"] for line in lines)
        assert settlement["settled_wh"] == sum(line["sold_wh"] for line in lines)
        assert settlement["settled_wh"] == sum(line["bought_wh"] for line in lines)
        totals["imported"] += settlement["imported_wh"]
        totals["exported"] += settlement["exported_wh"]
        totals["settled"] += settlement["settled_wh"]
    assert totals["imported"] + totals["exported"] > 0
    assert totals["settled"] > 0 or hours < HOURS_FULL
    for house in world.houses:
        last = house.last()
        numbers = list(range(1, hours * 4 + 2))
        assert (last["waiting"], last["registers"]["seq"]) == (0, numbers[-1])
        assert sorted(house.heard) == numbers
        assert house.node.said == [], "no link was lost, no message ignored"
    assert world.community.audit()["difference_utoken"] == 0
    anchors = world.community.oracle.evaluate("anchors:page", DSO, READINGS)
    assert anchors[-1]["last_row"] == HOUSES * (hours * 4 + 1)
    assert compare(world.anchors, READINGS, anchors) == []
    assert world.service.stores.alarms.all() == []
