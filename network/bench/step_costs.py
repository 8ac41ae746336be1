"""What each step costs: CPU per endorsement, per transaction validated, per block.

CPU is counted in every process of the network, each validator and its contracts apart, for six
kinds of work: nothing at all, calls refused unread, endorsing through a gateway and at one peer
alone, transactions in few blocks and in many. The difference between the last two tells what a
block costs and what a transaction in it.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from grpc.aio import AioRpcError

from ledger.client.gateway import GatewayClient
from ledger.client.proposals import UnsignedProposal
from ledger.crypto.signing import SigningIdentity
from ledger.model.codec import decode_prepared_transaction
from network.bench.community import Community, Offer
from network.bench.parallel import in_parallel
from network.bench.trial_households import CHAINCODE
from network.running.process_usage import usage_of_trees

IN_FLIGHT = 64
IDLE_S = 3.0
MANY_IN_FLIGHT = 256
"""Fills blocks; with one in flight every transaction has a block of its own."""
MILLISECONDS = 1_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds of one unit of work at one peer: its own process, and its contracts'."""

    work: str
    units: int
    peer_ms: float
    contract_ms: float

    @property
    def total_ms(self) -> float:
        """Of both processes."""
        return round(self.peer_ms + self.contract_ms, 3)


@dataclass(frozen=True, slots=True)
class Profile:
    """What `--profile --json` prints."""

    costs: list[Cost]
    transactions_per_block: list[float]
    """In the two runs that blocks and transactions are told apart by."""


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU seconds of peers and of their contracts' processes."""

    peer_s: float
    contract_s: float

    def since(self, before: "Reading") -> "Reading":
        """What came on top."""
        return Reading(self.peer_s - before.peer_s, self.contract_s - before.contract_s)


@dataclass(frozen=True, slots=True)
class _Signed:
    """A proposal and whom it is given to."""

    client: GatewayClient
    identity: SigningIdentity
    proposal: UnsignedProposal
    signature: bytes


@dataclass(frozen=True, slots=True)
class Ordered:
    """A run of transactions through all peers, and what all of them spent on it."""

    spent: Reading
    transactions: int
    blocks: int


