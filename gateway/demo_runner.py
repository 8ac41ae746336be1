"""`python -m gateway.demo_runner --config demo.json --report report.json`: the demo's people.

This process is everyone but the ledger and the gateway: the households with their keys, their
meters, batteries and plugs, the broker they publish to, the mailbox, the grid operator's oracle
and the cooperative's scheduler. `gridledger demo` starts it beside the validators and the gateway
process and prints its report. With `--stay` the devices go on when the market's hours are over.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import logging
import signal
import ssl
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.agent.client import REQUEST_TIMEOUT_S
from gateway.database import migrate, open_database
from gateway.demo.agreements import agree
from gateway.demo.community_broker import CommunityBroker
from gateway.demo.day import MarketDay
from gateway.demo.devices import DeviceWatch, MeterOutOfReach, away_ms_max
from gateway.demo.direct_deals import DirectDeals
from gateway.demo.home_devices import HomeDevices
from gateway.demo.homes import DemoHome, HomeMaker
from gateway.demo.live_values import Moment, moment_at
from gateway.demo.living import LiveHomes
from gateway.demo.mail_catcher import MailCatcher, caught_on
from gateway.demo.registration import Staff, configure, register_all
from gateway.demo.replay import Replayed, compare, differences, first_hour_of, told
from gateway.demo.report import DemoReport, HourReport, broken_invariants
from gateway.demo.settings import DemoSettings, load_demo_settings
from gateway.demo.table import LiveTable
from gateway.demo.tariffs import Tariffs
from gateway.errors import LedgerRefusal
from gateway.hems.firmware_meter import FirmwareError
from gateway.hems.fleet import DemoMeter, Fleet, LightMeter
from gateway.hems.profiles import DEMO_START, load_profiles
from gateway.hems.running import limits_for
from gateway.hems.series import SeriesStore
from gateway.ledger_access.actor import Actor
from gateway.local_time import LocalTime
from gateway.mqtt.connection import keep_ingesting
from gateway.mqtt.ingest import SeriesIntake
from gateway.mqtt.mosquitto import ORACLE
from gateway.mqtt.reading_check import ReadingCheck
from gateway.oracle.instants import Instants, ReportTimes
from gateway.oracle.job import RunLog
from gateway.oracle.reporting import ReportingNode
from gateway.oracle.series_source import SeriesReadings
from gateway.processes import clock_ms
from gateway.timetable.market_clock import MarketClock
from gateway.timetable.scheduler import Scheduler
from ledger import log_lines
from ledger.client.gateway import GatewayClient

START_MARGIN_MS = 300
HTTP_CONNECTIONS_MAX = 32
HTTP_IDLE_S = 2.0
"""Less than the gateway keeps an idle connection: no request meets one that is just closed."""
READINGS_WAITED_MS = 60_000
"""For each instant's readings: the demo is about every reading, on a slow machine, too."""
REPORT_RETRY_MS = 100
EXIT_INTERRUPTED = 130

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Community:
    """Everything that takes part in the demo's market."""

    actors: dict[str, Actor]
    homes: Sequence[DemoHome]
    fleet: Fleet
    devices: HomeDevices
    series: SeriesStore
    """The oracle's own."""


