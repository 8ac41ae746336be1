"""A gateway over the state of a test ledger, with a household's meter and battery behind it."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx

from chaincode.shim.testing import TestLedger
from gateway.application import create_app
from gateway.hems.meter_keys import LedgerMeterKeys
from gateway.hems.running import limits_for
from gateway.hems.series import SeriesStore
from gateway.hems.virtual_meter import VirtualMeter
from gateway.identity.sessions import Viewer
from gateway.mqtt.ingest import SeriesIntake
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.topics import Topic
from gateway.services import Services
from tests.unit.energy.community import Community, Household, milliseconds
from tests.unit.gateway.ledger_double import LedgerDouble, an_identity, follow, services_over
from tests.unit.gateway.serving import serve

ORACLE_TOKEN, HOUR_MS = "an-oracle", 3_600_000
IDENTITY = an_identity()
SECONDS_MAX = 60


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@dataclass
class Hems:
    """The gateway's services over the community's ledger, and its meters."""

    community: Community
    services: Services
    mirror: LedgerDouble
    meters: dict[str, VirtualMeter]
    heard_ms: int = 0
    """When the message is heard that comes next."""

    def __post_init__(self) -> None:
        keys = LedgerMeterKeys(self.services.community, self.services.blocks)
        limits = limits_for(HOUR_MS)
        series = SeriesStore(self.services.readmodel.database, limits, 0)
        self.intake = SeriesIntake(series, ReadingCheck(keys), lambda: self.heard_ms)

    async def catch_up(self) -> None:
        """Let the gateway see the ledger as it stands, through a real block."""
        prepared = self.services.transactions.prepare(
            mspid=IDENTITY.mspid,
            certificate_pem=IDENTITY.certificate_pem.decode(),
            function="mirror",
            args=[],
        )
        signed = await self.services.transactions.endorse(
            prepared.to_sign, IDENTITY.sign(prepared.to_sign)
        )
        tx_id = await self.services.transactions.submit(
            signed.to_sign, IDENTITY.sign(signed.to_sign)
        )
        assert await self.services.transactions.committed(tx_id, SECONDS_MAX * 1000)

    async def read(self, home: Household, at_ms: int, *, load_wh: int = 0, pv_wh: int = 0) -> None:
        """Let energy flow through the home's meter, then report its registers over MQTT."""
        meter = self.meters[home.meter_id]
        meter.run_hour(load_wh=load_wh, pv_wh=pv_wh)
        topic = Topic("val", home.meter_id, "reading")
        self.heard_ms = at_ms
        assert await self.intake.accept(topic, meter.message(meter.read(at_ms)))


def mirror_of(ledger: TestLedger) -> Callable[[str, object], dict[str, bytes]]:
    """Writes that make another ledger's state equal to this one's, deletions too."""
    written: set[str] = set()

    def writes(_function: str, _args: object) -> dict[str, bytes]:
        present = set(ledger.keys(""))
        written.update(present)
        return {key: ledger.state(key) or b"" for key in written}

    return writes


def clock_of(community: Community) -> Callable[[], int]:
    return lambda: milliseconds(community.ledger.now)


@asynccontextmanager
async def hems_of(community: Community):
    """The gateway of a community; every household's own token is its IDgrid."""
    mirror = LedgerDouble(mirror_of(community.ledger))
    clock_ms = clock_of(community)
    services = services_over(mirror, clock_ms, energy_hour_ms=HOUR_MS)
    following = asyncio.create_task(follow(mirror, services))
    services.sessions.admit(ORACLE_TOKEN, Viewer("", is_oracle=True))
    for home in community.households:
        services.sessions.admit(home.idgrid, Viewer(home.idgrid))
    meters = {
        home.meter_id: VirtualMeter(home.meter_id, home.meter.private_key)
        for home in community.households
    }
    hems = Hems(community, services, mirror, meters)
    await hems.catch_up()
    try:
        yield hems
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


@asynccontextmanager
async def client_of(hems: Hems):
    """Requests to the application without a socket."""
    transport = httpx.ASGITransport(create_app(hems.services), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


@asynccontextmanager
async def serving(hems: Hems):
    """The application on a real socket; yields its address."""
    async with serve(create_app(hems.services)) as address:
        yield address
