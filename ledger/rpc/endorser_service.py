"""protos.Endorser: one peer's own simulation and signature, asked by CLIs and other peers."""

from collections.abc import Awaitable, Callable

import grpc
from grpc import aio

from ledger.errors import InvalidMessage
from ledger.model.codec_action import encode_proposal_response
from ledger.model.codec_proposal import decode_signed_proposal
from ledger.model.transaction import ProposalResponse, SignedProposal
from ledger.rpc.status import GatewayError, abort, gateway_error
from ledger.rpc.transport import identity_bytes

CONCURRENT_PROPOSALS_MAX = 2_500

Process = Callable[[SignedProposal], Awaitable[ProposalResponse]]


class EndorserService:
    """ProcessProposal: the RPC fails only for a request that may not be simulated at all."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._running = 0

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
        if self._running >= CONCURRENT_PROPOSALS_MAX:
            await abort(
                context,
                GatewayError(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"this peer simulates at most {CONCURRENT_PROPOSALS_MAX} proposals at once",
                ),
            )
        self._running += 1
        try:
            return encode_proposal_response(await self._process(decode_signed_proposal(request)))
        except InvalidMessage as error:
            await abort(context, gateway_error(error))
        finally:
            self._running -= 1
