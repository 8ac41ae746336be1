"""Savings, look back of a standing order, energy by hour and day, power, ranges, amounts."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.settlement.planning import AMOUNTS
from chaincode.energy.settlement.records import SettlementLine
from gateway.books.metered_history import MeteredHours, total
from gateway.books.savings import Tariffs, of_month_around, saving_of, savings_over
from gateway.books.standing_preview import (
    PastHour,
    StandingWish,
    contract_argument,
    look_back,
    proposed,
)
from gateway.errors import RequestRefused
from gateway.hems.power_now import power_between
from gateway.local_time import UTC_CLOCKS, named
from gateway.web.gauges import Range, charge_bounds, power_bounds, voltage_bounds
from gateway.web.written_amounts import whole_units

TARIFFS = Tariffs(retail_utoken_per_kwh=100_000, feed_in_utoken_per_kwh=20_000)
DAY = datetime(2026, 1, 15, tzinfo=UTC)


def line(*, metering: str = "measured", **amounts: int) -> SettlementLine:
    return SettlementLine(
        idgrid="VAL-0001-X", metering=metering, **(dict.fromkeys(AMOUNTS, 0) | amounts)
    )


def test_a_buyer_saves_what_the_utility_would_have_charged_more():
    assert saving_of(line(bought_wh=2_000, paid_utoken=120_000), TARIFFS) == 80_000
    charged = line(bought_wh=2_000, paid_utoken=120_000, network_charge_utoken=90_000)
    assert saving_of(charged, TARIFFS) == -10_000


def test_a_seller_gains_what_the_feed_in_tariff_would_not_have_paid():
    sold = line(sold_wh=3_000, received_utoken=150_000, pool_share_utoken=5_000)
    assert saving_of(sold, TARIFFS) == 85_000
    both = savings_over([(sold, TARIFFS), (line(), TARIFFS)])
    assert (both.saved_utoken, both.sold_wh, both.bought_wh, both.hours) == (85_000, 3_000, 0, 2)


def test_a_month_of_savings_is_the_communitys_own():
    """In Chile the evening of 31 January is 1 February in UTC."""
    hours = ("2026-01-01T02", "2026-01-01T03", "2026-02-01T02", "2026-02-01T03")
    lines = dict.fromkeys(hours, line(sold_wh=1_000))
    santiago = named("America/Santiago")
    assert list(of_month_around("2026-02-01T02", lines, santiago)) == list(hours[1:3])
    assert list(of_month_around("2026-02-01T02", lines, UTC_CLOCKS)) == list(hours[2:])


def past(price: int | None, imported_wh: int = 0, exported_wh: int = 0) -> PastHour:
    return PastHour(price, 100_000, 20_000, imported_wh, exported_wh)


def test_what_is_proposed_is_the_households_own_usual_energy_at_the_utilitys_price():
    week = [past(50_000, imported_wh=950), past(50_000, imported_wh=1_150), past(None)]
    assert proposed("bid", week) == StandingWish("bid", 1_000, 100_000)
    assert proposed("offer", week) is None
    assert proposed("offer", [past(None, exported_wh=30)]) == StandingWish("offer", 100, 20_000)
    assert proposed("bid", []) is None


def test_the_look_back_trades_only_within_limit_and_metered_energy():
    week = [past(60_000, imported_wh=400), past(70_001, imported_wh=5_000), past(None, 900)]
    found = look_back(StandingWish("bid", 1_000, 70_000), week)
    assert (found.hours, found.traded_hours, found.energy_wh) == (3, 1, 400)
    assert (found.amount_utoken, found.gain_utoken) == (24_000, 16_000)
    sold = look_back(
        StandingWish("offer", 500, 30_000), [past(29_999, 0, 9), past(30_000, 0, 800)]
    )
    assert (sold.energy_wh, sold.gain_utoken) == (500, 5_000)


@given(st.lists(st.builds(past, st.integers(20_000, 100_000), st.integers(0, 9_999))))
def test_a_proposed_bid_is_never_worse_than_the_utility(week):
    wish = proposed("bid", week)
    if wish is not None:
        assert look_back(wish, week).gain_utoken >= 0


def test_the_contracts_argument_bounds_orders_and_money():
    wish = StandingWish("bid", 1_500, 90_001)
    argument = contract_argument(wish, res_id="pv", now_ms=5, listings_per_day=24)
    assert argument["listings_max"] == 720
    assert argument["budget_utoken"] == 720 * 135_002
    assert (argument["res_id"], argument["from_ms"]) == ("", 5)
    offer = contract_argument(
        StandingWish("offer", 1, 1), res_id="pv", now_ms=5, listings_per_day=24
    )
    assert offer["res_id"] == "pv"


def hours(**by_hour: SettlementLine) -> MeteredHours:
    first_ms = int(DAY.timestamp()) * 1000
    return MeteredHours(
        {first_ms + int(name[1:]) * 3_600_000: it for name, it in by_hour.items()}, UTC_CLOCKS
    )


def test_an_hour_nobody_metered_is_a_gap_and_not_zero():
    known = hours(
        h1=line(imported_wh=500),
        h3=line(metering="missing", imported_wh=0),
        h4=line(metering="substituted", exported_wh=70),
        h5=line(metering="estimated", imported_wh=20),
    )
    shown = known.day(date(2026, 1, 15))
    assert [part.imported_wh for part in shown] == [None, 500, None, None, 0, 20]
    assert [part.stated for part in shown] == [0, 0, 0, 0, 1, 0]
    assert [part.estimated for part in shown] == [0, 0, 0, 0, 0, 1]
    assert total(shown) == (520, 70)
    assert known.day(date(2026, 1, 14)) == []


def test_a_month_has_every_day_up_to_the_last_known_one():
    known = hours(h1=line(imported_wh=500), h23=line(imported_wh=1), h49=line(exported_wh=9))
    shown = known.month(date(2026, 1, 1))
    assert len(shown) == 17
    assert [part.imported_wh for part in shown[13:]] == [None, 501, None, 0]
    assert known.days == [date(2026, 1, 17), date(2026, 1, 15)]
    assert known.month(date(2026, 2, 1)) == []


def reading(t_end_ms: int, import_wh: int, export_wh: int) -> MeterReading:
    return MeterReading("m", 1, t_end_ms, import_wh, export_wh, "measured", "")


def test_power_is_the_mean_between_two_readings():
    before, after = reading(0, 100, 50), reading(900_000, 400, 50)
    found = power_between(before, after, hour_ms=3_600_000)
    assert found is not None
    assert found.power_w == 1_200
    fed = power_between(reading(0, 0, 0), reading(6_000, 0, 2_500), hour_ms=6_000)
    assert fed is not None
    assert fed.power_w == -2_500
    assert power_between(None, after, hour_ms=1) is None
    assert power_between(after, after, hour_ms=1) is None


@pytest.mark.parametrize(
    ("bounds", "value", "expected"),
    [
        (voltage_bounds(), None, Range.UNKNOWN),
        (voltage_bounds(), 230_000, Range.GOOD),
        (voltage_bounds(), 243_800, Range.GOOD),
        (voltage_bounds(), 243_801, Range.WARN),
        (voltage_bounds(), 253_001, Range.BAD),
        (voltage_bounds(), 206_999, Range.BAD),
        (power_bounds(10_000), 8_000, Range.GOOD),
        (power_bounds(10_000), 8_001, Range.WARN),
        (power_bounds(10_000), 10_001, Range.BAD),
        (charge_bounds(), 40, Range.GOOD),
        (charge_bounds(), 39, Range.WARN),
        (charge_bounds(), 19, Range.BAD),
    ],
)
def test_a_range_ends_at_its_bound(bounds, value, expected):
    assert bounds.range_of(value) is expected


@pytest.mark.parametrize(("text", "expected"), [("1", 1_000), ("1,5", 1_500), (" 0.001 ", 1)])
def test_amounts_are_read_exactly(text, expected):
    assert whole_units(text, 1_000, 10_000) == expected


@pytest.mark.parametrize("text", ["", "1e3", "-1", "0", "0.0001", "11", "1.2.3", "١", "1 000"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(RequestRefused):
        whole_units(text, 1_000, 10_000)
