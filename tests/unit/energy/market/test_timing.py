"""Phases of a listing under each preset."""

from datetime import UTC, datetime

import pytest

from chaincode.energy.hours import HOUR_MS, MINUTE_MS, delivery_hour_ms, listing_id_at
from chaincode.energy.market.timing import PRESETS, Timing, preset_timing


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def test_the_id_is_the_delivery_hour_in_utc() -> None:
    assert delivery_hour_ms("2026-01-15T10") == at("2026-01-15T10:00")
    assert listing_id_at(at("2026-01-15T10:59:59")) == "2026-01-15T10"


@pytest.mark.parametrize(
    "text", ["", "2026-01-15", "2026-1-15T10", "2026-02-30T10", "2026-01-15T24", "2026-01-15T1 "]
)
def test_other_ids_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        delivery_hour_ms(text)


def test_days_of_23_and_25_local_hours_have_distinct_listings() -> None:
    start = at("2026-03-28T00:00")
    names = [listing_id_at(start + hour * HOUR_MS) for hour in range(72)]
    assert len(set(names)) == 72
    assert [delivery_hour_ms(name) for name in names] == [start + h * HOUR_MS for h in range(72)]


def test_energy_auction_phases_are_10_2_60_3_minutes() -> None:
    timing = preset_timing("energy_auction", "2026-01-15T10")
    assert timing.gate_closure_ms - timing.opens_at_ms == 600_000
    assert timing.delivery_start_ms - timing.gate_closure_ms == 120_000
    assert timing.delivery_end_ms - timing.delivery_start_ms == 3_600_000
    assert timing.settlement_end_ms - timing.delivery_end_ms == 180_000


def test_neighbouring_listings_overlap() -> None:
    first = preset_timing("energy_auction", "2026-01-15T10")
    second = preset_timing("energy_auction", "2026-01-15T11")
    assert second.opens_at_ms < first.settlement_end_ms
    assert first.delivery_end_ms == second.delivery_start_ms


def test_day_market_sessions_in_local_time() -> None:
    midday = preset_timing("day_market", "2026-01-15T16", utc_offset_minutes=-180)
    assert midday.opens_at_ms == at("2026-01-15T13:30")
    assert midday.gate_closure_ms == midday.delivery_start_ms == at("2026-01-15T16:00")
    assert midday.delivery_end_ms == at("2026-01-15T17:00")
    evening = preset_timing("day_market", "2026-01-15T19", utc_offset_minutes=-180)
    assert evening.opens_at_ms == at("2026-01-15T17:00")
    assert evening.delivery_start_ms == at("2026-01-15T19:30")
    assert evening.delivery_end_ms == at("2026-01-15T20:30")


def test_day_market_across_the_date_line_and_half_hour_zones() -> None:
    east = preset_timing("day_market", "2026-01-15T00", utc_offset_minutes=13 * 60)
    assert east.delivery_start_ms == at("2026-01-15T00:00")
    west = preset_timing("day_market", "2026-01-16T00", utc_offset_minutes=-11 * 60)
    assert west.opens_at_ms == at("2026-01-15T21:30")
    india = preset_timing("day_market", "2026-01-15T07", utc_offset_minutes=330)
    assert india.delivery_start_ms == at("2026-01-15T07:30")


def test_every_preset_keeps_its_phases_in_order() -> None:
    for preset in PRESETS:
        timing = preset_timing(preset, "2026-01-15T13")
        assert timing is None if preset == "custom" else timing and timing.in_order
    assert not Timing(5, 5, 6, 7, 7).in_order
    assert not Timing(-MINUTE_MS, 5, 6, 7, 7).in_order
    assert not Timing(1, 5, 4, 7, 7).in_order
    assert not Timing(1, 5, 5, 7, 6).in_order


@pytest.mark.parametrize(
    ("preset", "listing_id", "offset"),
    [("weekly", "2026-01-15T10", 0), ("day_market", "2026-01-15T12", 0), ("hourly", "x", 0)],
)
def test_impossible_timings_are_refused(preset: str, listing_id: str, offset: int) -> None:
    with pytest.raises(ValueError):
        preset_timing(preset, listing_id, utc_offset_minutes=offset)


def test_offsets_beyond_the_earth_are_refused() -> None:
    with pytest.raises(ValueError, match="out of range"):
        preset_timing("day_market", "2026-01-15T13", utc_offset_minutes=15 * 60)
