"""PostgreSQL as the gateway's database: a primary is killed, a replica read, a backup restored."""

import asyncio
import stat
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from sqlalchemy import text

from gateway.application import create_app
from gateway.backup.copying import CopyFailed, back_up, restore
from gateway.database import Database, DatabaseUnavailable, migrate, open_database, outlasting
from gateway.readmodel.following import follow_blocks
from gateway.readmodel.projector import Projector
from gateway.readmodel.queries import ReadModel
from gateway.services import Services
from tests.support.postgresql import (
    PostgresqlServer,
    running_postgresql,
    running_replicated_postgresql,
    url_of,
)
from tests.unit.gateway.api_world import World, write_order
from tests.unit.gateway.ledger_double import CHAINCODE, LedgerDouble, services_over
from tests.unit.gateway.readmodel_blocks import Ledger, a_listing
from tests.unit.gateway.serving import serve

SOON_S = 60
TRANSACTIONS = "/v1/transactions?wait=committed"
pytestmark = pytest.mark.slow


@asynccontextmanager
async def gateway(database: Database, ledger: LedgerDouble):
    """A gateway as the server puts it together, on a socket of its own."""
    services = services_over(ledger, readmodel=ReadModel(database, CHAINCODE))
    projector = Projector(database, CHAINCODE)
    following = asyncio.create_task(
        outlasting(lambda: follow_blocks(ledger, projector, services.blocks))
    )
    async with (
        serve(create_app(services)) as address,
        httpx.AsyncClient(base_url=address, timeout=SOON_S) as client,
    ):
        yield services, client
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


class Reader:
    """Somebody who reads all the time."""

    def __init__(self, client: httpx.AsyncClient, path: str, session: dict[str, str]) -> None:
        self._client, self._path, self._session = client, path, session
        self.statuses: list[int] = []
        self._more = asyncio.Condition()

    async def run(self) -> None:
        while True:
            answer = await self._client.get(self._path, headers=self._session)
            async with self._more:
                self.statuses.append(answer.status_code)
                self._more.notify_all()

    async def answered(self, times: int) -> None:
        """Until so many more questions are answered."""
        wanted = len(self.statuses) + times
        async with self._more:
            await self._more.wait_for(lambda: len(self.statuses) >= wanted)


async def _replicated(replica: PostgresqlServer, height: int) -> None:
    """Until the replica has what the primary has committed."""
    alone = open_database(replica.url)
    while await asyncio.to_thread(lambda: ReadModel(alone, CHAINCODE).height) < height:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0)
    alone.close()


async def _lose_the_primary_and_promote_the_replica(
    primary: PostgresqlServer, replica: PostgresqlServer, services: Services, world: World
) -> None:
    client = world.client
    session = world.sign_in("VAL-0001-X")
    placed = await client.post(TRANSACTIONS, json=await world.submission())
    assert placed.status_code == 200, placed.text
    known = placed.headers["location"]
    waiting = await world.submission()
    await _replicated(replica, 1)
    reader = Reader(client, known, session)
    reading = asyncio.create_task(reader.run())
    await reader.answered(3)

    primary.kill()
    await reader.answered(20)
    assert set(reader.statuses) == {200}, "reading goes on"
    found = (await client.get(known, headers=session)).json()
    assert found["arguments"] is not None, "as who signed in before"
    page = await client.get("/explorer/blocks/0")
    assert page.status_code == 200
    refused = await client.post(TRANSACTIONS, json=waiting, headers={"Idempotency-Key": "k1"})
    assert refused.status_code == 503
    assert refused.json()["type"] == "/problems/database-unavailable"
    assert int(refused.headers["retry-after"]) > 0
    assert len(world.ledger.chain) == 1, "nothing was handed to ordering"
    await world.ledger.add_block(world.ledger.chain[0].entries)

    replica.promote()
    await services.blocks.next(1)  # what came meanwhile is applied
    again = await client.post(TRANSACTIONS, json=waiting, headers={"Idempotency-Key": "k1"})
    assert again.status_code == 200, again.text
    await reader.answered(3)
    assert set(reader.statuses) == {200}
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading


@pytest.mark.row("E079")
def test_reading_continues_from_the_replica_and_writing_when_it_is_promoted():
    ledger = LedgerDouble(write_order)

    async def run(primary: PostgresqlServer, replica: PostgresqlServer) -> None:
        database = open_database(url_of(primary, replica))
        migrate(database)
        async with gateway(database, ledger) as (services, client):
            world = World(client, ledger, services)
            await _lose_the_primary_and_promote_the_replica(primary, replica, services, world)
        database.close()

    with running_replicated_postgresql() as (primary, replica):
        asyncio.run(asyncio.wait_for(run(primary, replica), SOON_S))


def test_without_a_replica_the_gateway_waits_for_its_server():
    async def run(server: PostgresqlServer) -> None:
        database = open_database(server.url)
        migrate(database)
        ledger = LedgerDouble(write_order)
        async with gateway(database, ledger) as (services, client):
            world = World(client, ledger, services)
            await client.post(TRANSACTIONS, json=await world.submission())
            server.kill()
            away = await client.get("/v1/blocks")
            assert (away.status_code, away.headers["retry-after"]) == (503, "5")
            page = await client.get("/explorer/blocks/0", headers={"accept": "text/html"})
            assert page.status_code == 503
            await ledger.add_block(ledger.chain[0].entries)
            server.start()
            await services.blocks.next(1)
            assert (await client.get("/v1/blocks")).status_code == 200
        database.close()

    with running_postgresql() as server:
        asyncio.run(asyncio.wait_for(run(server), SOON_S))


@pytest.mark.row("E079")
def test_a_backup_of_postgresql_is_put_into_an_empty_database_once(tmp_path):
    with running_postgresql() as server:
        database = open_database(server.url)
        migrate(database)
        ledger = Ledger(database)
        ledger.block(("market:open_listing", a_listing()))
        ledger.catch_up()
        with database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("CREATE DATABASE other"))
        database.close()
        copy, other = tmp_path / "copy", server.url.replace("/postgres?", "/other?")
        back_up(server.url, copy)
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        restore(other, copy)
        with pytest.raises(CopyFailed, match="has tables"):
            restore(other, copy)
        with pytest.raises(CopyFailed, match="pg_dump failed"):
            back_up(server.url.replace("/postgres?", "/nowhere?"), tmp_path / "no")
        assert not (tmp_path / "no").exists()
        restored = open_database(other)
        migrate(restored)
        assert ReadModel(restored, CHAINCODE).height == 1
        restored.close()


def test_only_outages_are_told_as_outages():
    with running_postgresql() as server:
        database = open_database(server.url)
        with pytest.raises(Exception, match="nowhere") as fault, database.reading() as connection:
            connection.execute(text("SELECT * FROM nowhere"))
        assert not isinstance(fault.value, DatabaseUnavailable)
        reading = database.reading()
        connection = reading.__enter__()
        server.kill()
        with pytest.raises(DatabaseUnavailable), database.writing():
            pass
        connection.close()
        database.close()
