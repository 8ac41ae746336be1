"""Which night a charger's program charges in, what it expects to pay, and what it remembers."""

import os
import stat
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from chaincode.energy.hours import HOUR_MS
from gateway.agent.charger_night import Night, NightFile
from gateway.agent.charger_settings import ChargerSettings
from gateway.agent.charging import counted_wh
from gateway.agent.key_file import AgentKey
from tests.unit.gateway.ledger_double import an_identity

SANTIAGO = ZoneInfo("America/Santiago")
SETTINGS = ChargerSettings(
    key=AgentKey(an_identity(), "VAL-0001-2", "http://127.0.0.1:1"),
    token="t",
    state=Path("night.json"),
    plug="ev-7",
    meter="ev-7",
    begins=time(19),
    ends=time(6),
    zone=SANTIAGO,
    energy_wh=21_900,
    power_w=3_650,
    price_max_utoken_per_kwh=90_000,
    budget_utoken=2_000_000,
    prices={time(6): 102_000, time(22): 61_000},
)


def ms(day: int, hour: int, minute: int = 0) -> int:
    local = datetime(2026, 1, day, hour, minute, tzinfo=SANTIAGO)
    return int(local.astimezone(UTC).timestamp()) * 1_000


@pytest.mark.parametrize(
    ("now_ms", "evening"),
    [
        (ms(15, 12), date(2026, 1, 15)),
        (ms(15, 23), date(2026, 1, 15)),
        (ms(16, 5, 59), date(2026, 1, 15)),
        (ms(16, 6), date(2026, 1, 16)),
    ],
)
def test_the_night_is_the_one_that_runs_or_the_next(now_ms, evening):
    assert SETTINGS.night_at(now_ms) == SETTINGS.night_of(evening)


def test_a_window_within_a_day_is_of_that_day_until_it_is_over():
    noon = replace(SETTINGS, begins=time(10), ends=time(17))
    assert noon.night_at(ms(15, 16)).from_ms == ms(15, 10)
    assert noon.night_at(ms(15, 17)).from_ms == ms(16, 10)


MADRID = replace(
    SETTINGS,
    begins=time(23),
    ends=time(6),
    zone=ZoneInfo("Europe/Madrid"),
    energy_wh=25_900,
    power_w=3_700,
)


def nights_of(settings, first, days):
    """What the program charges one after the other, from an instant on."""
    now_ms = int(datetime.combine(first, time(12), tzinfo=UTC).timestamp()) * 1_000
    for _ in range(days):
        night = settings.night_at(now_ms)
        yield night
        now_ms = night.until_ms


@pytest.mark.parametrize(
    ("first", "hours", "energies_wh"),
    [
        (date(2026, 3, 27), [7, 6, 7], [25_900, 22_200, 25_900]),
        (date(2026, 10, 23), [7, 8, 7], [25_900] * 3),
    ],
)
def test_a_night_of_summer_time_is_charged_as_far_as_it_goes(first, hours, energies_wh):
    nights = [*nights_of(MADRID, first, 3)]
    assert [len(night.hours) for night in nights] == hours
    assert [night.energy_wh for night in nights] == energies_wh


@pytest.mark.parametrize(
    ("first", "hours"),
    [(date(2026, 3, 27), [24, 24, 23]), (date(2026, 10, 23), [24, 24, 24])],
)
def test_a_window_of_a_whole_day_is_never_longer_than_one(first, hours):
    always = replace(MADRID, begins=time(23), ends=time(23))
    nights = [*nights_of(always, first, 3)]
    assert [len(night.hours) for night in nights] == hours
    assert len({night.from_ms for night in nights}) == 3


def test_a_window_that_summer_time_takes_away_is_passed_over():
    small = replace(MADRID, begins=time(2), ends=time(3), energy_wh=3_700)
    days = [
        datetime.fromtimestamp(night.from_ms / 1_000, tz=UTC).day
        for night in nights_of(small, date(2026, 3, 27), 3)
    ]
    assert days == [28, 30, 31]


def test_prices_count_from_their_local_time_over_midnight():
    prices = SETTINGS.expected_prices(SETTINGS.night_of(date(2026, 1, 15)))
    assert [*prices.values()] == [102_000] * 3 + [61_000] * 8


def test_what_the_meter_has_not_told_yet_counts_by_the_power_for_an_hour_at_most():
    quarter_ms = int(timedelta(minutes=15).total_seconds()) * 1_000
    assert counted_wh(3_000, 0, quarter_ms, 3_650) == 3_000 + 912
    assert counted_wh(3_000, 0, quarter_ms, 0) == 3_000
    assert counted_wh(3_000, 0, 5 * HOUR_MS, 3_650) == 6_650
    assert counted_wh(-10, quarter_ms, 0, 3_650) == 0


def test_a_night_that_was_begun_is_known_again_and_another_one_is_new(tmp_path):
    charge = SETTINGS.night_of(date(2026, 1, 15))
    path = tmp_path / "night.json"
    begun = NightFile(path).of(charge, 0)
    assert begun == Night(charge.from_ms)
    begun.planned, begun.has_tried = {charge.hours[3]: 3_650}, True
    NightFile(path).keep(begun)
    assert NightFile(path).of(charge, 0) == begun
    next_one = SETTINGS.night_of(date(2026, 1, 16))
    assert NightFile(path).of(next_one, charge.until_ms) == Night(next_one.from_ms)
    for wrong in ("", "[]", '{"planned": {}}', '{"from_ms": 1, "planned": 2}'):
        path.write_text(wrong)
        with pytest.raises(ValueError, match="no charger's night"):
            NightFile(path).of(charge, 0)


def test_other_settings_buy_nothing_while_the_hours_that_were_signed_are_not_over(tmp_path):
    file = NightFile(tmp_path / "night.json")
    charge = SETTINGS.night_of(date(2026, 1, 15))
    signed = Night(charge.from_ms, {charge.hours[3]: 3_650}, "o-1", has_tried=True, import_wh=7)
    file.keep(signed)
    later = replace(SETTINGS, begins=time(20)).night_of(date(2026, 1, 15))
    over_ms = charge.hours[3] + HOUR_MS
    kept = file.of(later, over_ms - 1)
    assert kept == replace(signed, from_ms=later.from_ms)
    assert file.of(later, later.from_ms - 1).import_wh is None, "its window has not begun"
    assert file.of(later, over_ms) == Night(later.from_ms)
    file.keep(replace(signed, has_tried=False))
    assert file.of(later, over_ms - 1) == Night(later.from_ms), "it never left"


def test_the_name_of_what_is_kept_is_on_the_disk_too(tmp_path, monkeypatch):
    path, synced = tmp_path / "night.json", []

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            synced.append(path.exists())

    monkeypatch.setattr(os, "fsync", fsync)
    NightFile(path).keep(Night(1))
    assert synced == [True]
