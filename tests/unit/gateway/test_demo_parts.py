"""The demo's pure parts, and the oracle that leaves out a bad reading."""

import asyncio
import io
from dataclasses import replace

import pytest

from gateway.demo.report import DemoReport, HourReport, broken_invariants
from gateway.demo.table import LiveTable, Row
from gateway.hems.plausibility import Limits
from gateway.hems.profiles import DEMO_START
from gateway.hems.series import SeriesStore
from gateway.hems.virtual_meter import VirtualMeter
from gateway.mqtt.ingest import SeriesIntake
from gateway.mqtt.reading import BadReading
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.topics import Topic
from gateway.oracle.series_source import SeriesReadings
from gateway.timetable.market_clock import MarketClock
from tests.support.gateway_database import fresh_database

HOUR = HourReport(
    listing_id="2016-08-01T20",
    label="1 Aug 13:00",
    offers=8,
    bids=9,
    price_utoken_per_kwh=150_000,
    retail_price_utoken_per_kwh=220_000,
    matched_wh=7_000,
    settled_wh=6_500,
    imported_wh=8_000,
    exported_wh=9_000,
    paid_utoken=975_000,
)
REPORT = DemoReport(
    hours=(HOUR,),
    households=17,
    issued_utoken=340_000_000,
    balances_before_utoken=340_000_000,
    balances_after_utoken=340_000_000,
    ledger_difference_utoken=0,
)


def test_a_good_run_breaks_nothing_and_every_fault_is_named():
    assert broken_invariants(REPORT, hours=1) == []
    assert "hours" in broken_invariants(REPORT, hours=2)[0]
    for change in (
        {"balances_after_utoken": 339_999_999},
        {"balances_before_utoken": 1},
        {"issued_utoken": 1},
        {"ledger_difference_utoken": 1},
        {"hours": (replace(HOUR, settled_wh=7_001, paid_utoken=1_050_150),)},
        {"hours": (replace(HOUR, imported_wh=6_499),)},
        {"hours": (replace(HOUR, paid_utoken=974_999),)},
    ):
        assert broken_invariants(replace(REPORT, **change), hours=1)


def test_an_hour_takes_orders_while_the_one_before_delivers():
    clock = MarketClock(first_delivery_ms=10_000, hour_ms=4_000, first_hour=DEMO_START)
    first, second = clock.hour(0), clock.hour(1)
    assert (first.listing_id, second.listing_id) == ("2016-08-01T20", "2016-08-01T21")
    assert first.open_at_ms == 6_000
    assert first.gate_closure_ms == 9_000
    assert first.delivery_end_ms == second.delivery_start_ms == 14_000
    assert second.open_at_ms == first.delivery_start_ms


def test_the_table_appends_lines_where_there_is_no_terminal():
    out = io.StringIO()
    table = LiveTable(out=out, is_terminal=False)
    table.update("a", Row("1 Aug 13:00", "delivering", 8, 9, 150_000, 220_000, 7_000))
    table.update("a", Row("1 Aug 13:00", "settled", 8, 9, 150_000, 220_000, 7_000, 6_500, 8_000))
    lines = out.getvalue().splitlines()
    assert len(lines) == 3
    assert "\x1b" not in out.getvalue()
    assert "0.150" in lines[2]
    assert "81 %" in lines[2]


def test_the_table_rewrites_itself_on_a_terminal():
    out = io.StringIO()
    table = LiveTable(out=out, is_terminal=True)
    table.update("a", Row("1 Aug 13:00"))
    table.update("b", Row("1 Aug 14:00"))
    assert "\x1b[2A" in out.getvalue()
    assert out.getvalue().count("1 Aug 14:00") == 1


def test_a_long_day_stays_within_the_terminal():
    out = io.StringIO()
    table = LiveTable(out=out, is_terminal=True)
    for number in range(40):
        table.update(str(number), Row(f"hour {number}"))
    last = out.getvalue().rpartition("\x1b[17A")[2]
    assert last.count("\n") == 17
    assert "hour 39" in last
    assert "hour 23" not in last


def test_the_demos_oracle_does_not_believe_what_cannot_be_true():
    meter = VirtualMeter("m-1")

    class Keys:
        def public_key(self, meter_id):
            return meter.public_key

    async def play() -> None:
        series = SeriesStore(fresh_database(), Limits(), 0)
        intake = SeriesIntake(series, ReadingCheck(Keys()), lambda: 3_600_000)
        topic = Topic("val", "m-1", "reading")
        first = meter.read(1_000)
        assert await intake.accept(topic, meter.message(first)) == first
        assert await intake.accept(topic, meter.message(first)) is None
        meter.run_hour(load_wh=200_000, pv_wh=0)
        with pytest.raises(BadReading, match="register_jump"):
            await intake.accept(topic, meter.message(meter.read(3_600_000)))
        found = await SeriesReadings(series).since({"m-1": 0}, 3_600_000)
        assert found == {"m-1": [first]}

    asyncio.run(play())
