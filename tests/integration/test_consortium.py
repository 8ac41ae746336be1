"""Four real validators under load: kills, outages and restarts cost time, never agreement."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import grpc
import pytest
from cryptography.x509 import load_pem_x509_certificate
from grpc import aio

from ledger.client.gateway import GatewayClient
from ledger.consensus.limits import BASE_TIMEOUT_MS
from ledger.consensus.quorum import proposer_of
from ledger.crypto.hashing import block_hash, block_signature_message
from ledger.crypto.merkle import merkle_root
from ledger.crypto.signing import SigningIdentity, verify_signature
from ledger.errors import InvalidMessage
from ledger.model.block import SLOT_SIGNATURES, SLOT_TRANSACTIONS_FILTER, Block
from ledger.model.codec import decode_envelope
from ledger.model.codec_block import consenter_metadata, decode_block, decode_block_signatures
from ledger.model.codes import ValidationCode
from ledger.model.config import Consenter
from ledger.model.config_codec import decode_config_block
from ledger.wire.consensus_pb2 import ConsenterMetadata as WireConsenterMetadata
from network.bench.community import Community, Offer
from network.bench.trial_households import CHAINCODE
from network.chaincode.planned import commit_definitions
from network.plan import MemberPlan
from network.running.clients import admin_identity, connect
from network.running.lifecycle import up
from network.running.processes import is_listening
from tests.integration.running_network import RunningNetwork, running_network
from tests.integration.validators import (
    AGREEMENT_TIMEOUT_S,
    POLL_S,
    agreed_head,
    blocks_of,
    kill,
)

pytestmark = pytest.mark.slow

T = TypeVar("T")
HOUSEHOLDS = 64
IN_FLIGHT = 16
QUORUM = 3
SILENCE_S = 3 * BASE_TIMEOUT_MS / 1000
"""Longer than round 0 and half of round 1: a wrongly formed quorum would show by then."""
ROUND_CHANGE_S = BASE_TIMEOUT_MS / 1000 + 60.0
"""Round 0 must run out, then a slow machine may need some time, and a round more, to decide."""


@dataclass(frozen=True)
class Consortium:
    """The network, its community, one loop for all tests of the module."""

    network: RunningNetwork
    runner: asyncio.Runner
    clients: dict[str, GatewayClient]
    community: Community

    @property
    def members(self) -> tuple[MemberPlan, ...]:
        return self.network.plan.members

    def run(self, scene: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(scene)

    def others(self, *victims: MemberPlan) -> tuple[MemberPlan, ...]:
        return tuple(member for member in self.members if member not in victims)

    def clients_of(self, members: tuple[MemberPlan, ...]) -> list[GatewayClient]:
        return [self.clients[member.id] for member in members]

    async def start(self, *members: MemberPlan) -> None:
        await asyncio.to_thread(up, self.network.plan, [member.id for member in members])

    async def offers(self, count: int) -> list[Offer]:
        """Offers that every peer would endorse now: all have the block that opened the listing."""
        offers = await self.community.offers(count)
        running = [m for m in self.members if is_listening(m.address)]
        await agreed_head(self.network, members=running)
        return offers

    async def next_proposer(self) -> MemberPlan:
        """Whose turn it is at the height after the newest block."""
        head = await agreed_head(self.network)
        ids = sorted(member.consenter_id for member in self.members)
        turn = proposer_of(ids, head.height, 0)
        return next(member for member in self.members if member.consenter_id == turn)


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    folder = tmp_path_factory.mktemp("consortium")
    with running_network(folder) as network, asyncio.Runner() as runner:
        runner.run(commit_definitions(network.plan, network.layout))

        async def founded() -> Consortium:
            clients = {
                member.id: connect(network.plan, member, network.layout)
                for member in network.plan.members
            }
            # The first member's peer serves it: that one is never killed while it works.
            community = Community(
                network.plan, network.layout, [clients[network.plan.members[0].id]]
            )
            await community.settle_in(HOUSEHOLDS)
            return Consortium(network, runner, clients, community)

        founded_consortium = runner.run(founded())
        yield founded_consortium
        runner.run(_close(founded_consortium))


async def _close(consortium: Consortium) -> None:
    await asyncio.gather(*(client.close() for client in consortium.clients.values()))


@pytest.fixture(autouse=True)
def all_run(consortium: Consortium) -> None:
    """Every test begins with four validators that agree."""
    up(consortium.network.plan)
    consortium.run(agreed_head(consortium.network))
    consortium.run(connected(consortium))


async def connected(consortium: Consortium) -> None:
    """Wait until every peer reaches every other: each gathers all four endorsements."""
    identity = admin_identity(consortium.members[0], consortium.network.layout)
    async with asyncio.timeout(AGREEMENT_TIMEOUT_S):
        for client in consortium.clients.values():
            await fully_connected(client, identity, consortium.members)


async def fully_connected(
    client: GatewayClient, identity: SigningIdentity, members: tuple[MemberPlan, ...]
) -> None:
    everybody = [member.mspid for member in members]
    while True:
        proposal = client.propose(
            identity.serialized, CHAINCODE, "registry:complete_idgrid", ["ABC-000001"]
        )
        try:
            await client.endorse(proposal, identity.sign(proposal.raw), everybody)
        except aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            await asyncio.sleep(POLL_S)
        else:
            return


async def place_one(client: GatewayClient, offer: Offer) -> None:
    """Place an offer; raises unless it becomes valid."""
    await client.submit_transaction(
        offer.household.identity, CHAINCODE, "market:place_offer", *offer.arguments
    )


async def place(client: GatewayClient, offers: list[Offer]) -> None:
    """Place all offers at once; raises unless all become valid."""
    await asyncio.gather(*(place_one(client, offer) for offer in offers))


@asynccontextmanager
async def load(clients: list[GatewayClient], offers: list[Offer]) -> AsyncIterator[None]:
    """Offers are being placed inside the block; all of them are valid when it ends.

    The block is entered after some are, and while some are under way.
    """
    waiting, placed = deque(offers), asyncio.Semaphore(0)

    async def worker(client: GatewayClient) -> None:
        while waiting:
            await place_one(client, waiting.popleft())
            placed.release()

    async with asyncio.TaskGroup() as group:
        for number in range(IN_FLIGHT):
            group.create_task(worker(clients[number % len(clients)]))
        for _ in range(IN_FLIGHT):
            await placed.acquire()
        yield
        assert waiting, "what happened inside happened under load"


# -- blocks ---------------------------------------------------------------------------------------


def signers(block: Block, consenters: dict[int, Consenter]) -> set[int]:
    """Consenters whose signature in the block's certificate is good, checked from the bytes."""
    certificate = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
    good = set()
    for signature in certificate.signatures:
        message = block_signature_message(
            certificate.value_raw, signature.identifier_header_raw, block.header
        )
        pem = consenters[signature.consenter_id].identity_pem
        try:
            verify_signature(
                load_pem_x509_certificate(pem).public_key(), message, signature.signature
            )
        except InvalidMessage:
            continue
        good.add(signature.consenter_id)
    return good


