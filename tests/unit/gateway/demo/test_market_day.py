"""The demo's market day on the real contracts: an hour that would open too late is moved."""

import io
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from gateway.agent.household import Household
from gateway.demo.day import MarketDay
from gateway.demo.direct_deals import DirectDeals
from gateway.demo.report import HourReport
from gateway.demo.table import LiveTable
from gateway.demo.tariffs import Tariffs
from gateway.hems.fleet import Fleet, FleetMeter
from gateway.hems.profiles import DEMO_START, load_profiles
from gateway.hems.virtual_meter import VirtualMeter
from gateway.local_time import LocalTime
from gateway.oracle.instants import Instants, ReportTimes
from gateway.oracle.job import RunLog
from gateway.oracle.reporting import ReportingNode
from gateway.timetable.market_clock import MarketClock
from gateway.timetable.scheduler import Scheduler
from tests.support.paced_loop import paced_loop, run_paced
from tests.unit.energy.community import Community, milliseconds
from tests.unit.energy.community import Household as Home
from tests.unit.gateway.acting import LedgerActor
from tests.unit.gateway.test_oracle_reports import Readings

HOUR_MS, STALL_MS = 4_000, 6_000
NIGHT = DEMO_START + timedelta(hours=12)
"""No sun: nobody orders and nobody deals."""
PROFILES = load_profiles()
CLOCK = MarketClock(first_delivery_ms=10_000, hour_ms=HOUR_MS, first_hour=NIGHT)


class Actor(LedgerActor):
    """Acts at the time of the machine, which stands still before it opens the hour `stalls_at`."""

    def __init__(self, machine: "Machine", client: Any, stalls_at: str = "") -> None:
        super().__init__(client)
        self._machine = machine
        self._stalls_at = stalls_at

    async def submit(self, function: str, *args: str) -> Any:
        if (function, *args[:1]) == ("market:open_listing", self._stalls_at):
            self._machine.stood_still_ms, self._stalls_at = STALL_MS, ""
        self._machine.set_the_ledgers_clock()
        return await super().submit(function, *args)

    async def evaluate(self, function: str, *args: str) -> Any:
        self._machine.set_the_ledgers_clock()
        return await super().evaluate(function, *args)


class Machine:
    """Its clock; a stretch in which it did not run is behind it at once."""

    def __init__(self) -> None:
        self.community = Community.found()
        self.home = self.community.join()
        self._begun_ms = milliseconds(self.community.ledger.now)
        self.stood_still_ms = 0

    def clock_ms(self) -> int:
        return self._begun_ms + paced_loop().elapsed_ms() + self.stood_still_ms

    def set_the_ledgers_clock(self) -> None:
        ledger = self.community.ledger
        ledger.at(ledger.now + timedelta(milliseconds=self.clock_ms() - milliseconds(ledger.now)))


class Meter:
    """A `DemoMeter` that the oracle hears at once."""

    def __init__(self, home: Home, heard: Readings) -> None:
        self._meter = VirtualMeter(home.meter_id, home.meter.private_key)
        self._heard = heard.by_meter.setdefault(home.meter_id, [])
        self.meter_id = home.meter_id
        self.public_key = self._meter.public_key
        self.public_key_pem = self._meter.public_key_pem

    async def connect(self) -> None:
        """Nothing to connect."""

    def run_hour(self, *, load_wh: int, pv_wh: int) -> None:
        self._meter.run_hour(load_wh=load_wh, pv_wh=pv_wh)

    async def publish(self, t_end_ms: int) -> None:
        self._heard.append(self._meter.read(t_end_ms))

    async def measure(self, *, t_ms: int, u_mv: int, i_ma: int, p_mw: int) -> None:
        """Nobody looks."""

    async def close(self) -> None:
        """Nothing to close."""


def household(number: int) -> Household:
    """One that decides and has nobody to send anything to."""
    home = PROFILES.homes[number - 1]
    return Household(idgrid=f"F-{number}", res_id="pv", home=home, profiles=PROFILES, client=None)


def day_of(machine: Machine, heard: Readings, stalls_at: str) -> MarketDay:
    """From now on, with one home's meter."""
    community, clock_ms = machine.community, machine.clock_ms
    clock = replace(CLOCK, first_delivery_ms=clock_ms() + 100 + HOUR_MS)
    times = ReportTimes(Instants(HOUR_MS, clock.first_delivery_ms), spread_ms=0, retry_ms=100)
    manager, oracle = (Actor(machine, one) for one in (community.manager, community.oracle))
    return MarketDay(
        clock=clock,
        clock_ms=clock_ms,
        scheduler=Scheduler(Actor(machine, community.scheduler, stalls_at), clock_ms),
        oracle=ReportingNode(oracle, heard, times, clock_ms=clock_ms, log=RunLog(clock_ms)),
        households=[],
        fleet=Fleet([FleetMeter(Meter(machine.home, heard), PROFILES.homes[0])], PROFILES),
        profiles=PROFILES,
        tariffs=Tariffs(manager, local_time=LocalTime(UTC), clock_ms=clock_ms),
        deals=DirectDeals(seller=household(1), buyer=household(2), say=lambda _: None),
        table=LiveTable(out=io.StringIO(), is_terminal=False),
        utc_offset=timedelta(0),
    )


@pytest.mark.parametrize("stalled", [0, 1])
def test_a_machine_that_stands_still_as_an_hour_opens_makes_the_day_later_and_no_hour_less(
    stalled: int,
) -> None:
    machine, heard = Machine(), Readings()
    plans = [CLOCK.hour(index) for index in range(2)]
    ran: list[tuple[MarketDay, MarketClock, list[HourReport]]] = []

    async def play() -> None:
        day = day_of(machine, heard, stalls_at=plans[stalled].listing_id)
        ran.append((day, day.clock, await day.run(len(plans))))

    run_paced(play(), speed=20)
    ((day, planned, hours),) = ran
    assert [hour.listing_id for hour in hours] == [plan.listing_id for plan in plans]
    assert all(hour.imported_wh > 0 for hour in hours)
    assert day.clock.first_delivery_ms == planned.first_delivery_ms + 2 * HOUR_MS
    # Every end of an hour is read, moved or not: no oracle waits for one in between.
    (readings,) = heard.by_meter.values()
    first_ms = (day.clock if stalled == 0 else planned).hour(0).delivery_start_ms
    last_ms = day.clock.hour(1).delivery_end_ms
    assert [one.t_end_ms for one in readings] == [*range(first_ms, last_ms + 1, HOUR_MS)]


def test_an_hour_is_moved_by_whole_hours_and_only_when_it_is_late() -> None:
    second = CLOCK.hour(1)
    in_time_ms = second.open_at_ms + HOUR_MS // 4
    assert CLOCK.moved_for(1, in_time_ms) == CLOCK
    later = CLOCK.moved_for(1, in_time_ms + 1)
    assert later.first_delivery_ms == CLOCK.first_delivery_ms + HOUR_MS
    assert later.hour(1).listing_id == second.listing_id
    much_later = CLOCK.moved_for(1, second.open_at_ms + 3 * HOUR_MS)
    assert much_later.hour(1).open_at_ms == second.open_at_ms + 3 * HOUR_MS
