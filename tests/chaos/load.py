"""Signed transactions through several peers while things break; what was acknowledged is noted.

Three kinds: deposits (money appears), bids (money is locked) and offers. A transaction counts as
acknowledged when a peer has told its client a commit status, whatever the code; each one is in the
notes before the next is sent. What ended in an error may be in the chain or not.
"""

import asyncio
import random
from collections import deque
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from grpc import aio

from ledger.client.gateway import GatewayClient
from ledger.crypto.signing import SigningIdentity
from network.bench.trial_households import CHAINCODE
from tests.chaos.community import ChaosCommunity

DEPOSIT_UTOKEN = 1_000_000
ENERGY_WH, PRICE_UTOKEN = "1000", "90000"
AFTER_ERROR_S = 0.2
ANSWER_TIMEOUT_S = 3.0
"""A client that waits longer asks somebody else."""


@dataclass(frozen=True)
class Acknowledged:
    """What a client was told."""

    tx_id: str
    code: int
    block_number: int


def read_acknowledged(path: Path) -> Iterator[Acknowledged]:
    """Notes of this run and the earlier ones in the same folder; a torn last line is dropped."""
    if not path.exists():
        return
    for line in path.read_text(encoding="ascii").splitlines():
        tx_id, code, number = line.split()
        yield Acknowledged(tx_id, int(code), int(number))


@dataclass
class Load:
    """Workers that never give up."""

    clients: list[GatewayClient]
    community: ChaosCommunity
    notes: Path
    seed: int
    acknowledged: int = 0
    errors: int = 0
    commits: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at every acknowledgement; whoever waits for one clears it first."""

    @asynccontextmanager
    async def running(self, workers: int):
        """Transactions are under way inside the block."""
        with self.notes.open("a", encoding="ascii", buffering=1) as notes:
            tasks = [
                asyncio.create_task(self._worker(random.Random(f"{self.seed}/{number}"), notes))
                for number in range(workers)
            ]
            try:
                yield self
                for task in tasks:
                    assert not task.done(), task.exception()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def next_commit(self) -> None:
        """Wait until a client hears of a commit that it hears of from now on."""
        self.commits.clear()
        await self.commits.wait()

    async def _worker(self, chance: random.Random, notes) -> None:
        orders: deque[tuple[SigningIdentity, tuple[str, ...]]] = deque()
        client = chance.choice(self.clients)
        while True:
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    if not orders and chance.random() < 0.2:
                        orders = await self._orders(client, chance)
                    identity, call = orders.popleft() if orders else self._deposit(chance)
                    answer = await self._submit(client, identity, call)
            except (aio.AioRpcError, TimeoutError):
                self.errors += 1
                await asyncio.sleep(AFTER_ERROR_S)
                client = chance.choice(self.clients)
                continue
            notes.write(f"{answer.tx_id} {answer.code} {answer.block_number}\n")
            self.acknowledged += 1
            self.commits.set()

    async def _submit(
        self, client: GatewayClient, identity: SigningIdentity, call: tuple[str, ...]
    ) -> Acknowledged:
        function, *arguments = call
        proposal = client.propose(identity.serialized, CHAINCODE, function, arguments)
        status = (await client.order(identity, proposal)).status
        return Acknowledged(proposal.tx_id, int(status.code), status.block_number)

    def _deposit(self, chance: random.Random) -> tuple[SigningIdentity, tuple[str, ...]]:
        household = chance.choice(self.community.households)
        call = ("tokens:deposit", household.idgrid, str(DEPOSIT_UTOKEN), "chaos")
        return self.community.manager, call

    async def _orders(
        self, client: GatewayClient, chance: random.Random
    ) -> deque[tuple[SigningIdentity, tuple[str, ...]]]:
        """An offer or a bid of each household in a new listing: nobody trades with itself."""
        listing = await self.community.open_listing(client)
        orders = []
        for home in self.community.households:
            offer = ("market:place_offer", listing, home.res_id, ENERGY_WH, PRICE_UTOKEN)
            bid = ("market:place_bid", listing, ENERGY_WH, PRICE_UTOKEN)
            orders.append((home.identity, chance.choice((offer, bid))))
        return deque(orders)