class Demo:
    """Builds the community and runs its day; every resource hangs on one exit stack."""

    def __init__(self, settings: DemoSettings, table: LiveTable) -> None:
        self._settings = settings
        self._table = table
        self._profiles = load_profiles()
        day = settings.day
        self._first_hour = DEMO_START if day is None else first_hour_of(day, self._profiles)
        self._resources = AsyncExitStack()
        self._broker = CommunityBroker(settings)
        self._local_time = LocalTime(
            timezone(timedelta(minutes=settings.community.utc_offset_minutes))
        )
        self._day: MarketDay | None = None
        """Begun once everybody is registered."""

    async def run(self, on_report: Callable[[DemoReport], None], *, stays: bool) -> None:
        """Register, trade, settle, report whether everything held; then stay until cancelled."""
        async with self._resources:
            mailbox = self._settings.mailbox
            mails = await self._resources.enter_async_context(
                caught_on(mailbox.port, mailbox.folder)
            )
            watch = DeviceWatch(await self._browser(), self._table)
            community = await self._connected(watch)
            async with _in_background(
                keep_ingesting(
                    self._broker.as_client(ORACLE),
                    self._settings.community.id,
                    self._intake(community),
                ),
                self._living(community).run(),
                watch.run(self._settings.manager_link),
            ):
                await self._register(community)
                tariffs = await self._agree(community)
                before = await community.actors["auditor"].evaluate("tokens:audit")
                self._day = day = self._begun(community, tariffs)
                on_report(await self._trade(community, day, watch, mails, before))
                if stays:
                    await day.go_on(self._settings.hours)

    async def _connected(self, watch: DeviceWatch) -> Community:
        """Everybody at the ledger's peers, every device at the broker."""
        settings, broker = self._settings, self._broker.broker()
        await broker.start()
        self._resources.push_async_callback(broker.stop)
        clients = [await self._client(peer.address) for peer in settings.ledger.peers]
        by_member = dict(zip((peer.mspid for peer in settings.ledger.peers), clients, strict=True))
        actors = {
            role: Actor(by_member[files.mspid], files.load(), settings.ledger.chaincode)
            for role, files in settings.staff.items()
        }
        http = await self._browser()
        maker = HomeMaker(
            settings, self._profiles, self._first_hour, self._broker, self._resources
        )
        meters = await maker.meters()
        self._table.say(maker.told(meters))
        meters[-1] = self._out_of_reach(meters[-1], watch)
        homes = [
            maker.home(own, meter, http, by_member)
            for own, meter in zip(settings.households, meters, strict=True)
        ]
        await self._broker.wait_for_gateway()
        fleet = Fleet([entry for home in homes for entry in home.meters], self._profiles)
        devices = HomeDevices([device for home in homes for device in home.devices])
        return Community(
            actors=actors,
            homes=homes,
            fleet=await self._resources.enter_async_context(fleet),
            devices=await self._resources.enter_async_context(devices),
            series=self._series(),
        )

    async def _trade(
        self,
        community: Community,
        day: MarketDay,
        watch: DeviceWatch,
        mails: MailCatcher,
        before: dict[str, Any],
    ) -> DemoReport:
        """`before`: all money, as the auditor finds it before anybody trades."""
        settings, auditor = self._settings, community.actors["auditor"]
        hours = await day.run(settings.hours)
        await watch.look_until_over()
        after = await auditor.evaluate("tokens:audit")
        replayed: list[Replayed] = []
        if settings.day is not None:
            recorded = {
                own.idgrid: self._profiles.homes[own.home - 1] for own in settings.households
            }
            replayed = await compare(
                watch.http, recorded, self._profiles, self._first_hour, settings.hours
            )
            self._table.say("\n".join(told(replayed)))
        self._table.end()
        return _report(
            hours,
            before,
            after,
            households=len(community.homes),
            mails=mails.count,
            unlike_recorded=differences(replayed),
        )

    async def _browser(self) -> httpx.AsyncClient:
        """A client of the gateway with cookies of its own."""
        return await self._resources.enter_async_context(
            httpx.AsyncClient(
                base_url=self._settings.gateway_url,
                timeout=REQUEST_TIMEOUT_S,
                limits=httpx.Limits(
                    max_connections=HTTP_CONNECTIONS_MAX, keepalive_expiry=HTTP_IDLE_S
                ),
                verify=ssl.create_default_context(cafile=self._settings.gateway_ca),
            )
        )

    def _out_of_reach(self, meter: DemoMeter, watch: DeviceWatch) -> DemoMeter:
        """One meter is away for a while, if it is a light one."""
        if not isinstance(meter, LightMeter):
            return meter
        watch.missing = meter.meter_id
        away_ms = away_ms_max(self._settings.community.hour_ms)
        return MeterOutOfReach(meter, watch.is_missed, away_ms)

    def _series(self) -> SeriesStore:
        """The oracle's own, under the same rules as the gateway's; it goes with the demo."""
        folder = self._resources.enter_context(tempfile.TemporaryDirectory(prefix=ORACLE))
        database = open_database(f"sqlite:///{folder}/oracle.db")
        self._resources.callback(database.close)
        migrate(database)
        return SeriesStore(database, limits_for(self._settings.community.hour_ms), clock_ms())

    def _intake(self, community: Community) -> SeriesIntake:
        """What the oracle does with the readings it hears."""
        check = ReadingCheck(KnownMeters([entry.meter for entry in community.fleet.meters]))
        return SeriesIntake(community.series, check, clock_ms)

    async def _client(self, address: str) -> GatewayClient:
        ledger = self._settings.ledger
        client = GatewayClient.connect(address, ledger.tls_ca.read_bytes(), ledger.channel_id)
        self._resources.push_async_callback(client.close)
        return client

    async def _register(self, community: Community) -> None:
        """Everybody registered and approved."""
        settings, homes, actors = self._settings, community.homes, community.actors
        staff = Staff(manager=actors["community_manager"], operator=actors["dso"])
        roles = {role: [files.mspid] for role, files in settings.staff.items()}
        await configure(staff, roles)
        begun, done = time.monotonic(), itertools.count(1)

        def show() -> None:
            count = next(done)
            if count == len(homes) or not self._table.is_terminal:
                return
            self._table.out.write(f"\r  registering households: {count} of {len(homes)}")
            self._table.out.flush()

        done_last = await register_all(staff, [home.neighbour for home in homes], show)
        self._table.say(
            f"\r  {len(homes)} households registered, metered and approved"
            f" in {time.monotonic() - begun:.1f} s"
        )
        for actor in actors.values():
            await actor.see(done_last)

    async def _agree(self, community: Community) -> Tariffs:
        tariffs = Tariffs(
            community.actors["community_manager"], local_time=self._local_time, clock_ms=clock_ms
        )
        told = await agree(
            community.homes,
            tariffs,
            profiles=self._profiles,
            first_hour=self._first_hour,
            now_ms=clock_ms(),
            local_time=self._local_time,
        )
        self._table.say(told)
        return tariffs

    def _living(self, community: Community) -> LiveHomes:
        hour_ms = self._settings.community.hour_ms

        def moment(now_ms: int) -> Moment:
            """Before the market's clock begins: two hours before its first one."""
            day = self._day
            return moment_at(
                now_ms,
                start_ms=day.clock.first_delivery_ms if day else now_ms + 2 * hour_ms,
                hour_ms=hour_ms,
                first_hour=self._first_hour,
                profiles=self._profiles,
            )

        return LiveHomes(
            community.fleet.meters,
            community.devices,
            moment_at=moment,
            clock_ms=clock_ms,
            hour_ms=hour_ms,
        )

    def _begun(self, community: Community, tariffs: Tariffs) -> MarketDay:
        """The market day; its clock begins now."""
        actors, homes, hour_ms = (
            community.actors,
            community.homes,
            self._settings.community.hour_ms,
        )
        clock = MarketClock(clock_ms() + START_MARGIN_MS + hour_ms, hour_ms, self._first_hour)
        households = [home.household for home in homes]
        return MarketDay(
            clock=clock,
            clock_ms=clock_ms,
            scheduler=Scheduler(actors["scheduler"], clock_ms),
            oracle=_oracle(actors["oracle"], community.series, clock),
            households=households,
            tariffs=tariffs,
            deals=DirectDeals(seller=households[0], buyer=households[1], say=self._table.say),
            fleet=community.fleet,
            profiles=self._profiles,
            table=self._table,
            utc_offset=timedelta(minutes=self._settings.community.utc_offset_minutes),
        )


