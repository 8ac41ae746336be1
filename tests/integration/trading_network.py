"""Four real validators on which households trade: for tests that change or break the network."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.client.gateway import GatewayClient
from network.bench.community import Community
from network.chaincode.planned import commit_definitions
from network.running.clients import connect
from tests.integration.running_network import RunningNetwork, running_network


@dataclass(frozen=True, slots=True)
class TradingNetwork:
    """The network, a client of its first member, and who trades through it."""

    network: RunningNetwork
    runner: asyncio.Runner
    client: GatewayClient
    community: Community


@contextmanager
def trading_network(folder: Path, *, households: int) -> Iterator[TradingNetwork]:
    """Start it, register the households, hand it out, and stop it whatever happens."""
    with running_network(folder) as network, asyncio.Runner() as runner:
        runner.run(commit_definitions(network.plan, network.layout))

        async def founded() -> TradingNetwork:
            client = connect(network.plan, network.plan.members[0], network.layout)
            community = Community(network.plan, network.layout, [client])
            await community.settle_in(households)
            return TradingNetwork(network, runner, client, community)

        made = runner.run(founded())
        try:
            yield made
        finally:
            runner.run(made.client.close())
