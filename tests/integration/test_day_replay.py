"""One day of 17 real homes, replayed: virtual meters → broker → gateway → settlement → charts.

What each home's page adds up must be what the data set recorded, to the watt-hour.
"""

import asyncio
import re
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.agent.strategy import MarketTerms, wish_for
from gateway.demo.replay import (
    HOURS_PER_DAY,
    Energy,
    Replayed,
    compare,
    differences,
    first_hour_of,
    recorded,
    told,
)
from gateway.hems.batteries import BatteryStore
from gateway.hems.fleet import Fleet, FleetMeter, LightMeter
from gateway.hems.meter_keys import LedgerMeterKeys
from gateway.hems.plausibility import Limits
from gateway.hems.profiles import load_profiles
from gateway.hems.running import open_service
from gateway.hems.virtual_meter import VirtualMeter
from gateway.identity.sessions import Viewer
from gateway.mqtt.collector import Collector
from gateway.mqtt.embedded_broker import EmbeddedBroker, ServerTls, credential
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.topics import gateway_access, meter_access
from gateway.oracle.instants import ReportTimes
from gateway.oracle.job import RunLog
from gateway.oracle.reporting import ReportingNode
from gateway.oracle.series_source import SeriesReadings
from gateway.settings import MqttSettings
from network.demo.settings_files import FIRST_DAY, LAST_DAY
from tests.support.gateway_database import fresh_database
from tests.support.ledger_actor import LedgerActor
from tests.support.mosquitto import authority_of, write_files
from tests.unit.energy.community import Community, Household, milliseconds
from tests.unit.gateway.hems import Hems, bearer, client_of, hems_of

DAY = date(2016, 8, 2)
COMMUNITY = "val"
SECONDS_MAX = 60
PROFILES = load_profiles()
NET_WH_MIN = 100
"""A home that nets less orders nothing."""
CELL = re.compile(r'data-y="([0-9.]+)"')


def test_only_days_that_are_whole_in_the_data_set_are_replayed():
    for day in (FIRST_DAY, LAST_DAY):
        assert first_hour_of(day, PROFILES) == datetime(
            day.year, day.month, day.day, 7, tzinfo=UTC
        )
    for day in (FIRST_DAY - timedelta(days=1), LAST_DAY + timedelta(days=1)):
        with pytest.raises(ValueError, match="is not between 2016-08-01 and 2017-07-30"):
            first_hour_of(day, PROFILES)


def test_a_difference_of_one_watt_hour_is_told():
    good = Replayed("VAL-1", Energy(10, 2), Energy(10, 2))
    bad = Replayed("VAL-2", Energy(10, 2), Energy(9, 2))
    assert differences([good]) == []
    assert differences([good, bad]) == [
        "VAL-2: the chart adds up (9, 2) Wh, the data set (10, 2) Wh"
    ]
    assert [line.split() for line in told([good, bad])][1:] == [
        ["VAL-1", "10", "2", "yes"],
        ["VAL-2", "9", "2", "NO"],
        ["sum", "19", "4"],
    ]


