"""Several gateways behind a proxy share PostgreSQL: any of them answers, none needs another."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from sqlalchemy import text

from gateway.application import create_app
from gateway.database import Database, migrate, open_database
from gateway.identity.sessions import Viewer
from gateway.readmodel.following import follow_blocks
from gateway.readmodel.projector import Projector
from gateway.readmodel.queries import ReadModel
from gateway.services import Services
from gateway.shared_state.tries import TRIES_MAX, Tries
from ledger.model.codes import ValidationCode
from tests.support.postgresql import running_postgresql
from tests.unit.gateway.api_world import World, write_order
from tests.unit.gateway.ledger_double import CHAINCODE, NOW_MS, LedgerDouble, services_over
from tests.unit.gateway.readmodel_blocks import HOME, Ledger, a_listing, an_order
from tests.unit.gateway.serving import serve
from tests.unit.gateway.test_readmodel import contents
from tests.unit.gateway.test_tries import side_by_side

SOON_S = 60
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_postgresql() as server:
        yield server.url


@pytest.fixture
def url(server: str) -> Iterator[str]:
    """The database, empty."""
    yield server
    database = open_database(server)
    with database.writing() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    database.close()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    migrate(opened)
    yield opened
    opened.close()


def test_replicas_that_start_together_migrate_once(url):
    async def run() -> None:
        opened = [open_database(url) for _ in range(3)]
        await asyncio.gather(*(asyncio.to_thread(migrate, each) for each in opened))
        for each in opened:
            each.close()

    asyncio.run(run())


def test_tries_of_an_address_side_by_side_on_three_gateways(url):
    gateways = [open_database(url) for _ in range(3)]
    migrate(gateways[0])
    with ThreadPoolExecutor(3) as pool:
        through = pool.map(
            lambda gateway: side_by_side(Tries(gateway, lambda: NOW_MS), TRIES_MAX), gateways
        )
        assert sum(through) == TRIES_MAX
    for gateway in gateways:
        gateway.close()


def test_a_recovery_approved_on_one_gateway_ends_what_another_opened(url):
    opened = [open_database(url) for _ in range(2)]
    migrate(opened[0])
    gateways = [
        services_over(LedgerDouble(lambda *_: {}), readmodel=ReadModel(each, CHAINCODE))
        for each in opened
    ]
    one, other = gateways
    session = other.sessions.begin(Viewer(HOME))
    other.people.passwords.set(HOME, "a long enough one", current="")
    session_after = other.sessions.begin(Viewer(HOME))
    assert [gateway.sessions.viewer(session) for gateway in gateways] == [None, None]
    assert [gateway.sessions.viewer(session_after) for gateway in gateways] == [Viewer(HOME)] * 2
    with opened[0].writing() as connection:
        one.people.endings.of_everything(connection, HOME, actor="manager")
    assert [gateway.sessions.viewer(session_after) for gateway in gateways] == [
        None,
        None,
    ]
    assert not other.people.passwords.has_one(HOME)
    told = [entry.action for entry in other.people.log.entries(limit=2)]
    assert sorted(told) == ["password ended", "sessions ended"]
    for each in opened:
        each.close()


def test_the_read_model_is_the_same_in_both_databases(database):
    ledgers = Ledger(), Ledger(database)
    for ledger in ledgers:
        ledger.block(("market:open_listing", a_listing()), args=["nul \0 and \U0001f31e"])
        ledger.block(("market:place_bid", an_order("o1")))
        ledger.block(("market:place_bid", {"zoë~\u00e9": b"1", "Zo~2": b"2", "zo~3": b"3"}))
        ledger.double.code = ValidationCode.BAD_PAYLOAD
        ledger.raw_block(b"no envelope")
        ledger.catch_up()
    sqlite, postgresql = (ledger.readmodel for ledger in ledgers)
    for prefix in ("", "z", "zo~", "listing~"):
        assert [key for key, _ in sqlite.entries(prefix)] == [
            key for key, _ in postgresql.entries(prefix)
        ]
    for readmodel in (sqlite, postgresql):
        assert readmodel.height == 4
        assert readmodel.transactions(limit=10).items[-1].arguments == ("nul \0 and \U0001f31e",)
        assert len(readmodel.activity(HOME, limit=10).items) == 3
    filled = contents(ledgers[1])
    ledgers[1].projector.empty()
    ledgers[1].catch_up()
    assert contents(ledgers[1]) == filled


@asynccontextmanager
async def replicas(url: str, ledger: LedgerDouble, count: int):
    """Gateways, each with connections of its own, on sockets of their own."""
    databases = [open_database(url) for _ in range(count)]
    services = [services_over(ledger, readmodel=ReadModel(each, CHAINCODE)) for each in databases]
    following = [
        asyncio.create_task(
            follow_blocks(ledger, Projector(each.readmodel.database, CHAINCODE), each.blocks)
        )
        for each in services
    ]
    try:
        yield services
    finally:
        for task in following:
            task.cancel()
        for task in following:
            with suppress(asyncio.CancelledError):
                await task
        for database in databases:
            database.close()


@asynccontextmanager
async def behind_a_proxy(services: list[Services]):
    """One address; each new connection goes to the next gateway."""
    turn = 0

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        turn += 1
        host, port = addresses[turn % len(addresses)].removeprefix("http://").split(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))

    async with serve(create_app(services[0])) as one, serve(create_app(services[1])) as other:
        addresses = [one, other]
        proxy = await asyncio.start_server(pass_on, "127.0.0.1", 0)
        async with proxy:
            port = proxy.sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()
    writer.close()


def test_two_gateways_behind_a_proxy_are_one_to_their_clients(url, database):
    ledger = LedgerDouble(write_order)

    async def run() -> None:
        async with replicas(url, ledger, 2) as services, behind_a_proxy(services) as address:
            limits = httpx.Limits(max_keepalive_connections=0)
            async with httpx.AsyncClient(
                base_url=address, limits=limits, timeout=SOON_S
            ) as client:
                await play(client, services)

    async def play(client: httpx.AsyncClient, services: list[Services]) -> None:
        world = World(client, ledger, services[0])
        session = world.sign_in("VAL-0001-X")
        submission, key = await world.submission(), {"Idempotency-Key": "k1"}
        placed = [
            await client.post("/v1/transactions?wait=committed", json=submission, headers=key)
            for _ in range(4)
        ]
        assert [answer.status_code for answer in placed] == [200] * 4, placed[0].text
        assert sum("idempotency-replayed" in answer.headers for answer in placed) == 3
        assert len(ledger.chain) == 1, "ordered once"
        for each in services:
            await each.blocks.next(0)
        for _ in range(4):
            found = await client.get(placed[0].headers["location"], headers=session)
            assert found.json()["arguments"] is not None, "every gateway knows the session"
        async with client.stream("GET", "/v1/events") as stream:
            assert stream.status_code == 200
            await world.client.post("/v1/transactions", json=await world.submission())
            first = await _first_event(stream)
        await world.client.post("/v1/transactions", json=await world.submission())
        behind = {"Last-Event-ID": first}
        async with client.stream("GET", "/v1/events", headers=behind) as stream:
            assert await _first_event(stream) == str(int(first) + 1)

    async def _first_event(stream: httpx.Response) -> str:
        async for line in stream.aiter_lines():
            if line.startswith("id:"):
                return line.removeprefix("id:").strip()
        raise AssertionError("the stream ended")

    asyncio.run(asyncio.wait_for(run(), SOON_S))


def test_replicas_apply_every_block_once(url, database):
    ledger = Ledger(database)
    for number in range(20):
        ledger.block(("f", {f"count~{number}": b"x"}))

    async def run() -> None:
        async with replicas(url, ledger.double, 3) as services:
            for each in services:
                await each.blocks.next(19)

    asyncio.run(asyncio.wait_for(run(), SOON_S))
    assert ledger.readmodel.height == 20
    assert len(list(ledger.readmodel.entries("count~"))) == 20
