"""protos.Endorser: one peer's own simulation and signature, asked by CLIs and other peers."""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext

import grpc
from grpc import aio

from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_action import encode_proposal_response
from ledger.model.codec_proposal import decode_signed_proposal
from ledger.model.transaction import ChaincodeResponse, ProposalResponse, SignedProposal
from ledger.rpc.client_limits import (
    CALL_BYTES_MAX,
    ENDORSER,
    LARGE_PROPOSALS_MAX,
    ClientLimits,
    RefusalCounter,
    Slots,
)
from ledger.rpc.proposal_refusals import refusal_text
from ledger.rpc.status import CODE_BY_REASON, GatewayError, abort, gateway_error
from ledger.rpc.transport import identity_bytes

STATUS_PEER_FAILED = 500
CHANNEL_NOT_FOUND = "channel '{}' not found"

Process = Callable[[SignedProposal], Awaitable[ProposalResponse]]


class EndorserService:
    """ProcessProposal: the RPC fails only for a request that may not be simulated at all."""

    def __init__(
        self,
        process: Process,
        *,
        limits: ClientLimits | None = None,
        refusals: RefusalCounter | None = None,
    ) -> None:
        allowed = limits or ClientLimits()
        self._process = process
        self._refusals = refusals or RefusalCounter()
        self.places = Slots(ENDORSER, total=allowed.proposals_max)
        """Proposals under way."""
        self._large = Slots(ENDORSER, "large proposals", total=LARGE_PROPOSALS_MAX)

    def rpc_handlers(self) -> grpc.GenericRpcHandler:
        """The handler table to add to a server."""
        return grpc.method_handlers_generic_handler(
            "protos.Endorser",
            {
                "ProcessProposal": grpc.unary_unary_rpc_method_handler(
                    self._process_proposal, identity_bytes, identity_bytes
                )
            },
        )

    async def _process_proposal(
        self, request: bytes, context: aio.ServicerContext[bytes, bytes]
    ) -> bytes:
        try:
            large = self._large.place() if len(request) > CALL_BYTES_MAX else nullcontext()
            with self.places.place(), large:
                return encode_proposal_response(await self._answer(request))
        except (GatewayError, InvalidMessage) as error:
            reason = error.reason if isinstance(error, InvalidMessage) else error.code.name
            self._refusals.note("ProcessProposal", reason, str(error))
            refusal = gateway_error(error) if isinstance(error, InvalidMessage) else error
            await abort(context, refusal)

    async def _answer(self, request: bytes) -> ProposalResponse:
        proposal = decode_signed_proposal(request)
        try:
            return await self._process(proposal)
        except InvalidMessage as error:
            if error.reason is Reason.WRONG_CHANNEL:
                text = CHANNEL_NOT_FOUND.format(proposal.header.channel.channel_id)
                response = ChaincodeResponse(STATUS_PEER_FAILED, text, b"")
                return ProposalResponse(response, b"", None)
            if error.reason is Reason.OVERLOADED:
                raise
            code = CODE_BY_REASON.get(error.reason, grpc.StatusCode.FAILED_PRECONDITION)
            raise GatewayError(code, refusal_text(error, proposal)) from error