def _oracle(actor: Actor, series: SeriesStore, clock: MarketClock) -> ReportingNode:
    """As `gridledger oracle` runs it, on the demo's clock."""
    times = ReportTimes(
        Instants(every_ms=clock.hour_ms, first_ms=clock.first_delivery_ms),
        hold_ms=max(clock.hour_ms, READINGS_WAITED_MS),
        spread_ms=0,
        retry_ms=REPORT_RETRY_MS,
    )
    source = SeriesReadings(series)
    return ReportingNode(actor, source, times, clock_ms=clock_ms, log=RunLog(clock_ms))


@contextlib.asynccontextmanager
async def _in_background(*works: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """These run while it lasts; what one raises ends it, as an exception group."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in works]
        yield
        for task in tasks:
            task.cancel()


class KnownMeters:
    """Keys of the meters this process made, for the oracle's own check of readings."""

    def __init__(self, meters: list[DemoMeter]) -> None:
        self._keys = {meter.meter_id: meter.public_key for meter in meters}

    def public_key(self, meter_id: str) -> ec.EllipticCurvePublicKey | None:
        """See `gateway.mqtt.reading_check.MeterKeys`."""
        return self._keys.get(meter_id)


def _report(
    hours: list[HourReport],
    before: dict[str, Any],
    after: dict[str, Any],
    *,
    households: int,
    mails: int,
    unlike_recorded: list[str],
) -> DemoReport:
    return DemoReport(
        hours=tuple(hours),
        households=households,
        issued_utoken=after["deposited_utoken"],
        balances_before_utoken=_all_money(before),
        balances_after_utoken=_all_money(after),
        ledger_difference_utoken=after["difference_utoken"],
        mails=mails,
        unlike_recorded=tuple(unlike_recorded),
    )


def _all_money(audit: dict[str, Any]) -> int:
    return int(audit["free_utoken"] + audit["payouts_utoken"] + audit["escrowed_utoken"])


async def _run(settings: DemoSettings, table: LiveTable, report: Path, *, stays: bool) -> None:
    """The demo until it is over; SIGTERM ends it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

    def keep(found: DemoReport) -> None:
        broken = broken_invariants(found, hours=settings.hours)
        content = json.dumps(asdict(found) | {"broken": broken})
        unfinished = report.with_suffix(".new")
        unfinished.write_text(content, encoding="utf-8")
        unfinished.replace(report)  # whoever waits for it finds the whole of it

    await Demo(settings, table).run(keep, stays=stays)


def main() -> int:
    """Run the demo's people; the report goes to a file, with every invariant that broke."""
    parser = argparse.ArgumentParser(prog="python -m gateway.demo_runner")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--stay", action="store_true", help="devices go on until a signal")
    options = parser.parse_args()
    log_lines.configure(logging.WARNING, "  %(name)s: %(message)s")
    logging.getLogger("amqtt").setLevel(logging.ERROR)
    settings = load_demo_settings(options.config)
    table = LiveTable(out=sys.stdout, is_terminal=sys.stdout.isatty())
    try:
        asyncio.run(_run(settings, table, options.report, stays=options.stay))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED
    except FirmwareError as fault:
        logger.error("%s", fault)  # noqa: TRY400 - its words suffice
        return 1
    except LedgerRefusal as refusal:
        logger.error("the ledger refused: %s", refusal)  # noqa: TRY400 - its words suffice
        return 1
    except ExceptionGroup as group:
        for error in group.exceptions:
            logger.exception("the market day ended early", exc_info=error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
