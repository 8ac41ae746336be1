"""Virtual meters, their messages, and the store that takes only honest ones."""

import asyncio
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from chaincode.energy.hours import TIME_MS_MAX
from gateway.hems.profiles import DEMO_START, load_profiles
from gateway.hems.running import limits_for
from gateway.hems.series import SeriesStore
from gateway.hems.virtual_meter import VirtualMeter
from gateway.mqtt.ingest import SeriesIntake
from gateway.mqtt.reading import BadReading, check_signature, decode_reading, encode_reading
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.topics import Topic
from tests.support.gateway_database import fresh_database

HOUR_MS = 3_600_000


def key_of(meter: VirtualMeter):
    return load_pem_public_key(meter.public_key_pem.encode())


class KeysOf:
    def __init__(self, *meters: VirtualMeter) -> None:
        self.keys = {meter.meter_id: key_of(meter) for meter in meters}

    def public_key(self, meter_id):
        return self.keys.get(meter_id)


def topic(meter_id: str) -> Topic:
    return Topic("val", meter_id, "reading")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 20_000)), max_size=12))
def test_registers_only_grow_and_account_for_every_wh(hours):
    meter = VirtualMeter("m-1")
    before = meter.read(0)
    for number, (load_wh, pv_wh) in enumerate(hours, start=1):
        meter.run_hour(load_wh=load_wh, pv_wh=pv_wh)
        after = meter.read(number * HOUR_MS)
        assert after.seq == before.seq + 1
        assert after.import_wh >= before.import_wh
        assert after.export_wh >= before.export_wh
        imported = after.import_wh - before.import_wh
        exported = after.export_wh - before.export_wh
        assert exported - imported == pv_wh - load_wh
        assert min(imported, exported) == 0
        before = after


def test_a_reading_survives_the_wire_and_its_signature_holds():
    meter = VirtualMeter("m-1")
    meter.run_hour(load_wh=1_200, pv_wh=0)
    reading = meter.read(HOUR_MS)
    received = decode_reading(meter.message(reading))
    assert received == reading
    check_signature(received, key_of(meter))
    with pytest.raises(BadReading):
        check_signature(replace(received, import_wh=1_199), key_of(meter))
    with pytest.raises(BadReading):
        check_signature(received, key_of(VirtualMeter("m-1")))


@pytest.mark.parametrize(
    "change",
    [
        {"seq": -1},
        {"seq": True},
        {"imp_wh": 1.5},
        {"imp_wh": "7"},
        {"exp_wh": 10**16},
        {"t_end": TIME_MS_MAX + 1},
        {"q": "guessed"},
        {"v": 2},
        {"sig": "not base64!"},
        {"m": "a|b"},
        {"extra": 1},
    ],
)
def test_malformed_readings_are_named(change):
    meter = VirtualMeter("m-1")
    message = json.loads(meter.message(meter.read(HOUR_MS))) | change
    with pytest.raises(BadReading):
        decode_reading(json.dumps(message).encode())


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[]", b'{"v":1}', b" " * 2_000])
def test_what_is_not_a_reading_at_all(raw):
    with pytest.raises(BadReading):
        decode_reading(raw)


def test_the_store_takes_each_reading_once_and_none_it_cannot_believe():
    meter, other = VirtualMeter("m-1"), VirtualMeter("m-2")
    series = SeriesStore(fresh_database(), limits_for(HOUR_MS), 0)
    store = SeriesIntake(series, ReadingCheck(KeysOf(meter)), lambda: 3 * HOUR_MS)

    async def play() -> None:
        first = meter.read(HOUR_MS)
        assert await store.accept(topic("m-1"), meter.message(first)) == first
        assert await store.accept(topic("m-1"), meter.message(first)) is None
        meter.run_hour(load_wh=500, pv_wh=0)
        second = meter.read(2 * HOUR_MS)
        assert await store.accept(topic("m-1"), meter.message(second)) == second
        assert await store.accept(topic("m-1"), meter.message(first)) is None
        with pytest.raises(BadReading, match="speaks for"):
            await store.accept(topic("m-2"), meter.message(second))
        with pytest.raises(BadReading, match="unknown_meter"):
            await store.accept(topic("m-2"), other.message(other.read(HOUR_MS)))
        forged = encode_reading(replace(meter.read(3 * HOUR_MS), import_wh=1), "kid")
        with pytest.raises(BadReading, match="bad_signature"):
            await store.accept(topic("m-1"), forged)
        assert series.between("m-1", 0, 3 * HOUR_MS) == [first, second]

    asyncio.run(play())


def test_the_extract_has_the_totals_of_its_source():
    profiles = load_profiles()
    assert len(profiles.homes) == 17
    assert profiles.hours == 8_760
    assert sum(sum(home.load_wh) for home in profiles.homes) == 169_644_159
    assert sum(profiles.homes[14].pv_wh) == 144_469
    start = profiles.hour_index(DEMO_START)
    assert profiles.retail_price_utoken_per_kwh[start] == 220_000
    assert profiles.retail_price_utoken_per_kwh[start + 2] == 540_000
