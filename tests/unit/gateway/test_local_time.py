"""Days and months of the community's clocks, on the days on which those change."""

from datetime import UTC, date, datetime

import pytest

from chaincode.energy.hours import HOUR_MS, listing_id_at
from gateway.books.metered_history import MeteredHours, total
from gateway.hems.availability import availability
from gateway.local_time import UTC_CLOCKS, LocalTime, fixed, named
from gateway.settings import CommunitySettings
from gateway.web.languages import language
from tests.unit.gateway.test_household_figures import line

SANTIAGO, LISBON = named("America/Santiago"), named("Europe/Lisbon")
QUARTER_MS = HOUR_MS // 4
CHANGES = pytest.mark.parametrize(
    ("local", "day", "hours", "first", "last"),
    [
        (SANTIAGO, date(2026, 4, 4), 25, "00:00", "23:00"),  # 23:00 is there twice
        (SANTIAGO, date(2026, 9, 6), 23, "01:00", "23:00"),  # midnight does not exist
        (LISBON, date(2026, 3, 29), 23, "00:00", "23:00"),  # nor does 01:00
        (LISBON, date(2026, 10, 25), 25, "00:00", "23:00"),  # 01:00 is there twice
        (SANTIAGO, date(2026, 1, 15), 24, "00:00", "23:00"),
        (fixed(-420), date(2026, 4, 4), 24, "00:00", "23:00"),
    ],
)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@CHANGES
def test_a_day_has_the_hours_its_clocks_give_it(
    local: LocalTime, day: date, hours: int, first: str, last: str
) -> None:
    begin_ms, end_ms = local.day_ms(day)
    assert (end_ms - begin_ms) // HOUR_MS == hours
    assert local.day_of(begin_ms) == local.day_of(end_ms - 1) == day
    assert local.day_of(begin_ms - 1) < day < local.day_of(end_ms)


@CHANGES
def test_the_chart_of_a_day_has_every_hour_once(
    local: LocalTime, day: date, hours: int, first: str, last: str
) -> None:
    begin_ms, end_ms = local.day_ms(day)
    around = range(begin_ms - 30 * HOUR_MS, end_ms + 30 * HOUR_MS, HOUR_MS)
    known = MeteredHours({start_ms: line(imported_wh=100) for start_ms in around}, local)
    shown = known.day(day)
    assert (len(shown), total(shown)) == (hours, (hours * 100, 0))
    assert (shown[0].label, shown[-1].label) == (first, last)
    assert day in known.days


@CHANGES
def test_readings_are_expected_in_every_quarter_of_the_day(
    local: LocalTime, day: date, hours: int, first: str, last: str
) -> None:
    begin_ms, end_ms = local.day_ms(day)
    ends = range(begin_ms + QUARTER_MS, end_ms + 1, QUARTER_MS)
    (found,) = availability(
        ends, from_ms=begin_ms, to_ms=end_ms, interval_ms=QUARTER_MS, local=local
    )
    assert (found.day, found.expected, found.received) == (day, 4 * hours, 4 * hours)


@pytest.mark.parametrize(
    ("local", "month", "hours"),
    [
        (SANTIAGO, "2026-04", 721),
        (SANTIAGO, "2026-09", 719),
        (LISBON, "2026-03", 743),
        (LISBON, "2026-10", 745),
        (UTC_CLOCKS, "2026-12", 744),
    ],
)
def test_a_month_goes_from_midnight_to_midnight(local: LocalTime, month: str, hours: int) -> None:
    begin_ms, end_ms = local.month_ms(month)
    assert (end_ms - begin_ms) // HOUR_MS == hours
    assert local.month_of(begin_ms) == local.month_of(end_ms - 1) == month
    assert local.month_of(begin_ms - 1) != month != local.month_of(end_ms)


def test_the_chart_of_a_month_counts_an_hour_on_its_local_day() -> None:
    late = ms("2026-04-05T03:30:00") // HOUR_MS * HOUR_MS  # 23:00 of the 4th, the second time
    known = MeteredHours({late: line(imported_wh=5)}, SANTIAGO)
    assert known.days == [date(2026, 4, 4)]
    assert [part.imported_wh for part in known.month(date(2026, 4, 1))] == [None, None, None, 5]


def test_hours_are_named_by_the_clocks_before_and_after_the_change() -> None:
    en = language("en")
    summer, winter = ms("2026-04-05T02:00:00"), ms("2026-04-05T03:00:00")
    assert en.span(listing_id_at(summer), SANTIAGO) == "23:00–23:00"
    assert en.span(listing_id_at(winter), SANTIAGO) == "23:00–00:00"
    assert en.hour(listing_id_at(ms("2026-10-25T01:00:00")), LISBON) == "25 Oct 01:00"
    at_ms = ms("2026-01-15T12:00:00")
    assert en.instant(at_ms, SANTIAGO) == "15 Jan 09:00:00"
    assert en.instant(at_ms, SANTIAGO, ms("2026-12-31T12:00:00")) == "15 Jan 09:00:00"
    assert en.instant(at_ms, SANTIAGO, ms("2027-01-01T12:00:00")) == "15 Jan 2026 09:00:00"


def test_a_month_of_another_form_is_refused() -> None:
    for wrong in ("2026-13", "2026-1", "January"):
        with pytest.raises(ValueError, match=wrong):
            UTC_CLOCKS.month_ms(wrong)


def test_settings_name_a_zone_or_an_offset() -> None:
    zoned = CommunitySettings("v", "V", HOUR_MS, time_zone="America/Santiago")
    assert zoned.local_time == SANTIAGO
    assert zoned.local_time.name == "America/Santiago"
    still = CommunitySettings("v", "V", HOUR_MS, utc_offset_minutes=-180)
    assert (still.local_time, still.local_time.name) == (fixed(-180), "")
    for wrong in ("America/Nowhere", "../etc/passwd"):
        with pytest.raises(ValueError, match="no time zone"):
            CommunitySettings("v", "V", HOUR_MS, time_zone=wrong)
