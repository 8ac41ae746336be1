"""`python -m gateway.demo_runner --config demo.json --report report.json`: the demo's people.

This process is everyone but the ledger and the gateway: the households with their keys, their
meters, the broker they publish to, the grid operator's oracle and the cooperative's scheduler.
`gridledger demo` starts it beside the validators and the gateway process and prints its report.
"""

import argparse
import asyncio
import itertools
import json
import logging
import ssl
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.agent.client import REQUEST_TIMEOUT_S, HouseholdClient
from gateway.agent.household import Household
from gateway.database import migrate, open_database
from gateway.demo.day import MarketDay
from gateway.demo.devices import AWAY_PERCENT, DeviceWatch, MeterOutOfReach
from gateway.demo.registration import Neighbour, Staff, configure, register_all
from gateway.demo.replay import Replayed, compare, differences, first_hour_of, told
from gateway.demo.report import DemoReport, HourReport, broken_invariants
from gateway.demo.table import LiveTable
from gateway.errors import LedgerRefusal
from gateway.hems.firmware_meter import FirmwareError, FirmwareMeter, interpreter
from gateway.hems.fleet import DemoMeter, Fleet, FleetMeter, LightMeter
from gateway.hems.profiles import DEMO_START, load_profiles
from gateway.hems.running import limits_for
from gateway.hems.series import SeriesStore
from gateway.hems.virtual_meter import VirtualMeter
from gateway.ledger_access.actor import Actor
from gateway.mqtt.connection import keep_ingesting
from gateway.mqtt.embedded_broker import (
    Credential,
    EmbeddedBroker,
    ServerTls,
    credential,
    new_token,
)
from gateway.mqtt.ingest import SeriesIntake
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.topics import gateway_access, meter_access
from gateway.oracle.node import WAIT_FOR_READINGS_MS, OracleNode
from gateway.oracle.series_source import SeriesReadings
from gateway.settings import (
    DemoSettings,
    HouseholdSettings,
    MqttSettings,
    load_demo_settings,
)
from gateway.timetable.market_clock import MarketClock
from gateway.timetable.scheduler import Scheduler
from ledger import log_lines
from ledger.client.gateway import GatewayClient

ORACLE_USER, GATEWAY_USER = "oracle", "gateway"
START_MARGIN_MS = 300
FIRMWARE_METERS = 2
"""So many households have a meter that runs the firmware, each in a process of its own."""
HTTP_CONNECTIONS_MAX = 32
WAIT_IN_REPLAY_MS = 60_000
"""For readings: a replay is about every reading, on a slow machine, too."""
EXIT_INTERRUPTED = 130

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Member:
    """A household of the demo with everything that is its own."""

    neighbour: Neighbour
    meter: DemoMeter
    household: Household


