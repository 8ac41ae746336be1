"""Asking one peer about a proposal, and what its answer means for the gateway's call.

A peer refuses the request itself (signature, rights, transaction id), cannot run it (chaincode
not there, crashed, too slow), or runs it and the contract answers. Fabric tells them apart like
this: a status of 500 without payload is the peer's own, any other refusal the contract's.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

import grpc

from ledger.errors import InvalidMessage, Reason
from ledger.model.transaction import ProposalResponse, SignedProposal
from ledger.node.endorsing.organizations import EndorsingPeer
from ledger.node.endorsing.remote_endorsers import EndorserUnreachable, RemoteEndorsers
from ledger.rpc.proposal_refusals import refusal_text
from ledger.rpc.status import PeerError

STATUS_OK_MIN, STATUS_OK_MAX = 200, 399
STATUS_PEER_FAILED = 500


class Outcome(Enum):
    """Whose word an answer is."""

    SUCCESS = auto()
    CONTRACT_REFUSED = auto()
    """Every peer would answer the same."""
    PEER_FAILED = auto()
    """Another peer may do better."""
    REQUEST_REFUSED = auto()
    UNREACHABLE = auto()


EVALUATION_CODES = {
    Outcome.CONTRACT_REFUSED: grpc.StatusCode.UNKNOWN,
    Outcome.PEER_FAILED: grpc.StatusCode.ABORTED,
    Outcome.REQUEST_REFUSED: grpc.StatusCode.FAILED_PRECONDITION,
    Outcome.UNREACHABLE: grpc.StatusCode.UNAVAILABLE,
}
"""The status of an evaluation that ends with such an answer."""


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """One peer's answer; `error` is for the client and empty on success."""

    peer: EndorsingPeer
    outcome: Outcome
    response: ProposalResponse | None = None
    error: str = ""
    height: int = 0
    """Blocks the peer had when it simulated."""
    is_overloaded: bool = False
    """The peer has too much to do, or too much of this client."""

    @property
    def detail(self) -> PeerError:
        """What the client is told of this peer."""
        return PeerError(self.peer.address, self.peer.mspid, self.error)

    @property
    def may_do_better_elsewhere(self) -> bool:
        """Whether an evaluation goes on with the next peer."""
        return self.outcome in (Outcome.PEER_FAILED, Outcome.UNREACHABLE)


class PeerQuestions:
    """Asks the own peer directly and the others over their streams."""

    def __init__(
        self,
        *,
        own: EndorsingPeer,
        process: Callable[[SignedProposal], Awaitable[ProposalResponse]],
        remote: RemoteEndorsers,
    ) -> None:
        self._own = own
        self._process = process
        self._remote = remote

    @property
    def own_height(self) -> int:
        """Blocks this peer has: who is asked simulates on as many at least."""
        return self._remote.own_height

    async def reach(self, height: int) -> None:
        """Wait a little for blocks that another peer has."""
        await self._remote.reach(height)

    async def ask(self, peer: EndorsingPeer, proposal: SignedProposal, height: int) -> PeerAnswer:
        """The peer's answer, once it has `height` blocks."""
        try:
            if peer == self._own:
                height = self._remote.own_height
                response = await self._process(proposal)
            else:
                simulated = await self._remote.endorse(peer.consenter_id, proposal, height)
                height, response = simulated.height, simulated.response
        except EndorserUnreachable as error:
            return PeerAnswer(peer, Outcome.UNREACHABLE, error=str(error))
        except InvalidMessage as error:
            return PeerAnswer(
                peer,
                Outcome.REQUEST_REFUSED,
                error=refusal_text(error, proposal),
                is_overloaded=error.reason is Reason.OVERLOADED,
            )
        outcome, text = _judge(response)
        return PeerAnswer(peer, outcome, response, text, height)


def _judge(response: ProposalResponse) -> tuple[Outcome, str]:
    result = response.response
    if STATUS_OK_MIN <= result.status <= STATUS_OK_MAX:
        return Outcome.SUCCESS, ""
    if result.status == STATUS_PEER_FAILED and not response.payload_raw:
        return Outcome.PEER_FAILED, result.message
    return Outcome.CONTRACT_REFUSED, f"chaincode response {result.status}, {result.message}"
