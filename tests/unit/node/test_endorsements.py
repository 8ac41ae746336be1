"""Collecting endorsements: which peers are asked, what must agree, and how failures look."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc
import pytest

from ledger.crypto.hashing import proposal_hash
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import decode_prepared_transaction
from ledger.model.codec_action import encode_proposal_response_payload
from ledger.model.codec_proposal import strip_transient
from ledger.model.transaction import (
    ChaincodeAction,
    ChaincodeResponse,
    ProposalResponse,
    SignedProposal,
)
from ledger.node import endorsements, remote_endorsers
from ledger.node.connection_watch import ConnectionWatch
from ledger.node.endorsements import EndorsementCollector, EndorsingPeer
from ledger.node.remote_endorsers import RemoteEndorsers
from ledger.rpc.commit_notifier import CommitNotifier
from ledger.rpc.status import GatewayError
from ledger.wire.validator_pb2 import Item
from tests.support.endorsing_world import EndorsingWorld
from tests.support.identities import CHANNEL_ID, MSPIDS
from tests.support.ledger_world import CHAINCODE, endorse, market, put

pytestmark = pytest.mark.anyio
COOP, MUNICIPALITY, DSO, UTILITY = MSPIDS


@dataclass
class Member:
    """One peer: what it answers, and how often it was asked."""

    index: int
    world: EndorsingWorld
    notifier: CommitNotifier
    written: Callable[[int], bytes] = lambda _height: b"v"
    status: int = 200
    refusal: InvalidMessage | None = None
    is_silent: bool = False
    asked: int = 0
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def process(self, proposal: SignedProposal) -> ProposalResponse:
        self.asked += 1
        self.called.set()
        if self.is_silent:
            await asyncio.Event().wait()
        if self.refusal is not None:
            raise self.refusal
        response = ChaincodeResponse(self.status, "it says so", b"result")
        if self.status >= 400:
            return ProposalResponse(response, b"", None)
        action = ChaincodeAction(
            results=market(writes=[put("k", self.written(self.notifier.height))]),
            response=response,
            event=None,
            chaincode_name=CHAINCODE,
            chaincode_version="1.0",
        )
        digest = proposal_hash(
            proposal.header.channel_header_raw,
            proposal.header.signature_header_raw,
            strip_transient(proposal.payload_raw),
        )
        payload = encode_proposal_response_payload(digest, action)
        return ProposalResponse(
            response, payload, endorse(self.world.nodes(4)[self.index], payload)
        )


@dataclass
class Streams:
    """Links of member 1 that end at the other members' own endorsing side."""

    scene: "Scene"
    down: set[int] = field(default_factory=set)

    def send(self, consenter_id: int, item: Item) -> bool:
        if consenter_id in self.down:
            return False
        far, near = self.scene.remotes[consenter_id - 1], self.scene.remotes[0]

        def reply(answer: Item) -> bool:
            near.on_result(consenter_id, answer.endorse_result)
            return True

        work = far.on_request(item.endorse_request, reply)
        self.scene.tasks.append(asyncio.get_running_loop().create_task(work))
        return True


class Scene:
    """Member 1's gateway among four peers with policy 3 of 4."""

    def __init__(self) -> None:
        self.world = EndorsingWorld()
        self.tasks: list[asyncio.Task[None]] = []
        self.members = [Member(i, self.world, CommitNotifier(10)) for i in range(4)]
        self.streams = Streams(self)
        self.remotes = [
            RemoteEndorsers(
                channel_id=CHANNEL_ID,
                links=self.streams,
                process=member.process,
                notifier=member.notifier,
            )
            for member in self.members
        ]
        self.watch = ConnectionWatch()
        peers = [EndorsingPeer(m, i + 1, f"peer{i + 1}:7051") for i, m in enumerate(MSPIDS)]
        self.collector = EndorsementCollector(
            channel_id=CHANNEL_ID,
            own=peers[0],
            others=lambda: peers[1:],
            process=self.members[0].process,
            remote=self.remotes[0],
            layouts=self._layouts,
            is_reachable=lambda consenter_id: consenter_id not in self.streams.down,
            watch=self.watch,
        )

    def _layouts(self, chaincode: str) -> list[frozenset[str]] | None:
        definition = self.world.definitions.get(chaincode)
        return None if definition is None else self.world.policies.layouts(definition.policy)

    def propose(self, **options: str) -> SignedProposal:
        return self.world.propose("run", **options)

    async def endorsers(self, *organizations: str) -> list[str]:
        """Endorse a new proposal; the members whose endorsements it got, in order."""
        payload = await self.collector.endorse(self.propose(), organizations)
        transaction = decode_prepared_transaction(payload).transaction
        assert transaction is not None
        registry = self.world.consortium.registry()
        return [registry.identity(e.endorser).mspid for e in transaction.endorsements]

    async def failure(self, *organizations: str, **options: str) -> GatewayError:
        with pytest.raises(GatewayError) as failed:
            await self.collector.endorse(self.propose(**options), organizations)
        return failed.value

    @property
    def asked(self) -> list[int]:
        return [member.asked for member in self.members]

    def close(self) -> None:
        for task in self.tasks:
            task.cancel()