class Demo:
    """Builds the community and runs its day; every resource hangs on one exit stack."""

    def __init__(self, settings: DemoSettings, table: LiveTable) -> None:
        self._settings = settings
        self._table = table
        self._profiles = load_profiles()
        day = settings.day
        self._first_hour = DEMO_START if day is None else first_hour_of(day, self._profiles)
        self._resources = AsyncExitStack()
        self._tokens = {ORACLE_USER: new_token()}
        self._background: list[asyncio.Task[None]] = []

    async def run(self) -> DemoReport:
        """Register, trade, settle; the report says whether everything held."""
        async with self._resources:
            try:
                return await self._run()
            finally:
                for task in self._background:
                    task.cancel()
                await asyncio.gather(*self._background, return_exceptions=True)

    async def _run(self) -> DemoReport:
        settings = self._settings
        clients = [await self._client(peer.address) for peer in settings.ledger.peers]
        by_member = dict(zip((peer.mspid for peer in settings.ledger.peers), clients, strict=True))
        actors = {
            role: Actor(by_member[files.mspid], files.load(), settings.ledger.chaincode)
            for role, files in settings.staff.items()
        }
        http = await self._browser()
        meters = await self._meters()
        watch = DeviceWatch(await self._browser(), self._table)
        meters[-1] = self._out_of_reach(meters[-1], watch)
        members = [
            self._member(own, meter, http, by_member)
            for own, meter in zip(settings.households, meters, strict=True)
        ]
        await self._start_broker(members)
        staff = Staff(manager=actors["community_manager"], operator=actors["dso"])
        registered = await self._register(staff, members)
        for actor in actors.values():
            await actor.see(registered)
        series = self._series()
        check = ReadingCheck(KnownMeters([member.meter for member in members]))
        intake = SeriesIntake(series, check, clock_ms)
        self._background.append(
            asyncio.create_task(
                keep_ingesting(self._mqtt(ORACLE_USER), settings.community.id, intake)
            )
        )
        fleet = await self._resources.enter_async_context(self._fleet(members))
        self._background.append(asyncio.create_task(watch.run(settings.manager_link)))
        before = await actors["auditor"].evaluate("tokens:audit")
        hours = await self._day(actors, members, fleet, series).run(settings.hours)
        await watch.look()  # what the last hour's end brought
        after = await actors["auditor"].evaluate("tokens:audit")
        replayed: list[Replayed] = []
        if settings.day is not None:
            homes = {own.idgrid: self._profiles.homes[own.home - 1] for own in settings.households}
            replayed = await compare(
                watch.http, homes, self._profiles, self._first_hour, settings.hours
            )
            self._table.say("\n".join(told(replayed)))
        return _report(hours, len(members), before, after, differences(replayed))

    async def _browser(self) -> httpx.AsyncClient:
        """A client of the gateway with cookies of its own."""
        return await self._resources.enter_async_context(
            httpx.AsyncClient(
                base_url=self._settings.gateway_url,
                timeout=REQUEST_TIMEOUT_S,
                limits=httpx.Limits(max_connections=HTTP_CONNECTIONS_MAX),
                verify=ssl.create_default_context(cafile=self._settings.gateway_ca),
            )
        )

    def _out_of_reach(self, meter: DemoMeter, watch: DeviceWatch) -> DemoMeter:
        """One meter is away for a while, if it is a light one."""
        if not isinstance(meter, LightMeter):
            return meter
        away_ms = self._settings.community.hour_ms * AWAY_PERCENT // 100
        return MeterOutOfReach(meter, watch.is_silent, away_ms)

    def _series(self) -> SeriesStore:
        """The oracle's own, under the same rules as the gateway's; it goes with the demo."""
        folder = self._resources.enter_context(tempfile.TemporaryDirectory(prefix=ORACLE_USER))
        database = open_database(f"sqlite:///{folder}/oracle.db")
        self._resources.callback(database.close)
        migrate(database)
        return SeriesStore(database, limits_for(self._settings.community.hour_ms), clock_ms())

    async def _client(self, address: str) -> GatewayClient:
        ledger = self._settings.ledger
        client = GatewayClient.connect(address, ledger.tls_ca.read_bytes(), ledger.channel_id)
        self._resources.push_async_callback(client.close)
        return client

    async def _meters(self) -> list[DemoMeter]:
        """A meter per household: the first ones run the firmware, where MicroPython is."""
        command, community = interpreter(), self._settings.community.id
        meters: list[DemoMeter] = []
        for number, own in enumerate(self._settings.households):
            name = f"meter-{own.home:02d}"
            self._tokens[name] = new_token()
            mqtt = self._mqtt(name)
            if command is None or number >= FIRMWARE_METERS:
                meters.append(LightMeter(community, VirtualMeter(name), mqtt))
                continue
            folder = self._resources.enter_context(tempfile.TemporaryDirectory(prefix=name))
            node = await FirmwareMeter.start(
                command,
                Path(folder),
                community=community,
                account=own.idgrid,
                mqtt=mqtt,
                market_hour_ms=self._settings.community.hour_ms,
            )
            self._resources.push_async_callback(node.close)
            meters.append(node)
        nodes = sum(isinstance(meter, FirmwareMeter) for meter in meters)
        light = "the others are light Python meters" if nodes else "all are light Python meters"
        why = "" if command else " (MicroPython is not installed)"
        self._table.say(f"  {nodes} meters run the firmware on MicroPython{why}, {light}")
        return meters

    def _member(
        self,
        own: HouseholdSettings,
        meter: DemoMeter,
        http: httpx.AsyncClient,
        by_member: Mapping[str, GatewayClient],
    ) -> Member:
        identity, chaincode = own.identity.load(), self._settings.ledger.chaincode
        home = self._profiles.homes[own.home - 1]
        neighbour = Neighbour(
            idgrid=own.idgrid,
            name=f"Home {own.home}",
            email=f"home-{own.home:02d}@{self._settings.community.id}.example",
            res_id=f"pv-{own.home:02d}",
            pv_nominal_w=home.pv_nominal_w,
            meter_id=meter.meter_id,
            meter_key_pem=meter.public_key_pem,
            actor=Actor(by_member[own.identity.mspid], identity, chaincode),
        )
        household = Household(
            idgrid=own.idgrid,
            res_id=neighbour.res_id,
            home=home,
            profiles=self._profiles,
            client=HouseholdClient(http, identity),
            preferred=self._neighbours(own),
        )
        return Member(neighbour, meter, household)

    def _neighbours(self, own: HouseholdSettings) -> list[str]:
        """Households whose meters run the firmware rather buy of each other: over their relays."""
        nodes = [home.idgrid for home in self._settings.households[:FIRMWARE_METERS]]
        return [name for name in nodes if name != own.idgrid] if own.idgrid in nodes else []

    def _mqtt(self, user: str) -> MqttSettings:
        broker = self._settings.broker
        return MqttSettings(broker.host, broker.port, broker.ca, user, self._tokens[user])

    async def _start_broker(self, members: list[Member]) -> None:
        settings, community = self._settings.broker, self._settings.community.id
        listening = gateway_access(community)
        credentials: dict[str, Credential] = {
            GATEWAY_USER: credential(settings.gateway_token, listening),
            ORACLE_USER: credential(self._tokens[ORACLE_USER], listening),
        } | {
            member.meter.meter_id: credential(
                self._tokens[member.meter.meter_id],
                meter_access(community, member.meter.meter_id),
            )
            for member in members
        }
        broker = EmbeddedBroker(
            credentials=credentials,
            host=settings.host,
            port=settings.port,
            tls=ServerTls(settings.certificate, settings.key),
        )
        await broker.start()
        self._resources.push_async_callback(broker.stop)

    async def _register(self, staff: Staff, members: list[Member]) -> list[str]:
        settings = self._settings
        roles = {role: [files.mspid] for role, files in settings.staff.items()}
        await configure(staff, roles)
        begun, done = time.monotonic(), itertools.count(1)

        def show() -> None:
            count = next(done)
            if count == len(members) or not self._table.is_terminal:
                return
            self._table.out.write(f"\r  registering households: {count} of {len(members)}")
            self._table.out.flush()

        done_last = await register_all(staff, [member.neighbour for member in members], show)
        self._table.say(
            f"\r  {len(members)} households registered, metered and approved"
            f" in {time.monotonic() - begun:.1f} s"
        )
        return done_last

    def _fleet(self, members: list[Member]) -> Fleet:
        homes = self._profiles.homes
        meters = [
            FleetMeter(member.meter, homes[own.home - 1])
            for member, own in zip(members, self._settings.households, strict=True)
        ]
        return Fleet(meters, self._profiles)

    def _day(
        self,
        actors: dict[str, Actor],
        members: list[Member],
        fleet: Fleet,
        series: SeriesStore,
    ) -> MarketDay:
        community = self._settings.community
        first_delivery_ms = clock_ms() + START_MARGIN_MS + community.hour_ms
        return MarketDay(
            clock=MarketClock(first_delivery_ms, community.hour_ms, self._first_hour),
            clock_ms=clock_ms,
            scheduler=Scheduler(actors["scheduler"], clock_ms),
            oracle=OracleNode(
                actors["oracle"],
                SeriesReadings(series),
                wait_ms=WAIT_IN_REPLAY_MS if self._settings.day else WAIT_FOR_READINGS_MS,
            ),
            households=[member.household for member in members],
            meter_ids=[member.meter.meter_id for member in members],
            fleet=fleet,
            profiles=self._profiles,
            table=self._table,
            utc_offset=timedelta(minutes=community.utc_offset_minutes),
        )


