"""`/healthz` and `/readyz`: what a load balancer is told, and what it is not."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from gateway.application import create_app
from gateway.database import DatabaseUnavailable
from gateway.errors import LedgerRefusal, Problem
from gateway.readiness import LAG_BLOCKS_MAX, RETRY_AFTER_S, Readiness
from gateway.services import Services
from tests.unit.gateway.api_world import assert_problem
from tests.unit.gateway.ledger_double import LedgerDouble, services_over

SECRET = "gateway:its-password@db.internal"
LONG_MS, SHORT_MS = 60_000, 50
"""For who answers, and for who never does."""
HELD_FOR_EVER_MS = 10**9


class Peer(LedgerDouble):
    """A peer that says how high it is, or does not answer."""

    def __init__(self, says: int | Exception | None) -> None:
        super().__init__(lambda *_: {})
        self.says = says
        self.asked = 0

    async def height(self) -> int:
        self.asked += 1
        if self.says is None:
            await asyncio.Event().wait()
        if isinstance(self.says, Exception):
            raise self.says
        return int(str(self.says))


class AwayModel:
    """Stands for the read model of a database that fails, or hangs until it is let go."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.let_go = threading.Event()
        self.reads = 0
        if not hangs:
            self.let_go.set()

    @property
    def height(self) -> int:
        self.reads += 1
        self.let_go.wait()
        raise DatabaseUnavailable(f"no answer from {SECRET}")


def with_readiness(peer: Peer, model: object | None = None, *, held_ms: int = 0) -> Services:
    services = services_over(peer)
    readmodel = model or services.readmodel
    found = Readiness(
        peer,
        readmodel,  # type: ignore[arg-type]
        held_ms=held_ms,
        database_ms_max=SHORT_MS if isinstance(model, AwayModel) else LONG_MS,
        peer_ms_max=SHORT_MS if peer.says is None else LONG_MS,
    )
    return replace(services, readiness=found)


@asynccontextmanager
async def client_of(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def asked(services: Services, path: str = "/readyz") -> httpx.Response:
    async def ask() -> httpx.Response:
        async with client_of(services) as client:
            return await client.get(path)

    return asyncio.run(ask())


@pytest.mark.parametrize("behind", [0, LAG_BLOCKS_MAX])
def test_who_has_nearly_all_blocks_is_ready(behind: int) -> None:
    answer = asked(with_readiness(Peer(behind)))
    assert answer.status_code == 200
    assert answer.json() == {
        "height": 0,
        "peer_height": behind,
        "blocks_behind": behind,
        "blocks_behind_max": LAG_BLOCKS_MAX,
    }


def test_a_peer_that_has_fewer_blocks_takes_nobody_out_of_service() -> None:
    class Ahead:
        height = 7

    assert asked(with_readiness(Peer(3), Ahead())).json()["blocks_behind"] == 0


@pytest.mark.parametrize(
    ("says", "problem", "words"),
    [
        (LAG_BLOCKS_MAX + 1, Problem.CATCHING_UP, f"{LAG_BLOCKS_MAX + 1} blocks behind"),
        (LedgerRefusal("UNAVAILABLE", SECRET), Problem.LEDGER_UNAVAILABLE, "no peer answers"),
        (None, Problem.LEDGER_UNAVAILABLE, "no peer answers"),
    ],
)
def test_who_is_not_ready_says_why_and_nothing_else(
    says: int | Exception | None, problem: Problem, words: str
) -> None:
    services = with_readiness(Peer(says))
    answer = asked(services)
    assert_problem(answer, problem)
    assert words in answer.json()["detail"]
    assert answer.headers["retry-after"] == str(RETRY_AFTER_S)
    assert SECRET not in answer.text
    assert asked(services, "/healthz").json() == {"status": "alive"}


def test_a_database_that_fails_is_told_without_its_address() -> None:
    model = AwayModel()
    services = with_readiness(Peer(0), model)
    answer = asked(services)
    assert_problem(answer, Problem.DATABASE_UNAVAILABLE)
    assert SECRET not in answer.text
    assert asked(services, "/healthz").status_code == 200


def test_a_database_that_hangs_is_asked_once_however_many_want_to_know() -> None:
    peer, model = Peer(0), AwayModel(hangs=True)
    services = with_readiness(peer, model)

    async def scene() -> None:
        async with client_of(services) as client:
            for _ in range(3):
                both = await asyncio.gather(*(client.get("/readyz") for _ in range(2)))
                assert {answer.status_code for answer in both} == {503}
            assert (model.reads, peer.asked) == (1, 0)
            model.let_go.set()

    asyncio.run(scene())


def test_strangers_who_ask_again_and_again_do_not_reach_the_peer() -> None:
    peer = Peer(0)
    services = with_readiness(peer, held_ms=HELD_FOR_EVER_MS)

    async def scene() -> None:
        async with client_of(services) as client:
            first = await client.get("/readyz")
            peer.says = LAG_BLOCKS_MAX + 1
            assert (await client.get("/readyz")).json() == first.json()
            assert peer.asked == 1

    asyncio.run(scene())