class ReplayedDay:
    """The homes, their meters at a broker, the gateway that collects, and the market."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.first_hour = first_hour_of(DAY, PROFILES)
        start = (self.first_hour - timedelta(minutes=30)).isoformat().replace("+00:00", "Z")
        self.community = Community.found(start=start)
        self.homes: list[Household] = [self.community.join() for _ in PROFILES.homes]
        self.now_ms = milliseconds(self.first_hour)
        self.service = open_service(
            fresh_database(), BatteryStore(), Limits(interval_ms=3_600_000), now_ms=self.now_ms
        )
        series = SeriesReadings(self.service.stores.series)
        self.oracle = ReportingNode(
            LedgerActor(self.community.oracle),
            series,
            ReportTimes(),
            clock_ms=lambda: self.now_ms,
            log=RunLog(lambda: self.now_ms),
        )

    async def run(self, hems: Hems) -> None:
        """A day, hour by hour."""
        async with AsyncExitStack() as stack:
            fleet = await self._connect(stack, hems)
            await self._read(fleet, self.first_hour)
            for number in range(HOURS_PER_DAY):
                await self._hour(fleet, self.first_hour + timedelta(hours=number))
        await hems.catch_up()

    async def _hour(self, fleet: Fleet, hour: datetime) -> None:
        listing = f"{hour:%Y-%m-%dT%H}"
        self.community.ledger.at(hour - timedelta(minutes=10))
        self.community.open(listing)
        for home, profile in zip(self.homes, PROFILES.homes, strict=True):
            self._order(home, profile.number - 1, hour, listing)
        self.community.close_and_clear(listing)
        self.community.ledger.at(hour)
        await self._report(hour)
        fleet.run_hour(hour)
        await self._read(fleet, hour + timedelta(hours=1))
        await self._report(hour + timedelta(hours=1))
        assert self.community.settle(listing)["state"] == "SETTLED"

    def _order(self, home: Household, number: int, hour: datetime, listing: str) -> None:
        row = PROFILES.hour_index(hour)
        net_wh = PROFILES.homes[number].pv_wh[row] - PROFILES.homes[number].load_wh[row]
        terms = MarketTerms(listing, 20_000, 102_000, 10_000)
        wish = wish_for(household=home.idgrid, net_wh=net_wh, terms=terms)
        if wish is None or abs(net_wh) < NET_WH_MIN:
            return
        place = self.community.offer if wish.side == "offer" else self.community.bid
        place(home, wish.energy_wh, wish.price_utoken_per_kwh, listing)

    async def _read(self, fleet: Fleet, instant: datetime) -> None:
        """Every meter publishes; the gateway has stored it all."""
        self.now_ms = milliseconds(instant) + 1_000
        await fleet.publish_all(milliseconds(instant))
        meters, series = [home.meter_id for home in self.homes], self.service.stores.series
        async with asyncio.timeout(SECONDS_MAX):
            while len(series.at(meters, milliseconds(instant))) < len(meters):  # noqa: ASYNC110 - in another thread
                await asyncio.sleep(0)

    async def _report(self, instant: datetime) -> None:
        self.community.ledger.at(instant)
        await self.oracle.report_due()

    async def _connect(self, stack: AsyncExitStack, hems: Hems) -> Fleet:
        pair = authority_of("CoopMSP")
        write_files(pair.issue_tls("broker", now=datetime.now(tz=UTC)), self.folder, "broker")
        (self.folder / "ca.crt").write_bytes(pair.tls.certificate_pem)
        access = {home.meter_id: meter_access(COMMUNITY, home.meter_id) for home in self.homes}
        access["gateway"] = gateway_access(COMMUNITY)
        broker = EmbeddedBroker(
            credentials={name: credential(name, granted) for name, granted in access.items()},
            tls=ServerTls(self.folder / "broker.crt", self.folder / "broker.key"),
        )
        await broker.start()
        stack.push_async_callback(broker.stop)

        def settings(user: str) -> MqttSettings:
            return MqttSettings("127.0.0.1", broker.port, self.folder / "ca.crt", user, user)

        keys = LedgerMeterKeys(hems.services.community, hems.services.blocks)
        collector = Collector(
            self.service,
            ReadingCheck(keys),
            community=COMMUNITY,
            clock_ms=lambda: self.now_ms,
        )
        task = asyncio.create_task(collector.run(settings("gateway")))
        stack.push_async_callback(_cancel, task)
        await collector.is_listening.wait()
        meters = [
            FleetMeter(
                LightMeter(
                    COMMUNITY,
                    VirtualMeter(home.meter_id, home.meter.private_key),
                    settings(home.meter_id),
                ),
                profile,
            )
            for home, profile in zip(self.homes, PROFILES.homes, strict=True)
        ]
        return await stack.enter_async_context(Fleet(meters, PROFILES))


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.slow
@pytest.mark.row("E080")
def test_the_charts_of_a_replayed_day_add_up_what_was_recorded_to_the_watt_hour(tmp_path):
    day = ReplayedDay(tmp_path)

    async def run() -> list[Replayed]:
        async with hems_of(day.community) as hems, client_of(hems) as client:
            await day.run(hems)
            hems.services.sessions.admit("manager", Viewer("", is_manager=True))
            homes = {
                home.idgrid: profile
                for home, profile in zip(day.homes, PROFILES.homes, strict=True)
            }
            for idgrid, profile in homes.items():
                page = await client.get(f"/meter?kind=day&day={DAY}", headers=bearer(idgrid))
                expected = recorded(profile, PROFILES, day.first_hour, HOURS_PER_DAY)
                assert charted(page.text) == expected
            client.headers.update(bearer("manager"))
            return await compare(client, homes, PROFILES, day.first_hour, HOURS_PER_DAY)

    found = asyncio.run(run())
    assert len(found) == len(PROFILES.homes) == 17
    assert differences(found) == []
    assert sum(one.shown.exported_wh for one in found) > 10_000
    assert all(one.shown.imported_wh > 0 for one in found)
    assert day.service.stores.alarms.all() == []


def charted(page: str) -> Energy:
    """What the day's chart is drawn from: the cells of its table, taken and fed in, in kWh."""
    table = page[page.index('id="history-table"') :].partition("</table>")[0]
    values = [round(float(text) * 1_000) for text in CELL.findall(table)]
    assert len(values) == 2 * HOURS_PER_DAY, "no gap"
    return Energy(sum(values[::2]), sum(values[1::2]))
