"""Collecting the endorsements a transaction needs, and evaluating queries.

Own peer first and always; the other organizations come from the chaincode's endorsement policy,
preferring those that can be reached. One that is lost while it is asked is replaced by another
that the policy allows. All results must be equal, byte for byte.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import grpc

from ledger.crypto.policy import Layout
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import prepared_transaction_payload
from ledger.model.transaction import (
    ChaincodeResponse,
    Endorsement,
    ProposalResponse,
    SignedProposal,
)
from ledger.node.connection_watch import ConnectionWatch
from ledger.node.remote_endorsers import EndorserUnreachable, RemoteEndorsers
from ledger.rpc.status import (
    COLLECT_FAILED,
    ENDORSE_FAILED,
    EVALUATE_CALL_FAILED,
    PAYLOADS_DIFFER,
    GatewayError,
    PeerError,
)

log = logging.getLogger(__name__)

STATUS_ENDORSED_MAX = 399
MISMATCH_RETRIES_MAX = 2
CONNECT_WAIT_MS = 2_000
"""How long a proposal waits for peers of a layout to connect before it is refused."""


@dataclass(frozen=True, slots=True)
class EndorsingPeer:
    """The peer that endorses for a member."""

    mspid: str
    consenter_id: int
    address: str


@dataclass(frozen=True, slots=True)
class _Answer:
    peer: EndorsingPeer
    response: ProposalResponse | None
    error: str
    is_lost: bool = False
    """The peer could not be reached: it has not judged the proposal."""
    height: int = 0
    """Blocks the peer had when it simulated."""
    is_overloaded: bool = False
    """The peer has too much to do, or too much of this client."""

    @property
    def endorsed(self) -> bool:
        return self.response is not None and self.response.endorsement is not None


class EndorsementCollector:
    """Plans, asks in parallel, compares, and prepares the transaction for the client to sign."""

    def __init__(
        self,
        *,
        channel_id: str,
        own: EndorsingPeer,
        others: Callable[[], Sequence[EndorsingPeer]],
        process: Callable[[SignedProposal], Awaitable[ProposalResponse]],
        remote: RemoteEndorsers,
        layouts: Callable[[str], list[Layout] | None],
        is_reachable: Callable[[int], bool],
        watch: ConnectionWatch,
    ) -> None:
        """`others` are the other validators' peers in the configuration in force.

        The same object each time until they change: what follows from it is remembered.
        """
        self._channel_id = channel_id
        self._own = own
        self._others = others
        self._known: tuple[Sequence[EndorsingPeer], Mapping[str, EndorsingPeer]] = ((), {})
        self._process = process
        self._remote = remote
        self._layouts = layouts
        self._is_reachable = is_reachable
        self._watch = watch

    async def endorse(self, proposal: SignedProposal, organizations: tuple[str, ...]) -> bytes:
        """The unsigned envelope payload; raises GatewayError with each failing peer's words."""
        lost: frozenset[str] = frozenset()
        while True:
            chosen = await self._chosen_when_reachable(proposal, organizations, lost)
            answers = await self._equal_answers(chosen, proposal)
            newly_lost = {a.peer.mspid for a in answers if a.is_lost}
            if not newly_lost or organizations:
                return _prepared(proposal, answers)
            lost |= newly_lost

    async def evaluate(
        self, proposal: SignedProposal, organizations: tuple[str, ...]
    ) -> ChaincodeResponse:
        """One peer's answer, own first; raises GatewayError."""
        channel_id = proposal.header.channel.channel_id
        if channel_id != self._channel_id:
            raise GatewayError(
                grpc.StatusCode.UNAVAILABLE, f"failed to get config for channel [{channel_id}]"
            )
        self._require_known(proposal, "no peers available to evaluate chaincode {} in channel {}")
        named = self._named(organizations) if organizations else [self._own]
        target = self._own if self._own in named else named[0]
        answer = await self._ask_one(target, proposal, self._remote.own_height)
        if answer.response is None:
            raise GatewayError(
                grpc.StatusCode.FAILED_PRECONDITION,
                EVALUATE_CALL_FAILED + answer.error,
                (_detail(answer),),
            )
        response = answer.response.response
        if response.status > STATUS_ENDORSED_MAX:
            text = f"chaincode response {response.status}, {response.message}"
            raise GatewayError(
                grpc.StatusCode.UNKNOWN,
                EVALUATE_CALL_FAILED + text,
                (PeerError(target.address, target.mspid, text),),
            )
        return response

    @property
    def _peers(self) -> Mapping[str, EndorsingPeer]:
        """One peer of each member; our own for ours."""
        others = self._others()
        if others is not self._known[0] or not self._known[1]:
            by_member = {other.mspid: other for other in others}
            self._known = (others, {**by_member, self._own.mspid: self._own})
        return self._known[1]

    # -- planning ---------------------------------------------------------------------------------

    async def _chosen_when_reachable(
        self, proposal: SignedProposal, organizations: tuple[str, ...], lost: frozenset[str]
    ) -> list[EndorsingPeer]:
        """Like `_chosen`, with some patience for peers that are just (re)starting."""
        try:
            async with asyncio.timeout(CONNECT_WAIT_MS / 1000):
                while True:
                    try:
                        return self._chosen(proposal, organizations, lost)
                    except GatewayError as error:
                        if error.code != grpc.StatusCode.UNAVAILABLE or lost:
                            raise
                        await self._watch.next_connection()
        except TimeoutError:
            return self._chosen(proposal, organizations, lost)

    def _chosen(
        self, proposal: SignedProposal, organizations: tuple[str, ...], lost: frozenset[str]
    ) -> list[EndorsingPeer]:
        if organizations:
            return self._named(organizations)
        layouts = self._require_known(
            proposal,
            "no combination of peers can be derived which satisfy the endorsement policy: "
            "No metadata was found for chaincode {} in channel {}",
        )
        usable = [
            layout for layout in layouts if not layout & lost and all(map(self._can_ask, layout))
        ]
        if not usable:
            raise GatewayError(
                grpc.StatusCode.UNAVAILABLE,
                "no combination of reachable peers satisfies the endorsement policy",
            )
        best_rank = min(map(self._rank, usable))
        equals = sorted((one for one in usable if self._rank(one) == best_rank), key=sorted)
        # Spread the work over members that will do equally well.
        best = equals[crc32(proposal.tx_id.encode()) % len(equals)]
        return [self._peers[mspid] for mspid in sorted(best, key=self._own_first)]

    def _rank(self, layout: Layout) -> tuple[bool, int]:
        """The lower the better: with the own peer, then with few others."""
        return (self._own.mspid not in layout, len(layout))

    def _own_first(self, mspid: str) -> tuple[bool, str]:
        return (mspid != self._own.mspid, mspid)

    def _can_ask(self, mspid: str) -> bool:
        peer = self._peers.get(mspid)
        if peer is None:
            return False
        return peer == self._own or self._is_reachable(peer.consenter_id)

    def _named(self, organizations: tuple[str, ...]) -> list[EndorsingPeer]:
        missing = [mspid for mspid in organizations if not self._can_ask(mspid)]
        if missing:
            raise GatewayError(
                grpc.StatusCode.UNAVAILABLE,
                f"failed to find any endorsing peers for org(s): {', '.join(missing)}",
            )
        return [self._peers[mspid] for mspid in dict.fromkeys(organizations)]

    def _require_known(self, proposal: SignedProposal, text: str) -> list[Layout]:
        channel_id = proposal.header.channel.channel_id
        is_ours = channel_id == self._channel_id
        layouts = self._layouts(proposal.chaincode_name) if is_ours else None
        if layouts is None:
            raise GatewayError(
                grpc.StatusCode.FAILED_PRECONDITION,
                text.format(proposal.chaincode_name, channel_id),
            )
        return layouts

    # -- asking -----------------------------------------------------------------------------------

    async def _equal_answers(
        self, peers: list[EndorsingPeer], proposal: SignedProposal
    ) -> list[_Answer]:
        """Answers of all; asked again a few times while their results differ."""
        # A client that saw its last transaction committed here builds on it now.
        height = self._remote.own_height
        answers = await self._ask(peers, proposal, height)
        for _ in range(MISMATCH_RETRIES_MAX):
            if not _differ(answers):
                break
            # Peers commit the same block at slightly different moments: meet at the highest.
            height = max(answer.height for answer in answers)
            await self._remote.reach(height)
            answers = await self._ask(peers, proposal, height)
        return answers

    async def _ask(
        self, peers: list[EndorsingPeer], proposal: SignedProposal, height: int
    ) -> list[_Answer]:
        asked = (self._ask_one(one, proposal, height) for one in peers)
        return list(await asyncio.gather(*asked))

    async def _ask_one(
        self, peer: EndorsingPeer, proposal: SignedProposal, height: int
    ) -> _Answer:
        try:
            if peer == self._own:
                height = self._remote.own_height
                response = await self._process(proposal)
            else:
                simulated = await self._remote.endorse(peer.consenter_id, proposal, height)
                height, response = simulated.height, simulated.response
        except EndorserUnreachable as error:
            return _Answer(peer, None, str(error), is_lost=True)
        except InvalidMessage as error:
            return _Answer(
                peer,
                None,
                f"error validating proposal: {error}",
                is_overloaded=error.reason is Reason.OVERLOADED,
            )
        result = response.response
        text = f"chaincode response {result.status}, {result.message}"
        error_text = "" if response.endorsement else text
        return _Answer(peer, response, error_text, height=height)