class ProfileRun:
    """Measures one network that has been warmed up; `validators` are its process ids."""

    def __init__(
        self, clients: Sequence[GatewayClient], community: Community, validators: Sequence[int]
    ) -> None:
        self._clients = clients
        self._community = community
        self._validators = list(validators)
        self._idle = Reading(0.0, 0.0)
        """CPU seconds per second of all peers when nothing is asked of them."""

    async def measure(self, transactions: int) -> Profile:
        """The cost table; `transactions` of each kind of work are done."""
        self._idle = await self._measure_idle()
        unread = await self._measure_refusals(transactions)
        direct = await self._measure_endorsing(transactions)
        endorsements, endorsed = await self._measure_collecting(transactions)
        many = await self._measure_ordering(transactions, in_flight=MANY_IN_FLIGHT)
        few = await self._measure_ordering(transactions // 10, in_flight=1)
        per_peer = len(self._validators)
        return Profile(
            costs=[
                _cost("an idle second", 1, self._idle, per_peer),
                _cost("a call refused unread", transactions, unread, 1),
                _cost("endorsement, gateway included", endorsements, endorsed, 1),
                _cost("endorsement, asked directly", transactions, direct, 1),
                *told_apart(many, few, per_peer),
            ],
            transactions_per_block=[round(r.transactions / r.blocks, 1) for r in (many, few)],
        )

    async def _measure_idle(self) -> Reading:
        before = self._read()
        await asyncio.sleep(IDLE_S)
        spent = self._read().since(before)
        return Reading(spent.peer_s / IDLE_S, spent.contract_s / IDLE_S)

    async def _measure_refusals(self, count: int) -> Reading:
        """Calls whose content does not parse: what gRPC and TLS take by themselves."""

        async def ask(client: GatewayClient) -> None:
            with suppress(AioRpcError):
                await client.process_proposal(UnsignedProposal("", b"\xff"), b"")

        clients = list(itertools.islice(itertools.cycle(self._clients), count))
        return await self._spent_on(clients, ask, in_flight=IN_FLIGHT)

    async def _measure_endorsing(self, count: int) -> Reading:
        """Each proposal at one peer alone, the peers in turn; nothing is ordered."""
        offers = await self._community.offers(count)
        signed = list(map(_signed, itertools.cycle(self._clients), offers))

        async def ask(one: _Signed) -> None:
            answer = await one.client.process_proposal(one.proposal, one.signature)
            assert answer.endorsement is not None, answer.response.message

        return await self._spent_on(signed, ask, in_flight=IN_FLIGHT)

    async def _measure_collecting(self, count: int) -> tuple[int, Reading]:
        """(endorsements, CPU) of transactions prepared by the gateway; nothing is ordered."""
        offers = await self._community.offers(count)
        endorsements = 0

        async def endorse(one: _Signed) -> None:
            nonlocal endorsements
            prepared = decode_prepared_transaction(
                await one.client.endorse(one.proposal, one.signature)
            )
            assert prepared.transaction is not None
            endorsements += len(prepared.transaction.endorsements)

        signed = list(map(_signed, itertools.cycle(self._clients), offers))
        spent = await self._spent_on(signed, endorse, in_flight=IN_FLIGHT)
        return endorsements, spent

    async def _measure_ordering(self, count: int, *, in_flight: int) -> Ordered:
        """From the signed transaction to the commit at every peer; endorsed before."""
        offers = await self._community.offers(count)
        prepared: list[tuple[_Signed, bytes]] = []
        blocks: set[int] = set()

        async def endorse(one: _Signed) -> None:
            payload = await one.client.endorse(one.proposal, one.signature)
            prepared.append((one, payload))

        async def order(one: tuple[_Signed, bytes]) -> None:
            (signed, payload), identity = one, one[0].identity
            await signed.client.submit(signed.proposal.tx_id, payload, identity.sign(payload))
            status = await signed.client.commit_status(signed.proposal.tx_id, identity)
            assert status.is_valid, status
            blocks.add(status.block_number)

        signed = list(map(_signed, itertools.cycle(self._clients), offers))
        await in_parallel(map(endorse, signed), in_flight=IN_FLIGHT)
        spent = await self._spent_on(prepared, order, in_flight=in_flight)
        return Ordered(spent, count, len(blocks))

    async def _spent_on(
        self, items: Sequence[T], work: Callable[[T], Awaitable[None]], *, in_flight: int
    ) -> Reading:
        """CPU of all peers beyond what they spend on nothing."""
        before, begun = self._read(), time.perf_counter()
        await in_parallel(map(work, items), in_flight=in_flight)
        elapsed_s, spent = time.perf_counter() - begun, self._read().since(before)
        return Reading(
            spent.peer_s - self._idle.peer_s * elapsed_s,
            spent.contract_s - self._idle.contract_s * elapsed_s,
        )

    def _read(self) -> Reading:
        usages = usage_of_trees(self._validators)
        peer_s = sum(usage.cpu_s for usage in usages if usage.pid in self._validators)
        return Reading(peer_s, sum(usage.cpu_s for usage in usages) - peer_s)


def profile_table(profile: Profile) -> str:
    """The cost table for people."""
    head = f"{'CPU ms at one peer':<34} {'peer':>8} {'contract':>9} {'together':>9} {'of':>7}"
    lines = [
        f"{cost.work:<34} {cost.peer_ms:>8.2f} {cost.contract_ms:>9.2f} {cost.total_ms:>9.2f}"
        f" {cost.units:>7}"
        for cost in profile.costs
    ]
    runs = " and ".join(str(one) for one in profile.transactions_per_block)
    return "\n".join([head, *lines, "", f"told apart by runs with {runs} transactions per block"])


def _cost(work: str, units: int, spent: Reading, peers: int) -> Cost:
    scale = MILLISECONDS / (units * peers)
    return Cost(work, units, round(spent.peer_s * scale, 3), round(spent.contract_s * scale, 3))


def told_apart(many: Ordered, few: Ordered, peers: int) -> list[Cost]:
    """What a transaction and what a block cost at one peer: two runs, two unknowns."""
    determinant = many.transactions * few.blocks - few.transactions * many.blocks
    a, b = many.spent.peer_s, few.spent.peer_s
    per_transaction_s = (a * few.blocks - b * many.blocks) / determinant
    per_block_s = (b * many.transactions - a * few.transactions) / determinant
    return [
        _cost("transaction ordered and validated", 1, Reading(per_transaction_s, 0.0), peers),
        _cost("block", 1, Reading(per_block_s, 0.0), peers),
    ]


def _signed(client: GatewayClient, offer: Offer) -> _Signed:
    identity = offer.household.identity
    proposal = client.propose(
        identity.serialized, CHAINCODE, "market:place_offer", offer.arguments
    )
    return _Signed(client, identity, proposal, identity.sign(proposal.raw))
