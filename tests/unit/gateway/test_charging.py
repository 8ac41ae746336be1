"""The rule by which a car charges: the cheapest hours that are enough, inside its window."""

import random
from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from chaincode.energy.hours import HOUR_MS
from gateway.agent.charging import (
    Charge,
    as_far_as_possible,
    cost_utoken,
    overnight,
    plan,
    standing_order,
)

EVENING = date(2026, 1, 15)
NIGHT = {"begins": time(19), "ends": time(6), "energy_wh": 21_900, "power_w": 3_650}
VALPARAISO = timezone(timedelta(hours=-3))


def charge(**changes) -> Charge:
    return overnight(EVENING, zone=VALPARAISO, **(NIGHT | changes))


def priced(found: Charge, *prices: int) -> dict[int, int]:
    return dict(zip(found.hours, prices, strict=True))


def test_a_night_has_eleven_hours_by_the_communitys_clocks():
    found = charge()
    assert len(found.hours) == 11
    assert found.hours[0] == int(datetime(2026, 1, 15, 22, tzinfo=UTC).timestamp()) * 1_000
    assert found.hours[-1] + HOUR_MS == found.until_ms
    assert found.hours_needed == 6


def test_the_cheapest_hours_are_taken_and_of_equal_ones_the_earlier():
    found = charge()
    prices = priced(found, 9, 9, 9, 5, 5, 1, 1, 1, 5, 9, 9)
    hours = [list(found.hours).index(hour) for hour in plan(found, prices)]
    assert hours == [3, 4, 5, 6, 7, 8]
    assert set(plan(found, prices).values()) == {3_650}
    assert list(plan(found, {})) == list(found.hours[:6]), "without prices at once"
    half_known = dict.fromkeys(found.hours[5:], 100_000)
    assert list(plan(found, half_known)) == list(found.hours[5:]), "an unknown price is dear"


def test_the_dearest_hour_charges_what_is_left():
    found = charge(energy_wh=8_000)
    prices = priced(found, 3, 1, 2, 9, 9, 9, 9, 9, 9, 9, 9)
    assert list(plan(found, prices).values()) == [700, 3_650, 3_650]


def test_what_an_hour_did_not_give_is_made_up_for_and_in_the_end_whatever_it_costs():
    found = charge()
    prices = priced(found, *range(11))
    now_ms = found.hours[6]
    assert list(plan(found, prices, now_ms=now_ms, charged_wh=18_250).values()) == [3_650]
    assert len(plan(found, prices, now_ms=now_ms, charged_wh=0)) == 5, "all that are left"
    assert plan(found, prices, now_ms=now_ms, charged_wh=21_900) == {}
    assert plan(found, prices, now_ms=found.until_ms) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"ends": time(0)},
        {"energy_wh": 0},
        {"power_w": 0},
        {"energy_wh": 40_151},
    ],
)
def test_what_cannot_be_done_in_the_window_is_refused_at_once(changes):
    with pytest.raises(ValueError, match=r"positive|the window has"):
        charge(**changes)
    with pytest.raises(ValueError, match="at most a day"):
        Charge(0, 25 * HOUR_MS, 1, 1)


def test_a_night_of_summer_time_is_an_hour_shorter_or_longer():
    lisbon = ZoneInfo("Europe/Lisbon")
    hours = {
        evening: len(overnight(evening, zone=lisbon, **NIGHT).hours)
        for evening in (date(2026, 3, 28), date(2026, 6, 1), date(2026, 10, 24))
    }
    assert list(hours.values()) == [10, 11, 12]


def test_what_a_window_cannot_give_is_left_out_at_night():
    half = HOUR_MS // 2
    power = {"energy_wh": 10_000, "power_w": 3_650}
    assert as_far_as_possible(0, 3 * HOUR_MS, **power) == Charge(0, 3 * HOUR_MS, **power)
    assert as_far_as_possible(half, 3 * HOUR_MS, **power).energy_wh == 7_300
    day = as_far_as_possible(0, 25 * HOUR_MS, **power)
    assert (day.until_ms, day.energy_wh) == (24 * HOUR_MS, 10_000)
    assert as_far_as_possible(half, HOUR_MS + half, **power) is None
    assert as_far_as_possible(HOUR_MS, 0, **power) is None


def test_no_plan_costs_more_than_charging_at_once():
    draw = random.Random(93)
    found = charge()
    at_once = plan(found, {})
    for _ in range(500):
        prices = priced(found, *(draw.randint(1, 200_000) for _ in found.hours))
        planned = plan(found, prices)
        assert sum(planned.values()) == found.energy_wh
        assert cost_utoken(planned, prices) <= cost_utoken(at_once, prices)


def test_the_order_it_signs_allows_the_planned_hours_and_no_more():
    found = charge()
    planned = plan(found, priced(found, 9, 9, 9, 5, 5, 1, 1, 1, 5, 9, 9))
    order = standing_order(found, planned, price_utoken_per_kwh=90_000, budget_utoken=2_000_000)
    assert order == {
        "side": "bid",
        "energy_wh": 3_650,
        "price_utoken_per_kwh": 90_000,
        "hours_utc": [1, 2, 3, 4, 5, 6],
        "from_ms": found.hours[3],
        "until_ms": found.hours[8] + HOUR_MS,
        "listings_max": 6,
        "budget_utoken": 2_000_000,
    }
