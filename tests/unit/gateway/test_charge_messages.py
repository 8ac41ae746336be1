"""A battery's state of charge from its controller over the broker into the store."""

import asyncio
import json
import time

import pytest

from chaincode.energy.hours import HOUR_MS
from gateway.hems.batteries import BatteryStore, Observation
from gateway.hems.running import limits_for
from gateway.hems.series import SeriesStore
from gateway.mqtt.charge import CLOCK_AHEAD_MS_MAX, decode_charge
from gateway.mqtt.ingest import SeriesIntake, accept_charge, ingest
from gateway.mqtt.reading import BadReading
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.topics import Topic
from tests.support.gateway_database import fresh_database
from tests.unit.gateway.test_embedded_broker import COMMUNITY, client, running_broker, scene

NOW_MS = 1_000_000_000
GOOD = {"v": 1, "b": "meter-1", "t": NOW_MS, "stored_wh": 6_250}


def decoded(message: object) -> Observation:
    raw = message if isinstance(message, bytes) else json.dumps(message).encode()
    return decode_charge(raw, battery_id="meter-1", now_ms=NOW_MS)


def test_a_charge_is_read() -> None:
    assert decoded(GOOD) == Observation(at_ms=NOW_MS, stored_wh=6_250)
    assert decoded(GOOD | {"t": NOW_MS + CLOCK_AHEAD_MS_MAX}).at_ms > NOW_MS


@pytest.mark.parametrize(
    "message",
    [
        b"not JSON",
        b"[1]",
        b"x" * 2_000,
        GOOD | {"v": 2},
        GOOD | {"b": "meter-2"},
        GOOD | {"extra": 1},
        {name: GOOD[name] for name in ("v", "b", "t")},
        GOOD | {"stored_wh": -1},
        GOOD | {"stored_wh": 1.5},
        GOOD | {"stored_wh": True},
        GOOD | {"stored_wh": 10**13},
        GOOD | {"t": "now"},
        GOOD | {"t": NOW_MS + CLOCK_AHEAD_MS_MAX + 1},
    ],
)
def test_anything_else_is_refused(message: object) -> None:
    with pytest.raises(BadReading):
        decoded(message)


class NoKeys:
    def public_key(self, meter_id):
        return None


def test_charges_come_over_the_broker_and_bad_ones_are_counted() -> None:
    at_ms, batteries = time.time_ns() // 1_000_000, BatteryStore()
    series = SeriesStore(fresh_database(), limits_for(HOUR_MS), at_ms)
    store = SeriesIntake(series, ReadingCheck(NoKeys()), lambda: at_ms)

    async def play() -> None:
        async with running_broker() as broker, client(broker, "gateway") as gateway:
            for leaf in ("reading", "charge"):
                await gateway.subscribe(f"rec/val/+/{leaf}", qos=1)
            ingesting = asyncio.create_task(ingest(gateway, COMMUNITY, store, batteries))
            async with client(broker, "meter-1") as battery:
                for message in ({"v": 9}, GOOD | {"t": at_ms}):
                    raw = json.dumps(message).encode()
                    await battery.publish("rec/val/meter-1/charge", raw, qos=1)
            async with asyncio.timeout(60):
                while batteries.at("meter-1", at_ms) is None:  # noqa: ASYNC110 - no event for it
                    await asyncio.sleep(0)
            ingesting.cancel()

    scene(play())
    assert batteries.at("meter-1", at_ms) == Observation(at_ms, 6_250)
    assert store.refused == {"meter-1": 1}


def test_an_older_charge_changes_nothing() -> None:
    batteries = BatteryStore()
    topic = Topic("val", "meter-1", "charge")
    newer, older = json.dumps(GOOD).encode(), json.dumps(GOOD | {"t": NOW_MS - 1}).encode()
    assert accept_charge(batteries, topic, newer) is True
    assert accept_charge(batteries, topic, older) is False