def consenters_of(network: RunningNetwork) -> dict[int, Consenter]:
    config = decode_config_block(decode_block(network.layout.genesis_block.read_bytes()))
    return {consenter.consenter_id: consenter for consenter in config.consenters}


@pytest.mark.row("E105")
def test_every_block_carries_the_signatures_of_a_quorum(consortium: Consortium) -> None:
    network = consortium.network
    consenters = consenters_of(network)

    async def scene() -> None:
        head = await agreed_head(network)
        blocks = await blocks_of(network, network.plan.members[0], 1, head.height - 1)
        assert len(blocks) == head.height - 1 > 0
        for block in blocks:
            assert len(signers(block, consenters)) >= QUORUM

    consortium.run(scene())


@pytest.mark.row("E104")
def test_a_delivered_block_shows_version_parent_time_and_a_root_that_recomputes(
    consortium: Consortium,
) -> None:
    network = consortium.network

    async def scene() -> None:
        head = await agreed_head(network)
        blocks = await blocks_of(network, network.plan.members[1], 0, head.height - 1)
        for parent, block in pairwise(blocks):
            certificate = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
            signed = WireConsenterMetadata.FromString(certificate.consenter_metadata_raw)
            assert signed.version == 1
            assert block.header.previous_hash == block_hash(parent.header)
            assert signed.transactions_root == merkle_root(block.entries)
            earlier = consenter_metadata(parent)
            assert signed.block_time_ms > (earlier.block_time_ms if earlier else 0)

    consortium.run(scene())


# -- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("member_index", [2, 3], ids=["an endorser", "asked by nobody"])
def test_one_killed_under_load_is_missed_by_nobody_and_catches_up(
    consortium: Consortium, member_index: int
) -> None:
    network, victim = consortium.network, consortium.members[member_index]

    async def scene() -> None:
        offers = await consortium.offers(HOUSEHOLDS)
        async with load(consortium.clients_of(consortium.others(victim)), offers):
            kill(network, victim)
        reached = await agreed_head(network, members=consortium.others(victim))
        await consortium.start(victim)
        assert await agreed_head(network) == reached

    consortium.run(scene())