def _differ(answers: list[_Answer]) -> bool:
    payloads = {a.response.payload_raw for a in answers if a.response is not None and a.endorsed}
    return len(payloads) > 1


def _prepared(proposal: SignedProposal, answers: list[_Answer]) -> bytes:
    failed = [answer for answer in answers if not answer.endorsed]
    if failed:
        text = ENDORSE_FAILED if len(failed) == len(answers) else COLLECT_FAILED
        overloaded = all(answer.is_overloaded for answer in failed)
        code = grpc.StatusCode.RESOURCE_EXHAUSTED if overloaded else grpc.StatusCode.ABORTED
        raise GatewayError(code, text, tuple(_detail(answer) for answer in failed))
    responses = [answer.response for answer in answers if answer.response is not None]
    first = responses[0].payload_raw
    differing = [a for a in answers if a.response is not None and a.response.payload_raw != first]
    if differing:
        raise GatewayError(
            grpc.StatusCode.ABORTED,
            COLLECT_FAILED,
            tuple(PeerError(a.peer.address, a.peer.mspid, PAYLOADS_DIFFER) for a in differing),
        )
    endorsements: list[Endorsement] = [r.endorsement for r in responses if r.endorsement]
    return prepared_transaction_payload(proposal, first, endorsements)


def _detail(answer: _Answer) -> PeerError:
    return PeerError(answer.peer.address, answer.peer.mspid, answer.error)
