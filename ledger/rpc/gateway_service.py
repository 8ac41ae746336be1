"""gateway.Gateway: what Fabric's client SDKs call.

The service unpacks and packs messages; the work is done by `Endorsements` (which peers sign),
`Submission` (into the pools of a quorum of validators) and the ledger.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
from grpc import aio

from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import encode_envelope
from ledger.model.codec_parsing import parse_message
from ledger.model.codec_proposal import decode_proposal
from ledger.model.codes import ValidationCode
from ledger.model.transaction import SignedProposal
from ledger.rpc.access import RequestAccess
from ledger.rpc.commit_notifier import CommitNotifier
from ledger.rpc.event_stream import ChaincodeEventStream
from ledger.rpc.ports import Endorsements, Submission, TransactionLookup
from ledger.rpc.status import GatewayError, abort, gateway_error
from ledger.rpc.transport import identity_bytes
from ledger.wire import gateway_pb2, protos_pb2

CONCURRENT_CALLS_MAX = 500
ENDORSE_TIMEOUT_MS = 30_000
SUBMIT_TIMEOUT_MS = 30_000


Handler = Callable[[bytes], Awaitable[bytes]]


class GatewayService:
    """All five calls of gateway.Gateway."""

    def __init__(
        self,
        *,
        access: RequestAccess,
        endorsements: Endorsements,
        submission: Submission,
        lookup: TransactionLookup,
        notifier: CommitNotifier,
        events: ChaincodeEventStream,
    ) -> None:
        self._access = access
        self._endorsements = endorsements
        self._submission = submission
        self._lookup = lookup
        self._notifier = notifier
        self._events = events
        self._calls = 0

    def rpc_handlers(self) -> grpc.GenericRpcHandler:
        """The handler table to add to a server."""
        unary = {
            "Endorse": self._endorse,
            "Submit": self._submit,
            "CommitStatus": self._commit_status,
            "Evaluate": self._evaluate,
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                self._answering(handler), identity_bytes, identity_bytes
            )
            for name, handler in unary.items()
        }
        handlers["ChaincodeEvents"] = grpc.unary_stream_rpc_method_handler(
            self._chaincode_events, identity_bytes, identity_bytes
        )
        return grpc.method_handlers_generic_handler("gateway.Gateway", handlers)

    def _answering(
        self, handler: Handler
    ) -> Callable[[bytes, aio.ServicerContext[bytes, bytes]], Awaitable[bytes]]:
        async def answer(request: bytes, context: aio.ServicerContext[bytes, bytes]) -> bytes:
            if self._calls >= CONCURRENT_CALLS_MAX:
                await abort(context, _too_many_calls())
            self._calls += 1
            try:
                return await handler(request)
            except GatewayError as error:
                await abort(context, error)
            except InvalidMessage as error:
                await abort(context, gateway_error(error))
            finally:
                self._calls -= 1

        return answer

    async def _endorse(self, raw: bytes) -> bytes:
        request = parse_message(gateway_pb2.EndorseRequest, raw)
        proposal = _proposal(request.proposed_transaction, request)
        async with _deadline(ENDORSE_TIMEOUT_MS, "endorsement timeout expired"):
            payload = await self._endorsements.endorse(
                proposal, tuple(request.endorsing_organizations)
            )
        response = gateway_pb2.EndorseResponse()
        response.prepared_transaction.payload = payload
        return response.SerializeToString()

    async def _evaluate(self, raw: bytes) -> bytes:
        request = parse_message(gateway_pb2.EvaluateRequest, raw)
        proposal = _proposal(request.proposed_transaction, request)
        async with _deadline(ENDORSE_TIMEOUT_MS, "evaluate timeout expired"):
            result = await self._endorsements.evaluate(
                proposal, tuple(request.target_organizations)
            )
        response = gateway_pb2.EvaluateResponse()
        response.result.status = result.status
        response.result.message = result.message
        response.result.payload = result.payload
        return response.SerializeToString()

    async def _submit(self, raw: bytes) -> bytes:
        request = parse_message(gateway_pb2.SubmitRequest, raw)
        envelope = request.prepared_transaction
        if not envelope.payload or not envelope.signature:
            raise GatewayError(
                grpc.StatusCode.INVALID_ARGUMENT, "prepared transaction must be signed"
            )
        async with _deadline(SUBMIT_TIMEOUT_MS, "submit timeout expired"):
            await self._submission.submit(encode_envelope(envelope.payload, envelope.signature))
        return b""

    async def _commit_status(self, raw: bytes) -> bytes:
        signed = parse_message(gateway_pb2.SignedCommitStatusRequest, raw)
        request = parse_message(gateway_pb2.CommitStatusRequest, signed.request)
        await self._access.require_reader(
            channel_id=request.channel_id,
            identity=request.identity,
            message=signed.request,
            signature=signed.signature,
        )
        fate = self._lookup.committed(request.transaction_id)
        if fate is None:
            fate = await self._notifier.wait_for_transaction(request.transaction_id)
        return _commit_status_response(fate.code, fate.block_number)

    async def _chaincode_events(
        self, raw: bytes, context: aio.ServicerContext[bytes, bytes]
    ) -> AsyncIterator[bytes]:
        try:
            signed = parse_message(gateway_pb2.SignedChaincodeEventsRequest, raw)
            request = parse_message(gateway_pb2.ChaincodeEventsRequest, signed.request)
            await self._access.require_reader(
                channel_id=request.channel_id,
                identity=request.identity,
                message=signed.request,
                signature=signed.signature,
            )
            async for response in self._events.follow(request):
                yield response
        except GatewayError as error:
            await abort(context, error)
        except InvalidMessage as error:
            await abort(context, gateway_error(error))


def _proposal(
    wire: protos_pb2.SignedProposal,
    request: gateway_pb2.EndorseRequest | gateway_pb2.EvaluateRequest,
) -> SignedProposal:
    if not wire.proposal_bytes:
        raise GatewayError(
            grpc.StatusCode.INVALID_ARGUMENT, "the request carries no signed proposal"
        )
    proposal = decode_proposal(wire.proposal_bytes, wire.signature)
    channel = proposal.header.channel
    if request.channel_id and request.channel_id != channel.channel_id:
        raise InvalidMessage(
            Reason.WRONG_CHANNEL, "the request and its proposal name different channels"
        )
    if request.transaction_id and request.transaction_id != channel.tx_id:
        raise InvalidMessage(
            Reason.BAD_TRANSACTION_ID, "the request and its proposal name different transactions"
        )
    return proposal


def _commit_status_response(code: ValidationCode, block_number: int) -> bytes:
    response = gateway_pb2.CommitStatusResponse(block_number=block_number)
    response.result = int(code)  # type: ignore[assignment]  # the enum has Fabric's numbers
    return response.SerializeToString()


@asynccontextmanager
async def _deadline(timeout_ms: int, text: str) -> AsyncIterator[None]:
    """Turn a timeout inside the block into DEADLINE_EXCEEDED with the given text."""
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            yield
    except TimeoutError as error:
        raise GatewayError(grpc.StatusCode.DEADLINE_EXCEEDED, text) from error


def _too_many_calls() -> GatewayError:
    return GatewayError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        f"the gateway serves at most {CONCURRENT_CALLS_MAX} calls at once",
    )
