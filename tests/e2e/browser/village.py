"""A community with a gateway on a real socket, in a thread of its own, for tests that block.

with village() as it:
    it.act(lambda community: community.bid(buyer, 2_000, 60_000))
    browser.goto(it.url + it.sign_in(buyer.idgrid))
"""

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from fastapi import FastAPI

from chaincode.energy.contracts import CONTRACTS
from chaincode.shim.testing import collection
from gateway.api.limits import RateLimit
from gateway.application import create_app
from gateway.hems.meter_keys import LedgerMeterKeys
from gateway.hems.running import limits_for
from gateway.hems.series import SeriesStore
from gateway.hems.virtual_meter import VirtualMeter
from gateway.identity.sessions import Viewer
from gateway.local_time import fixed
from gateway.mqtt.ingest import SeriesIntake
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.topics import Topic
from gateway.ports import CertificateIssuer, Measurements
from gateway.services import Services
from tests.e2e.browser.chained_ledger import ChainedLedger, RecordingLedger
from tests.unit.energy.community import COOP, DSO, Community, Household, milliseconds
from tests.unit.gateway.ledger_double import follow, services_over
from tests.unit.gateway.serving import serve

HOUR_MS = 3_600_000
START = "2026-01-15T00:20:00Z"
START_TIMEOUT_S = 60
NO_RATE_LIMIT = RateLimit(per_second=1.0, burst=10**6)
"""Time stands still here unless a test moves it, so no allowance would ever grow back."""
T = TypeVar("T")


@dataclass
class Village:
    """The community, its gateway, and a way to act on both while the gateway serves."""

    community: Community
    ledger: ChainedLedger
    services: Services
    url: str = ""
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    links: Iterator[int] = field(default_factory=itertools.count)
    meters: dict[str, VirtualMeter] = field(default_factory=dict)
    following: asyncio.Task[None] | None = None
    app: FastAPI | None = None

    def act(self, what: Callable[[Community], T]) -> T:
        """Let people act on the ledger; the gateway has seen it when this returns."""
        return self._in_loop(self._acted(what))

    def sign_in(self, idgrid: str = "", *, is_manager: bool = False) -> str:
        """Path of a fresh login link."""
        token = f"link-{next(self.links)}"
        self.services.sessions.add_link(token, Viewer(idgrid, is_manager))
        return f"/login/{token}"

    def signer_of(self, tx_id: str) -> str:
        """IDgrid in the certificate that signed a transaction; empty for staff."""
        record = self.services.readmodel.transaction(tx_id)
        signer = record and self.services.readmodel.identity(record.creator)
        return signer.idgrid if signer else ""

    def read(self, home: Household, *, load_wh: int = 0, pv_wh: int = 0) -> None:
        """Energy flows through a home's meter, which then reports over MQTT's way in."""
        self._in_loop(self._read(home, load_wh, pv_wh))

    async def _acted(self, what: Callable[[Community], T]) -> T:
        done = what(self.community)
        await self.ledger.publish()
        async with asyncio.timeout(START_TIMEOUT_S):
            await self.services.blocks.next(len(self.ledger.chain) - 1)
        return done

    async def _read(self, home: Household, load_wh: int, pv_wh: int) -> None:
        meter = self.meters.setdefault(
            home.meter_id, VirtualMeter(home.meter_id, home.meter.private_key)
        )
        meter.run_hour(load_wh=load_wh, pv_wh=pv_wh)
        latest = self.services.readings.latest(home.meter_id)
        now_ms = milliseconds(self.community.ledger.now)
        t_end_ms = max(now_ms, latest.t_end_ms + HOUR_MS if latest else 0)
        message = meter.message(meter.read(t_end_ms))
        keys = LedgerMeterKeys(self.services.community, self.services.blocks)
        series = SeriesStore(self.services.readmodel.database, limits_for(HOUR_MS), 0)
        intake = SeriesIntake(series, ReadingCheck(keys), lambda: t_end_ms)
        await intake.accept(Topic("val", home.meter_id, "reading"), message)

    def _in_loop(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(START_TIMEOUT_S)


def founded(start: str = START) -> Community:
    """Staff and an empty register on a ledger that keeps its blocks."""
    ledger = RecordingLedger(
        [contract() for contract in CONTRACTS],
        start=start,
        collections=[collection("persons", COOP, DSO, policy=f"OR('{COOP}.peer')")],
    )

    def staff(mspid: str, role: str):
        return ledger.client(mspid, role, attributes={"role": role})

    return Community(
        ledger=ledger,
        manager=staff(COOP, "community_manager"),
        dso=staff(DSO, "dso"),
        oracle=staff(DSO, "oracle"),
        scheduler=staff(COOP, "scheduler"),
    )


@contextmanager
def village(
    community: Community | None = None,
    *,
    measurements: Measurements | None = None,
    issuer: CertificateIssuer | None = None,
    name: str = "Valdivia energy community",
) -> Iterator[Village]:
    """The gateway of a community, serving until the block ends."""
    people = community or founded()
    assert isinstance(people.ledger, RecordingLedger)
    ledger = ChainedLedger(people.ledger)
    clock_ms = lambda: milliseconds(people.ledger.now)  # noqa: E731
    services = services_over(ledger, clock_ms, energy_hour_ms=HOUR_MS, issuer=issuer)
    services = replace(services, community_name=name, local_time=fixed(-180))
    if measurements is not None:
        services = replace(services, measurements=measurements)
    it = Village(people, ledger, services)
    ready, stop = threading.Event(), asyncio.Event()
    thread = threading.Thread(target=it.loop.run_until_complete, args=(_serve(it, ready, stop),))
    thread.start()
    try:
        assert ready.wait(START_TIMEOUT_S)
        it.act(lambda _community: None)
        yield it
    finally:
        it.loop.call_soon_threadsafe(stop.set)
        thread.join(START_TIMEOUT_S)
        it.loop.close()


async def _serve(it: Village, ready: threading.Event, stop: asyncio.Event) -> None:
    it.following = asyncio.create_task(follow(it.ledger, it.services))
    it.app = create_app(it.services, rate=NO_RATE_LIMIT)
    async with serve(it.app) as address:
        it.url = address
        ready.set()
        await stop.wait()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