@pytest.fixture
async def scene(monkeypatch):
    monkeypatch.setattr(endorsements, "CONNECT_WAIT_MS", 5)
    made = Scene()
    yield made
    made.close()


async def test_own_peer_and_as_many_others_as_the_policy_needs(scene):
    found = await scene.endorsers()
    assert found[0] == COOP
    assert len(found) == 3
    assert sum(scene.asked) == 3


async def test_the_work_is_spread_over_the_others(scene):
    for _ in range(60):
        await scene.endorsers()
    assert all(asked for asked in scene.asked)


async def test_an_id_that_is_no_number_is_refused_by_the_peers(scene):
    """Nothing about a proposal is checked yet when its endorsers are chosen."""
    scene.members[0].refusal = InvalidMessage(Reason.BAD_TRANSACTION_ID, "not the hash")
    proposal = scene.propose()
    object.__setattr__(proposal.header.channel, "tx_id", "zz")
    with pytest.raises(GatewayError) as failed:
        await scene.collector.endorse(proposal, ())
    assert failed.value.code is grpc.StatusCode.ABORTED


async def test_an_unreachable_peer_is_not_asked(scene):
    scene.streams.down = {3}
    assert sorted(await scene.endorsers()) == sorted([COOP, MUNICIPALITY, UTILITY])


async def asked(*members: Member) -> None:
    """Return once each has been asked."""
    async with asyncio.timeout(5):
        for member in members:
            await member.called.wait()


async def test_a_named_peer_lost_while_it_is_asked_is_an_error(scene):
    scene.members[1].is_silent = True
    task = asyncio.create_task(scene.endorsers(COOP, MUNICIPALITY, DSO))
    await asked(scene.members[1])
    scene.remotes[0].on_disconnected(2)
    with pytest.raises(GatewayError) as failed:
        await task
    assert "was lost" in failed.value.details[0].message


async def test_a_peer_lost_while_it_is_asked_is_replaced(scene):
    """With one member down the other three are all needed; then that one comes back."""
    scene.streams.down = {4}
    scene.members[1].is_silent = True
    task = asyncio.create_task(scene.endorsers())
    await asked(scene.members[1])
    scene.streams.down = set()
    scene.remotes[0].on_disconnected(2)
    async with asyncio.timeout(5):
        assert await task == [COOP, DSO, UTILITY]


async def test_too_few_reachable(scene):
    scene.streams.down = {2, 3}
    error = await scene.failure()
    assert error.code is grpc.StatusCode.UNAVAILABLE


async def test_a_peer_that_connects_meanwhile_is_waited_for(scene, monkeypatch):
    monkeypatch.setattr(endorsements, "CONNECT_WAIT_MS", 5_000)
    scene.streams.down = {2, 3}
    task = asyncio.create_task(scene.endorsers())
    await asyncio.sleep(0)
    scene.streams.down = {3}
    scene.watch.connected()
    async with asyncio.timeout(5):
        assert len(await task) == 3


async def test_named_peers_are_asked_exactly(scene):
    assert await scene.endorsers(UTILITY, DSO) == [UTILITY, DSO]
    assert scene.asked == [0, 0, 1, 1]


async def test_a_named_organisation_without_a_peer(scene):
    error = await scene.failure(COOP, "NobodyMSP")
    assert error.code is grpc.StatusCode.UNAVAILABLE
    assert error.message.endswith("NobodyMSP")
    assert "failed to find any endorsing peers for org(s)" in error.message


async def test_an_unknown_chaincode(scene):
    error = await scene.failure(chaincode="nothing")
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.message.startswith("no combination of peers can be derived")
    assert "chaincode nothing in channel energy" in error.message


async def test_an_unknown_channel(scene):
    error = await scene.failure(channel_id="elsewhere")
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert "in channel elsewhere" in error.message
    with pytest.raises(GatewayError) as failed:
        await scene.collector.evaluate(scene.propose(channel_id="elsewhere"), ())
    assert failed.value.code is grpc.StatusCode.UNAVAILABLE
    assert failed.value.message == "failed to get config for channel [elsewhere]"
    assert sum(scene.asked) == 0


