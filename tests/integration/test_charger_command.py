"""`gridledger charger` as a process: over HTTP, a real mosquitto and a node on MicroPython.

The window holds the hour that runs and needs all of its hours, so that it charges at once.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from chaincode.energy.hours import HOUR_MS
from gateway.application import create_app
from gateway.hems.batteries import BatteryStore
from gateway.hems.plausibility import Limits
from gateway.hems.running import open_service
from gateway.identity.scopes import Scope
from gateway.identity.sessions import Viewer
from gateway.mqtt.collector import Collector, keep_collecting
from gateway.mqtt.reading_check import ReadingCheck
from tests.firmware.pc_node import PcNode, make_image, settings
from tests.support.conditions import until
from tests.support.mosquitto import COMMUNITY, Mosquitto, mosquitto, needs_mosquitto
from tests.support.paced_loop import stopped
from tests.unit.energy.community import Community
from tests.unit.gateway.hems import Hems, hems_of
from tests.unit.gateway.serving import serve

pytestmark = [needs_mosquitto, pytest.mark.slow]
TOKEN = "the-charger-s-token"
POWER_W, HOURS = 3_650, 3
LIMIT, BUDGET = 90_000, 2_000_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Street:
    """A charger's node, its gateway, and the ledger that its order is placed on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first_hour_ms = now_ms() // HOUR_MS * HOUR_MS
        start = datetime.fromtimestamp(self.first_hour_ms // 1_000 - 3_600, tz=UTC)
        self.community = Community.found(start=start.isoformat().replace("+00:00", "Z"))
        self.charger = self.community.join(role="consumer", kind="ev_charger")
        self.node = PcNode(folder / "node")

    def public_key(self, _: str) -> Any:
        return load_pem_public_key(self.node.enrolment["public_key"].encode())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            (self.folder / "broker").mkdir()
            broker = stack.enter_context(
                mosquitto(self.folder / "broker", (self.charger.meter_id,))
            )
            hems = await stack.enter_async_context(hems_of(self.community))
            self._place_orders(hems)
            stack.push_async_callback(self.node.kill)
            await self._start_node(broker)
            limits = Limits(interval_ms=1_000)
            database = hems.services.readmodel.database
            service = open_service(database, BatteryStore(), limits, now_ms=now_ms())
            collector = Collector(
                service, ReadingCheck(self), community=COMMUNITY, clock_ms=now_ms
            )
            mqtt = broker.settings("gateway")
            collecting = asyncio.create_task(keep_collecting(lambda: collector.run(mqtt)))
            stack.push_async_callback(stopped, collecting)
            services = replace(hems.services, hems=service, clock_ms=now_ms)
            scopes = frozenset({Scope.OWN_READ, Scope.DEVICES_SWITCH})
            services.sessions.admit(TOKEN, Viewer(self.charger.idgrid, token_scopes=scopes))
            self.address = await stack.enter_async_context(serve(create_app(services)))
            self.series = service.stores.series
            yield

    def _place_orders(self, hems: Hems) -> None:
        """What reaches the gateway's ledger runs on the contracts, as the charger."""
        mirror = hems.mirror.contract

        def run(function: str, args: Sequence[str]) -> dict[str, bytes]:
            if function != "mirror":
                self.charger.client.submit(function, *args)
            return mirror(function, args)

        hems.mirror.contract = run

    async def _start_node(self, broker: Mosquitto) -> None:
        name = self.charger.meter_id
        make_image(
            self.folder / "node",
            settings=settings(name, broker.port, community=COMMUNITY, account=self.charger.idgrid),
            authority=broker.authority.tls.certificate_pem,
            token=broker.tokens[name],
            code="ABCD-1234",
            wifi=None,
        )
        await self.node.start()
        await self.node.tell(power_mw=0)

    def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.charger.client.evaluate(
            "standing:get_orders", self.charger.idgrid
        )
        return found

    def write_settings(self, *, begins_h: int = 0) -> Path:
        identity = self.charger.client.identity
        key = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        content = {
            "mspid": identity.mspid,
            "certificate_pem": identity.certificate_pem.decode(),
            "private_key_pem": key.decode(),
            "idgrid": self.charger.idgrid,
            "gateway": self.address,
        }
        (self.folder / "charger.key.json").write_text(json.dumps(content))
        (self.folder / "charger.token").write_text(f"{TOKEN}\n")
        begins, ends = (
            datetime.fromtimestamp(self.first_hour_ms // 1_000 + hours * 3_600, tz=UTC)
            for hours in (begins_h, begins_h + HOURS)
        )
        written = self.folder / "charger.json"
        written.write_text(
            json.dumps(
                {
                    "key": "charger.key.json",
                    "token_file": "charger.token",
                    "state": "charger.night.json",
                    "plug": self.charger.meter_id,
                    "meter": self.charger.meter_id,
                    "begins": f"{begins:%H:%M}",
                    "ends": f"{ends:%H:%M}",
                    "time_zone": "UTC",
                    "energy_wh": HOURS * POWER_W,
                    "power_w": POWER_W,
                    "price_max_utoken_per_kwh": LIMIT,
                    "budget_utoken": BUDGET,
                    "prices_utoken_per_kwh": {"00:00": 61_000},
                }
            )
        )
        return written


@asynccontextmanager
async def charging(config: Path, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command, killed at the end."""
    with log.open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "network.cli", "charger", "--config", str(config)),
            stdout=said,
            stderr=said,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def test_the_command_buys_its_hours_once_and_closes_its_relay_also_after_a_kill(tmp_path):
    async def play() -> None:
        street = Street(tmp_path)
        async with street.running():
            name, config = street.charger.meter_id, street.write_settings()
            await until(lambda: street.series.latest(name))
            log = tmp_path / "first.log"
            async with charging(config, log):
                await until(lambda: street.node.pins("plug") == [1])
                await until(lambda: "relay closed" in log.read_text())
            (order,) = street.orders()
            night = json.loads((tmp_path / "charger.night.json").read_text())
            hours = [int(hour) for hour in night["planned"]]
            assert street.first_hour_ms < min(hours), "the hour that runs is too late to buy"
            assert (order["side"], order["energy_wh"]) == ("bid", POWER_W)
            assert (order["from_ms"], order["listings_max"]) == (min(hours), len(hours))
            assert (order["price_utoken_per_kwh"], order["budget_utoken"]) == (LIMIT, BUDGET)
            assert night["standing_id"]
            assert night["import_wh"] == 0
            again = tmp_path / "again.log"
            async with charging(config, again):
                await until(lambda: "relay closed" in again.read_text())
            assert street.orders() == [order], "signed once"
            assert street.node.pins("plug") == [1], "it stayed closed"

    asyncio.run(play())


def test_outside_its_window_the_command_opens_a_relay_once_it_answers(tmp_path):
    async def play() -> None:
        street = Street(tmp_path)
        async with street.running():
            await until(lambda: street.series.latest(street.charger.meter_id))
            await street.node.tell(button=1)
            await until(lambda: street.node.pins("plug") == [1])
            log = tmp_path / "log"
            async with charging(street.write_settings(begins_h=4), log):
                await until(lambda: "relay open" in log.read_text())
                assert street.node.pins("plug") == [1, 0]
                await until(lambda: "buys 3 hours" in log.read_text())
            (order,) = street.orders()
            assert order["from_ms"] == street.first_hour_ms + 4 * HOUR_MS

    asyncio.run(play())


def test_a_relay_that_does_not_answer_is_commanded_until_it_does(tmp_path):
    async def play() -> None:
        street = Street(tmp_path)
        async with street.running():
            await until(lambda: street.series.latest(street.charger.meter_id))
            await street.node.kill()
            log = tmp_path / "log"
            async with charging(street.write_settings(), log):
                await until(lambda: "it is not done, again" in log.read_text())
                street.node = PcNode(tmp_path / "node")
                await street.node.start()
                try:
                    await until(lambda: street.node.pins("plug") == [1])
                finally:
                    await street.node.kill()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("energy_wh", 40_000, "the window has 3"),
        ("budget_utoken", 0, "budget_utoken is a positive whole number"),
        ("colour", "red", "there is no field colour"),
        ("key", "none.json", "cannot read"),
    ],
)
def test_what_cannot_be_done_is_said_at_the_start(tmp_path, field, value, reason):
    street = Street(tmp_path)
    street.address = "http://127.0.0.1:1"
    config = street.write_settings()
    config.write_text(json.dumps(json.loads(config.read_text()) | {field: value}))

    async def play() -> None:
        log = tmp_path / "log"
        async with charging(config, log) as process:
            assert await process.wait() == 2
        assert reason in log.read_text()

    asyncio.run(play())