class KnownMeters:
    """Keys of the meters this process made, for the oracle's own check of readings."""

    def __init__(self, meters: list[DemoMeter]) -> None:
        self._keys = {meter.meter_id: meter.public_key for meter in meters}

    def public_key(self, meter_id: str) -> ec.EllipticCurvePublicKey | None:
        """See `gateway.mqtt.reading_check.MeterKeys`."""
        return self._keys.get(meter_id)


def clock_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def _report(
    hours: list[HourReport],
    households: int,
    before: dict[str, Any],
    after: dict[str, Any],
    unlike_recorded: list[str],
) -> DemoReport:
    return DemoReport(
        hours=tuple(hours),
        households=households,
        issued_utoken=after["deposited_utoken"],
        balances_before_utoken=_all_money(before),
        balances_after_utoken=_all_money(after),
        ledger_difference_utoken=after["difference_utoken"],
        unlike_recorded=tuple(unlike_recorded),
    )


def _all_money(audit: dict[str, Any]) -> int:
    return int(audit["free_utoken"] + audit["payouts_utoken"] + audit["escrowed_utoken"])


def main() -> int:
    """Run the demo's people; the report goes to a file, 1 if an invariant broke."""
    parser = argparse.ArgumentParser(prog="python -m gateway.demo_runner")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    options = parser.parse_args()
    log_lines.configure(logging.WARNING, "  %(name)s: %(message)s")
    logging.getLogger("amqtt").setLevel(logging.ERROR)
    settings = load_demo_settings(options.config)
    table = LiveTable(out=sys.stdout, is_terminal=sys.stdout.isatty())
    try:
        report = asyncio.run(Demo(settings, table).run())
    except KeyboardInterrupt:
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
    broken = broken_invariants(report, hours=settings.hours)
    content = asdict(report) | {"broken": broken}
    options.report.write_text(json.dumps(content), encoding="utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