async def test_a_refusal_by_all_names_each_peer(scene):
    for member in scene.members:
        member.refusal = InvalidMessage(Reason.BAD_SIGNATURE, "access denied")
    error = await scene.failure()
    assert error.code is grpc.StatusCode.ABORTED
    assert error.message.startswith("failed to endorse transaction")
    assert len(error.details) == 3
    assert error.details[0].message == "error validating proposal: BAD_SIGNATURE: access denied"


async def test_peers_that_have_too_much_of_a_client_say_so_in_the_status(scene):
    for member in scene.members:
        member.refusal = InvalidMessage(Reason.OVERLOADED, "too many")
    assert (await scene.failure()).code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_contract_error_shows_its_text(scene):
    for member in scene.members:
        member.status = 500
    error = await scene.failure()
    assert error.code is grpc.StatusCode.ABORTED
    assert error.details[0].message == "chaincode response 500, it says so"


async def test_one_failing_endorser_of_several(scene):
    scene.members[3].status = 500
    error = await scene.failure(COOP, DSO, UTILITY)
    assert error.message.startswith("failed to collect enough transaction endorsements")
    assert [(d.mspid, d.address) for d in error.details] == [(UTILITY, "peer4:7051")]


async def test_results_that_stay_different_are_an_error(scene):
    scene.members[1].written = lambda _height: b"other"
    error = await scene.failure(COOP, MUNICIPALITY, DSO)
    assert error.code is grpc.StatusCode.ABORTED
    assert [(d.mspid, d.message) for d in error.details] == [
        (MUNICIPALITY, "ProposalResponsePayloads do not match")
    ]


async def test_peers_at_different_heights_meet_at_the_highest(scene):
    for member in scene.members:
        member.written = lambda height: b"%d" % height
    scene.members[2].notifier.committed(11, ())
    task = asyncio.create_task(scene.endorsers(COOP, MUNICIPALITY, DSO))
    await asked(*scene.members[:3])
    for index in (0, 1):
        scene.members[index].notifier.committed(11, ())
    async with asyncio.timeout(5):
        assert len(await task) == 3


async def test_silence_counts_as_unreachable(scene, monkeypatch):
    monkeypatch.setattr(remote_endorsers, "REMOTE_ENDORSE_TIMEOUT_MS", 1)
    scene.members[1].is_silent = True
    error = await scene.failure(COOP, MUNICIPALITY)
    assert "did not answer" in error.details[0].message
    assert scene.remotes[0]._waiting == {}


async def test_a_client_that_leaves_frees_what_waited(scene):
    scene.members[1].is_silent = True
    task = asyncio.create_task(scene.endorsers(COOP, MUNICIPALITY))
    await asked(scene.members[1])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert scene.remotes[0]._waiting == {}


async def test_only_the_peer_that_was_asked_may_answer(scene):
    scene.members[1].is_silent = True
    task = asyncio.create_task(scene.endorsers(COOP, MUNICIPALITY))
    await asked(scene.members[1])
    ((request_id, (_, future)),) = scene.remotes[0]._waiting.items()
    scene.remotes[0].on_result(
        4, remote_endorsers.EndorseResult(request_id=request_id, reason="MALFORMED")
    )
    assert not future.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_evaluation_asks_the_own_peer_only(scene):
    answer = await scene.collector.evaluate(scene.propose(), ())
    assert (answer.status, answer.payload) == (200, b"result")
    assert scene.asked == [1, 0, 0, 0]


async def test_evaluation_at_a_named_member(scene):
    await scene.collector.evaluate(scene.propose(), (UTILITY,))
    assert scene.asked == [0, 0, 0, 1]


async def test_a_failed_evaluation_is_not_retried(scene):
    scene.members[0].status = 500
    with pytest.raises(GatewayError) as failed:
        await scene.collector.evaluate(scene.propose(), ())
    assert failed.value.code is grpc.StatusCode.UNKNOWN
    assert failed.value.message == (
        "evaluate call to endorser returned error: chaincode response 500, it says so"
    )
    assert [d.mspid for d in failed.value.details] == [COOP]
    assert scene.asked == [1, 0, 0, 0]


async def test_a_refused_evaluation(scene):
    scene.members[0].refusal = InvalidMessage(Reason.CERTIFICATE_REVOKED, "revoked")
    with pytest.raises(GatewayError) as failed:
        await scene.collector.evaluate(scene.propose(), ())
    assert failed.value.code is grpc.StatusCode.FAILED_PRECONDITION
