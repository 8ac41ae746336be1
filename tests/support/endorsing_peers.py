"""A gateway among peers whose answers the test decides; what is between them is real."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from ledger.crypto.hashing import proposal_hash
from ledger.crypto.signing import SigningIdentity
from ledger.endorsement.layouts import PolicySources, endorsement_layouts
from ledger.errors import InvalidMessage
from ledger.model.codec import decode_prepared_transaction
from ledger.model.codec_action import encode_proposal_response_payload
from ledger.model.codec_proposal import strip_transient
from ledger.model.interest import Interest
from ledger.model.private_collections import Collection
from ledger.model.transaction import (
    ChaincodeAction,
    ChaincodeResponse,
    ProposalResponse,
    SignedProposal,
)
from ledger.node.endorsing.connection_watch import ConnectionWatch
from ledger.node.endorsing.endorsements import EndorsementCollector
from ledger.node.endorsing.evaluation import Evaluator
from ledger.node.endorsing.organizations import EndorsingPeer, PeersByOrganization
from ledger.node.endorsing.peer_answers import PeerQuestions
from ledger.node.endorsing.remote_endorsers import RemoteEndorsers
from ledger.rpc.commit_notifier import CommitNotifier
from ledger.wire.validator_pb2 import Item
from tests.support.endorsing_world import EndorsingWorld
from tests.support.identities import CHANNEL_ID, MSPIDS
from tests.support.ledger_world import CHAINCODE, endorse, market, put

CRASHED = "failed to execute transaction: chaincode stream terminated"


@dataclass
class Member:
    """One peer: what it answers, and how often it was asked."""

    node: SigningIdentity
    notifier: CommitNotifier
    written: Callable[[int], bytes] = lambda _height: b"v"
    status: int = 200
    failure: str = ""
    """The peer itself cannot run the chaincode, and says this."""
    refusal: InvalidMessage | None = None
    interest: Interest = ()
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
        if self.failure:
            return ProposalResponse(ChaincodeResponse(500, self.failure, b""), b"", None)
        response = ChaincodeResponse(self.status, "it says so", b"result")
        payload = self._payload(proposal, response)
        if self.status >= 400:
            return ProposalResponse(response, payload if self.status >= 500 else b"", None)
        return ProposalResponse(response, payload, endorse(self.node, payload), self.interest)

    def _payload(self, proposal: SignedProposal, response: ChaincodeResponse) -> bytes:
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
        return encode_proposal_response_payload(digest, action)


@dataclass
class Streams:
    """Links of the first peer that end at the other peers' own endorsing side."""

    scene: "EndorsingScene"
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


class EndorsingScene:
    """The first peer's gateway; one peer for each of `mspids`, in that order, ids from 1."""

    def __init__(self, mspids: tuple[str, ...] = MSPIDS) -> None:
        self.world = EndorsingWorld()
        self.tasks: list[asyncio.Task[None]] = []
        self.collections: dict[str, Collection] = {}
        self.members = [
            Member(self._node(mspid, index), CommitNotifier(10))
            for index, mspid in enumerate(mspids)
        ]
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
        self.heights: dict[int, int] = {}
        self.not_here: set[str] = set()
        self._connect([EndorsingPeer(m, i + 1, f"peer{i + 1}:7051") for i, m in enumerate(mspids)])

    def _node(self, mspid: str, index: int) -> SigningIdentity:
        authority = self.world.consortium.member(mspid).authority
        pair = authority.issue_node(f"peer{index + 1}", now=self.world.consortium.created)
        return authority.signing_identity(pair)

    def _connect(self, peers: list[EndorsingPeer]) -> None:
        organizations = PeersByOrganization(
            own=peers[0],
            others=lambda: peers[1:],
            is_reachable=lambda consenter_id: consenter_id not in self.streams.down,
            height=lambda consenter_id: self.heights.get(consenter_id, 10),
        )
        questions = PeerQuestions(
            own=peers[0], process=self.members[0].process, remote=self.remotes[0]
        )
        sources = PolicySources(
            channel_id=CHANNEL_ID,
            definition=self.world.definitions.get,
            collection=lambda _chaincode, name: self.collections.get(name),
            policies=lambda: self.world.policies,
        )
        self.collector = EndorsementCollector(
            channel_id=CHANNEL_ID,
            peers=organizations,
            questions=questions,
            layouts=lambda interest: endorsement_layouts(interest, sources),
            is_defined=self.world.definitions.__contains__,
            runs_here=lambda name: name not in self.not_here,
            watch=self.watch,
        )
        self.evaluator = Evaluator(
            channel_id=CHANNEL_ID,
            peers=organizations,
            questions=questions,
            is_defined=self.world.definitions.__contains__,
            runs_here=lambda name: name not in self.not_here,
        )

    def propose(self, **options: object) -> SignedProposal:
        return self.world.propose("run", **options)

    async def endorsers(self, *organizations: str, **options: object) -> list[str]:
        """Endorse a new proposal; the members whose endorsements it got, in order."""
        payload = await self.collector.endorse(self.propose(**options), organizations)
        transaction = decode_prepared_transaction(payload).transaction
        assert transaction is not None
        registry = self.world.consortium.registry()
        return [registry.identity(e.endorser).mspid for e in transaction.endorsements]

    @property
    def asked(self) -> list[int]:
        return [member.asked for member in self.members]

    def close(self) -> None:
        for task in self.tasks:
            task.cancel()
