"""Four real validator processes: they agree, survive kills, stop safely, and resume."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from grpc import aio

from ledger.rpc.client import GatewayClient
from network.bench_community import CHAINCODE, Community, Offer
from network.definitions import commit_definitions, connect
from network.heads import Head, heads
from network.lifecycle import up
from network.plan import MemberPlan
from network.processes import read_pid_file, send_signal, wait_for_exit
from tests.integration.running_network import RunningNetwork, running_network

pytestmark = pytest.mark.slow

HOUSEHOLDS = 8
AGREEMENT_TIMEOUT_S = 30.0
POLL_S = 0.05
NO_BLOCK_WAIT_S = 4.0


@pytest.fixture
def network(tmp_path: Path) -> Iterator[RunningNetwork]:
    with running_network(tmp_path) as running:
        asyncio.run(commit_definitions(running.plan, running.layout))
        yield running


class Scene:
    """A community of the network and clients of chosen members."""

    def __init__(self, network: RunningNetwork, members: tuple[MemberPlan, ...]) -> None:
        self.network = network
        self.clients = [connect(network.plan, member, network.layout) for member in members]
        self.community = Community(network.plan, network.layout, self.clients)

    async def place(self, offers: list[Offer]) -> int:
        """Place all offers through the clients in turn; returns how many became VALID."""

        async def one(client: GatewayClient, offer: Offer) -> None:
            await client.submit_transaction(
                offer.household.identity, CHAINCODE, "market:place_offer", *offer.arguments
            )

        await asyncio.gather(
            *(one(self.clients[n % len(self.clients)], offer) for n, offer in enumerate(offers))
        )
        return len(offers)

    async def close(self) -> None:
        await asyncio.gather(*(client.close() for client in self.clients))


def kill(network: RunningNetwork, member: MemberPlan) -> None:
    process = read_pid_file(network.layout.member(member.id).pid_file)
    assert process is not None
    send_signal(process, signal.SIGKILL)
    assert wait_for_exit(process, timeout_s=10)


async def agreed_head(network: RunningNetwork, at_least: int = 0) -> Head:
    """Wait until all running validators answer with one head."""
    async with asyncio.timeout(AGREEMENT_TIMEOUT_S):
        while True:
            found = await heads(network.plan, network.layout)
            if None not in found and len(set(found)) == 1:
                first = found[0]
                assert first is not None
                if first.height >= at_least:
                    return first
            await asyncio.sleep(POLL_S)


@pytest.mark.row("E107", "E111")
def test_one_killed_validator_is_missed_by_nobody_and_catches_up(network: RunningNetwork) -> None:
    survivors = network.plan.members[:3]
    victim = network.plan.members[3]

    async def scene() -> None:
        live = Scene(network, survivors)
        await live.community.settle_in(HOUSEHOLDS)
        offers = await live.community.offers(64)
        placing = asyncio.create_task(live.place(offers[:32]))
        await asyncio.sleep(0)
        kill(network, victim)
        # Transactions that were being endorsed by the victim may fail; later ones must not.
        await asyncio.gather(placing, return_exceptions=True)
        assert await live.place(offers[32:]) == 32
        up(network.plan, [victim.id])
        await agreed_head(network)
        await live.close()

    asyncio.run(scene())


@pytest.mark.row("E107")
def test_two_killed_validators_stop_the_ledger_and_their_return_resumes_it(
    network: RunningNetwork,
) -> None:
    survivors, victims = network.plan.members[:2], network.plan.members[2:]

    async def scene() -> None:
        live = Scene(network, survivors)
        await live.community.settle_in(HOUSEHOLDS)
        before = await agreed_head(network)
        for victim in victims:
            kill(network, victim)
        offers = await live.community_offers_prepared()
        with pytest.raises((aio.AioRpcError, TimeoutError)):
            async with asyncio.timeout(NO_BLOCK_WAIT_S):
                await live.place(offers)
        standing = await heads(network.plan, network.layout, survivors)
        assert standing == [before, before]
        up(network.plan, [victim.id for victim in victims])
        await live.place(await live.community.offers(HOUSEHOLDS))
        after = await agreed_head(network, at_least=before.height + 1)
        assert after.height > before.height
        await live.close()

    asyncio.run(scene())
