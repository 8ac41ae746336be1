"""Asking one peer a question that changes nothing; another one where the first cannot answer."""

from collections.abc import Callable

import grpc

from ledger.model.transaction import ChaincodeResponse, SignedProposal
from ledger.node.endorsing.organizations import EndorsingPeer, PeersByOrganization
from ledger.node.endorsing.peer_answers import EVALUATION_CODES, Outcome, PeerQuestions
from ledger.rpc.status import (
    EVALUATE_CALL_FAILED,
    EVALUATE_FAILED,
    NO_CHANNEL_CONFIG,
    NO_LOCAL_EVALUATORS,
    NO_PEERS_TO_EVALUATE,
    GatewayError,
)


class Evaluator:
    """The own organization's peers first, the highest ledger first; then the others."""

    def __init__(
        self,
        *,
        channel_id: str,
        peers: PeersByOrganization,
        questions: PeerQuestions,
        is_defined: Callable[[str], bool],
        runs_here: Callable[[str], bool],
    ) -> None:
        """`is_defined` and `runs_here` take a chaincode's name."""
        self._channel_id = channel_id
        self._peers = peers
        self._questions = questions
        self._is_defined = is_defined
        self._runs_here = runs_here

    async def evaluate(
        self, proposal: SignedProposal, organizations: tuple[str, ...]
    ) -> ChaincodeResponse:
        """The first answer of a contract, or GatewayError with every peer tried."""
        height = self._questions.own_height
        details = []
        for peer in self._candidates(proposal, organizations):
            answer = await self._questions.ask(peer, proposal, height)
            if answer.outcome is Outcome.SUCCESS and answer.response is not None:
                return answer.response.response
            details.append(answer.detail)
            code = EVALUATION_CODES[answer.outcome]
            if answer.is_overloaded:
                code = grpc.StatusCode.RESOURCE_EXHAUSTED
            if not answer.may_do_better_elsewhere:
                raise GatewayError(code, EVALUATE_CALL_FAILED + answer.error, details)
        raise GatewayError(code, EVALUATE_FAILED, details)

    def _candidates(
        self, proposal: SignedProposal, organizations: tuple[str, ...]
    ) -> list[EndorsingPeer]:
        """At least one peer, in the order to be asked; transient data stays at home."""
        channel_id, chaincode = proposal.header.channel.channel_id, proposal.chaincode_name
        if channel_id != self._channel_id:
            text = NO_CHANNEL_CONFIG.format(channel_id)
            raise GatewayError(grpc.StatusCode.UNAVAILABLE, text)
        stays_local = bool(proposal.transient) and not organizations
        allowed = (self._peers.own.mspid,) if stays_local else organizations
        found = []
        if self._is_defined(chaincode):
            own, runs_here = self._peers.own, self._runs_here(chaincode)
            everyone = self._peers.everyone(allowed)
            found = [peer for peer in everyone if runs_here or peer != own]
        if not found:
            text = NO_PEERS_TO_EVALUATE.format(chaincode, channel_id)
            if stays_local:
                text = f"{NO_LOCAL_EVALUATORS}: {text}"
            raise GatewayError(grpc.StatusCode.FAILED_PRECONDITION, text)
        return found