@pytest.mark.row("E106")
def test_the_proposer_is_killed_and_another_proposes_within_the_timeout(
    consortium: Consortium,
) -> None:
    network = consortium.network

    async def scene() -> None:
        [opening, offer] = (await consortium.offers(HOUSEHOLDS))[:2]
        victim = await consortium.next_proposer()
        while victim == consortium.members[0]:
            # Its client opened the listing: let somebody else's turn come.
            await place_one(consortium.clients["cooperative"], opening)
            victim = await consortium.next_proposer()
        others = consortium.others(victim)
        before = await agreed_head(network)
        kill(network, victim)
        async with asyncio.timeout(ROUND_CHANGE_S):
            await place_one(consortium.clients[others[0].id], offer)
        [block] = await blocks_of(network, others[0], before.height, before.height)
        signed = consenter_metadata(block)
        assert signed is not None
        assert signed.round > 0
        assert signed.proposer in {member.consenter_id for member in others}
        await consortium.start(victim)
        await agreed_head(network, at_least=before.height + 1)

    consortium.run(scene())


@dataclass(frozen=True)
class Endorsed:
    """A transaction ready to be ordered."""

    offer: Offer
    tx_id: str
    payload: bytes

    async def submit(self, client: GatewayClient) -> None:
        signature = self.offer.household.identity.sign(self.payload)
        await client.submit(self.tx_id, self.payload, signature)


async def endorsed(client: GatewayClient, offer: Offer) -> Endorsed:
    identity = offer.household.identity
    proposal = client.propose(
        identity.serialized, CHAINCODE, "market:place_offer", offer.arguments
    )
    payload = await client.endorse(proposal, identity.sign(proposal.raw))
    return Endorsed(offer, proposal.tx_id, payload)


@pytest.mark.row("E107")
def test_one_down_goes_on_two_down_stop_safely_and_their_return_resumes(
    consortium: Consortium,
) -> None:
    network = consortium.network
    survivors, victims = consortium.members[:2], consortium.members[2:]
    client = consortium.clients["cooperative"]

    async def scene() -> None:
        offers = await consortium.offers(2 * HOUSEHOLDS)
        kill(network, victims[0])
        await place(client, offers[:HOUSEHOLDS])
        waiting = await asyncio.gather(*(endorsed(client, one) for one in offers[HOUSEHOLDS:]))
        before = await agreed_head(network, members=consortium.others(victims[0]))

        kill(network, victims[1])
        answers = await asyncio.gather(
            *(one.submit(client) for one in waiting), return_exceptions=True
        )
        assert {a.code() for a in answers if isinstance(a, aio.AioRpcError)} == {
            grpc.StatusCode.UNAVAILABLE
        }
        for survivor in survivors:
            with pytest.raises(TimeoutError):
                await blocks_of(
                    network, survivor, before.height, before.height, timeout_s=SILENCE_S / 2
                )
        assert await agreed_head(network, members=survivors) == before

        await consortium.start(*victims)
        fates = await asyncio.gather(
            *(client.commit_status(one.tx_id, one.offer.household.identity) for one in waiting)
        )
        # What waited in the pools of the two is decided once the others are back, and
        # 64 households' offers in one block do not conflict.
        assert {fate.code for fate in fates} == {ValidationCode.VALID}
        assert {fate.block_number for fate in fates} == {before.height}
        head = await agreed_head(network, at_least=before.height + 1)
        assert await chain_of(network, consortium.members, head.height) == 1

    consortium.run(scene())


async def chain_of(network: RunningNetwork, members: tuple[MemberPlan, ...], height: int) -> int:
    """How many different chains the members hold up to a height: 1 when there is no fork."""
    chains = await asyncio.gather(
        *(blocks_of(network, member, 0, height - 1) for member in members)
    )
    return len({tuple(block_hash(block.header) for block in chain) for chain in chains})


def test_all_killed_at_once_come_back_with_the_same_height_and_state(
    consortium: Consortium,
) -> None:
    network = consortium.network

    async def scene() -> None:
        offers = await consortium.offers(HOUSEHOLDS)
        await place(consortium.clients["utility"], offers[:32])
        before = await agreed_head(network)
        kill(network, *consortium.members)
        await consortium.start(*consortium.members)
        assert await agreed_head(network) == before
        await place(consortium.clients["utility"], offers[32:])
        assert (await agreed_head(network)).height > before.height

    consortium.run(scene())


@pytest.mark.row("E111")
def test_a_validator_that_missed_fifty_blocks_reaches_the_same_state(
    consortium: Consortium,
) -> None:
    network = consortium.network
    victim = consortium.members[3]
    missed = 51

    async def scene() -> None:
        stopped_at = await agreed_head(network)
        kill(network, victim)
        client = consortium.clients["cooperative"]
        while True:
            reached = await agreed_head(network, members=consortium.others(victim))
            if reached.height >= stopped_at.height + missed:
                break
            for offer in await consortium.offers(16):
                await place_one(client, offer)
        await consortium.start(victim)
        assert await agreed_head(network) == reached
        blocks = await blocks_of(network, victim, stopped_at.height, reached.height - 1)
        codes = {code for block in blocks for code in block.metadata[SLOT_TRANSACTIONS_FILTER]}
        assert codes == {ValidationCode.VALID}
        assert all(decode_envelope(raw).tx_id for block in blocks for raw in block.entries)

    consortium.run(scene())
