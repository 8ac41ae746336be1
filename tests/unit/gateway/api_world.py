"""The HTTP interface over a scripted ledger, and a client of it."""

import asyncio
import base64
from contextlib import asynccontextmanager, suppress

import httpx

from chaincode.energy import keys
from chaincode.energy.market.records import MarketOrder
from chaincode.energy.records import encode
from gateway.api.limits import RateLimit
from gateway.application import create_app
from gateway.errors import Problem
from gateway.identity.sessions import Viewer
from tests.unit.gateway.ledger_double import (
    LedgerDouble,
    an_identity,
    follow,
    services_over,
)

IDENTITY = an_identity()


CREATOR = {"mspid": IDENTITY.mspid, "certificate_pem": IDENTITY.certificate_pem.decode()}


LISTING = "2026-01-01T10"


BID = {
    "creator": CREATOR,
    "listing_id": LISTING,
    "energy_wh": 1_000,
    "price_utoken_per_kwh": 54_000,
}


def write_order(function: str, args) -> dict[str, bytes]:
    order = MarketOrder("o1", args[0], "VAL-0001-X", "bid", int(args[1]), int(args[2]), None)
    return {keys.order(args[0], "VAL-0001-X", "o1"): encode(order)}


class World:
    """An app over a ledger double, and a client of it."""

    def __init__(self, client: httpx.AsyncClient, ledger: LedgerDouble, services) -> None:
        self.client = client
        self.ledger = ledger
        self.services = services

    async def signed(self, prepared: httpx.Response) -> tuple[str, str]:
        assert prepared.status_code == 200, prepared.text
        raw = base64.b64decode(prepared.json()["to_sign"])
        return prepared.json()["to_sign"], base64.b64encode(IDENTITY.sign(raw)).decode()

    async def endorsed(self, body: dict = BID) -> httpx.Response:
        proposal, signature = await self.signed(
            await self.client.post("/v1/bids/prepare", json=body)
        )
        return await self.client.post(
            "/v1/transactions/endorse", json={"proposal": proposal, "signature": signature}
        )

    async def submission(self) -> dict[str, str]:
        payload, signature = await self.signed(await self.endorsed())
        return {"payload": payload, "signature": signature}

    def sign_in(self, idgrid: str, *, is_manager: bool = False) -> dict[str, str]:
        token = self.services.sessions.begin(Viewer(idgrid, is_manager))
        return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def a_world(contract=write_order, *, rate: RateLimit | None = None, **ledger_options):
    ledger = LedgerDouble(contract, **ledger_options)
    services = services_over(ledger)
    following = asyncio.create_task(follow(ledger, services))
    transport = httpx.ASGITransport(create_app(services, rate=rate), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield World(client, ledger, services)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


def play(scene, **options) -> None:
    async def run() -> None:
        async with a_world(**options) as world:
            await scene(world)

    asyncio.run(run())


def assert_problem(response: httpx.Response, problem: Problem, *, code: str | None = None) -> None:
    assert response.status_code == problem.value.status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    content = response.json()
    assert content["type"] == f"/problems/{problem.value.slug}"
    assert content["title"] == problem.value.title
    assert content["status"] == problem.value.status
    assert content["detail"]
    assert content["instance"] == response.request.url.path
    assert content.get("code") == code
