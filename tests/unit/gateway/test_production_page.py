"""PV and battery by hour and by day: what their own devices told, gaps as gaps."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.books.hourly_energy import HourWindow, charted, hourly
from gateway.hems.batteries import BatteryStore, Observation
from gateway.hems.charge_history import KEPT_MS, KEPT_PER_INTERVAL, ChargeHistory
from gateway.hems.household_values import HouseholdValues
from gateway.hems.plausibility import Limits
from gateway.hems.running import open_service
from gateway.hems.service import Inbox
from gateway.hems.virtual_meter import VirtualMeter
from gateway.local_time import UTC_CLOCKS, named
from gateway.mqtt.device_messages import Measurement
from gateway.mqtt.topics import Topic
from tests.support.gateway_database import fresh_database
from tests.unit.energy.community import Community, hour_of, milliseconds
from tests.unit.energy.oracle.panel import with_battery
from tests.unit.gateway.hems import HOUR_MS, bearer, client_of, hems_of

DAY = date(2026, 1, 15)
MIDNIGHT = datetime(2026, 1, 15, tzinfo=UTC)
LISTINGS = ("2026-01-15T12", "2026-01-15T13", "2026-01-15T14")
ROOF = "roof-0"


def window(hour: int) -> HourWindow:
    start_ms = milliseconds(MIDNIGHT) + hour * HOUR_MS
    return HourWindow(start_ms, hour * HOUR_MS, (hour + 1) * HOUR_MS)


def test_an_hour_has_a_value_only_if_both_its_ends_were_told():
    told = {9: 100, 10: 350, 11: 350, 13: 900}

    def register_at(instant_ms: int) -> tuple[int, int] | None:
        known = [(hour * HOUR_MS - 60_000, value) for hour, value in told.items()]
        return max((entry for entry in known if entry[0] <= instant_ms), default=None)

    found = hourly([window(hour) for hour in range(8, 13)], register_at)
    assert list(found.values()) == [(None,), (250,), (0,), (None,), (None,)]
    day = charted(found, UTC_CLOCKS, kind="day", day=DAY, series=1)
    assert [part.label for part in day.parts] == [f"{hour:02}:00" for hour in range(13)]
    assert [part.values for part in day.parts][8:] == list(found.values())
    assert day.parts[0].values == (None,)
    assert day.sums == (250,)


def test_a_day_of_a_month_is_a_gap_when_none_of_its_hours_is_known():
    start_ms = milliseconds(MIDNIGHT.replace(day=2))
    hours = {
        start_ms: (5, 0),
        start_ms + HOUR_MS: (None, None),
        start_ms + 2 * HOUR_MS: (3, 7),
        start_ms + 48 * HOUR_MS: (None, None),
    }
    month = charted(hours, UTC_CLOCKS, kind="month", day=DAY, series=2)
    assert [part.values for part in month.parts] == [
        (None, None), (8, 7), (None, None), (None, None),
    ]  # fmt: skip
    assert month.sums == (8, 7)
    assert charted({}, UTC_CLOCKS, kind="month", day=DAY, series=2).sums == ()


@pytest.mark.parametrize(
    ("day", "hours", "twice"),
    [(date(2026, 4, 4), 25, "23:00"), (date(2026, 9, 6), 23, None), (DAY, 24, None)],
)
def test_a_day_on_which_the_clocks_change_has_each_of_its_hours(day, hours, twice):
    """Chile sets its clocks back at midnight in April: eleven o'clock comes twice."""
    santiago = named("America/Santiago")
    begin_ms, end_ms = santiago.day_ms(day)
    starts = range(begin_ms, end_ms, HOUR_MS)
    values = {start_ms: (number,) for number, start_ms in enumerate(starts)}
    shown = charted(values, santiago, kind="day", day=day, series=1).parts
    assert [part.values for part in shown] == [(number,) for number in range(hours)]
    labels = [part.label for part in shown]
    assert [label for label in set(labels) if labels.count(label) > 1] == (
        [twice] if twice else []
    )
    month = charted(values, santiago, kind="month", day=day, series=1).parts
    assert month[-1].values == (sum(range(hours)),)


def test_a_battery_is_answered_by_a_replica_that_never_heard_it_and_after_a_restart():
    """One hears the devices; the other shares its database. Values are two of each interval."""
    database, limits = fresh_database(), Limits(interval_ms=900_000)
    hearing, other = BatteryStore(), BatteryStore()
    service = open_service(database, hearing, limits, now_ms=0)
    open_service(database, other, limits, now_ms=0)
    heard = [
        Observation(at_ms, at_ms // 1_000) for at_ms in (450_000, 600_000, 900_000, 1_000_000)
    ]
    for one in heard:
        service.take(Inbox(charges=[("b-1", one)]), one.at_ms)
    assert hearing.at("b-1", 2_000_000) == heard[3]
    assert hearing.since("b-1", 0) == heard
    assert other.at("b-1", 2_000_000) == heard[2]
    assert other.since("b-1", 0) == [heard[0], heard[2]]
    assert other.at("b-1", 449_999) is None
    started_again = BatteryStore()
    open_service(database, started_again, limits, now_ms=0)
    assert started_again.at("b-1", 2_000_000) == heard[2]
    newer = Observation(1_100_000, 7)
    assert started_again.record("b-1", newer)
    assert started_again.at("b-1", 2_000_000) == newer


def test_charges_are_kept_now_and_then_and_outlast_a_restart():
    database, interval_ms = fresh_database(), 900_000
    history = ChargeHistory(database, interval_ms)
    apart_ms = interval_ms // KEPT_PER_INTERVAL
    instants = [apart_ms // 3 * number for number in range(1, 10)]
    for at_ms in instants:
        history.keep([("b-1", Observation(at_ms, at_ms // 1_000))], at_ms)
    again = ChargeHistory(database, interval_ms)
    again.keep([("b-1", Observation(instants[-1] + 1, 7))], instants[-1] + 1)
    assert history.until("b-1", instants[0] - 1) is None
    kept = {history.until("b-1", at_ms) for at_ms in instants}
    assert [one.at_ms for one in sorted(kept)] == [instants[0], instants[3], instants[6]]
    assert history.until("b-2", instants[-1]) is None
    late_ms = instants[-1] + KEPT_MS
    again.keep([("b-2", Observation(late_ms, 1))], late_ms)
    assert again.until("b-1", instants[3]) is None


def with_roof_meter(community: Community) -> VirtualMeter:
    owner, meter = community.households[0], VirtualMeter(ROOF)
    args = (ROOF, "meter", owner.idgrid, meter.public_key_pem, owner.res_id)
    community.dso.submit("devices:register", *args)
    community.dso.submit("registry:approve_meter", ROOF)
    return meter


def opened(community: Community) -> None:
    for listing in LISTINGS:
        community.ledger.at(hour_of(listing) - timedelta(minutes=70))
        community.open(listing)


@pytest.mark.parametrize("kind", ["day", "month"])
def test_the_page_has_what_the_sources_own_meter_produced_and_the_battery_charged(kind):
    community = Community.found(start="2026-01-15T10:00:00Z")
    owner, other = community.join(), community.join()
    battery, meter = with_battery(community, owner), with_roof_meter(community)
    opened(community)
    noon_ms = milliseconds(hour_of(LISTINGS[0]))
    community.ledger.at(hour_of(LISTINGS[-1]) + timedelta(hours=1))

    async def play() -> None:
        async with hems_of(community) as hems:
            now_ms, database = hems.services.clock_ms(), fresh_database()
            service = open_service(database, BatteryStore(), Limits(), now_ms=now_ms)
            stores = service.stores
            for number, (pv_wh, stored_wh) in enumerate(
                ((0, 3_000), (1_200, 3_500), (800, 3_100))
            ):
                at_ms = noon_ms + number * HOUR_MS
                meter.run_hour(load_wh=0, pv_wh=pv_wh)
                reading = meter.message(meter.read(at_ms))
                hems.heard_ms = at_ms
                assert await hems.intake.accept(Topic("val", ROOF, "reading"), reading)
                stores.charges.keep([(battery, Observation(at_ms, stored_wh))], at_ms)
            live = Measurement(ROOF, now_ms - 1, p_mw=-1_550_000)
            stores.measurements.keep([live], now_ms)
            hems.services = replace(
                hems.services,
                hems=service,
                measurements=HouseholdValues(stores.measurements, hems.services.community),
            )
            async with client_of(hems) as client:
                own = await client.get(f"/production?kind={kind}", headers=bearer(owner.idgrid))
                foreign = await client.get("/production", headers=bearer(other.idgrid))
        assert own.status_code == foreign.status_code == 200
        assert re.findall(r'data-told="(\d+)"', own.text) == ["2000", "500", "400"]
        assert "1.55 <small>kW" in own.text
        produced = own.text[own.text.index('id="produced-1-table"') :]
        cells = re.findall(r'data-label="([\d:]+)".*?</tr>', produced.partition("</table>")[0])
        values = re.findall(r'data-y="([\d.]+)"', produced.partition("</table>")[0])
        assert cells[-1] == ("07:00" if kind == "day" else "15")
        assert values == (["1.2", "0.8"] if kind == "day" else ["2.0"])
        assert "no value" in produced
        assert "data-told" not in foreign.text

    asyncio.run(play())
