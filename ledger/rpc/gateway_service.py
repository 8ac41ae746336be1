"""gateway.Gateway: what Fabric's client SDKs call.

The service unpacks and packs messages; the work is done by `Endorsements` (which peers sign),
`Submission` (into the pools of a quorum of validators) and the ledger.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

import grpc

from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import encode_envelope
from ledger.model.codec_parsing import parse_message
from ledger.model.codec_proposal import decode_proposal
from ledger.model.codes import ValidationCode
from ledger.model.transaction import SignedProposal
from ledger.rpc.access import RequestAccess
from ledger.rpc.client_limits import (
    CALL_BYTES_MAX,
    GATEWAY,
    QUESTION_BYTES_MAX,
    STATUS_TIMEOUT_MS,
    ClientLimits,
    RefusalCounter,
    Slots,
    require_size,
)
from ledger.rpc.client_streams import ClientTooSlow, Context, give_up, write_in_time
from ledger.rpc.commit_notifier import CommitNotifier
from ledger.rpc.event_stream import ChaincodeEventStream
from ledger.rpc.orderer_status import submission_error
from ledger.rpc.ports import Endorsements, Evaluations, Submission, TransactionLookup
from ledger.rpc.status import (
    NO_CHANNEL_CONFIG,
    NO_PROPOSAL_TO_ENDORSE,
    NO_PROPOSAL_TO_EVALUATE,
    GatewayError,
    abort,
    gateway_error,
)
from ledger.rpc.transport import identity_bytes
from ledger.wire import gateway_pb2, protos_pb2

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
        evaluations: Evaluations,
        submission: Submission,
        lookup: TransactionLookup,
        notifier: CommitNotifier,
        events: ChaincodeEventStream,
        limits: ClientLimits | None = None,
        refusals: RefusalCounter | None = None,
        own: tuple[str, str] = ("", ""),
    ) -> None:
        """`own` is this peer's address (host:port) and MSP id, for what it refuses itself."""
        allowed = limits or ClientLimits()
        self._access = access
        self._endorsements = endorsements
        self._evaluations = evaluations
        self._submission = submission
        self._lookup = lookup
        self._notifier = notifier
        self._events = events
        self._refusals = refusals or RefusalCounter()
        self._own = own
        self.calls = Slots(GATEWAY, total=allowed.calls_max)
        """Work under way; callers that wait for a commit and streams are counted apart."""
        self.streams = Slots(
            GATEWAY,
            "event streams",
            total=allowed.event_streams_max,
            each=allowed.streams_per_identity_max,
        )
        self.waits = Slots(
            GATEWAY,
            "commit status calls",
            total=allowed.status_waits_max,
            each=allowed.status_waits_per_identity_max,
        )

    def rpc_handlers(self) -> grpc.GenericRpcHandler:
        """The handler table to add to a server."""
        unary = {
            "Endorse": self._working(self._endorse),
            "Submit": self._working(self._submit),
            "CommitStatus": self._commit_status,
            "Evaluate": self._working(self._evaluate),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                self._answering(name, handler), identity_bytes, identity_bytes
            )
            for name, handler in unary.items()
        }
        handlers["ChaincodeEvents"] = grpc.unary_stream_rpc_method_handler(
            self._chaincode_events, identity_bytes, identity_bytes
        )
        return grpc.method_handlers_generic_handler("gateway.Gateway", handlers)

    def _working(self, handler: Handler) -> Handler:
        async def work(request: bytes) -> bytes:
            require_size(request, CALL_BYTES_MAX)
            with self.calls.place():
                return await handler(request)

        return work

    def _answering(
        self, name: str, handler: Handler
    ) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def answer(request: bytes, context: Context) -> bytes:
            try:
                return await handler(request)
            except (GatewayError, InvalidMessage) as error:
                await self._refuse(name, error, context)

        return answer

    async def _refuse(
        self,
        name: str,
        error: GatewayError | InvalidMessage,
        context: Context,
    ) -> NoReturn:
        if isinstance(error, InvalidMessage):
            self._refusals.note(name, error.reason, error.detail)
            await abort(context, gateway_error(error))
        self._refusals.note(name, error.code.name, error.message)
        await abort(context, error)

    async def _endorse(self, raw: bytes) -> bytes:
        request = parse_message(gateway_pb2.EndorseRequest, raw)
        proposal = _proposal(request.proposed_transaction, request, NO_PROPOSAL_TO_ENDORSE)
        async with _deadline(ENDORSE_TIMEOUT_MS, "endorsement timeout expired"):
            payload = await self._endorsements.endorse(
                proposal, tuple(request.endorsing_organizations)
            )
        response = gateway_pb2.EndorseResponse()
        response.prepared_transaction.payload = payload
        return response.SerializeToString()

    async def _evaluate(self, raw: bytes) -> bytes:
        try:
            request = parse_message(gateway_pb2.EvaluateRequest, raw)
            proposal = _proposal(request.proposed_transaction, request, NO_PROPOSAL_TO_EVALUATE)
        except InvalidMessage as error:
            raise _unreadable("failed to unpack transaction proposal", error) from error
        async with _deadline(ENDORSE_TIMEOUT_MS, "evaluate timeout expired"):
            result = await self._evaluations.evaluate(
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
        if not request.HasField("prepared_transaction"):
            raise _invalid("a prepared transaction is required")
        if not envelope.payload or not envelope.signature:
            raise _invalid("prepared transaction must be signed")
        if request.channel_id and request.channel_id != self._access.channel_id:
            text = NO_CHANNEL_CONFIG.format(request.channel_id)
            raise GatewayError(grpc.StatusCode.FAILED_PRECONDITION, text)
        try:
            async with _deadline(SUBMIT_TIMEOUT_MS, "submit timeout expired"):
                raw = encode_envelope(envelope.payload, envelope.signature)
                await self._submission.submit(raw)
        except InvalidMessage as error:
            raise submission_error(error, *self._own) from error
        return b""

    async def _commit_status(self, raw: bytes) -> bytes:
        require_size(raw, QUESTION_BYTES_MAX)
        signed = parse_message(gateway_pb2.SignedCommitStatusRequest, raw)
        if not signed.request:
            raise _invalid("a commit status request is required")
        request = parse_message(gateway_pb2.CommitStatusRequest, signed.request)
        _require_complete(request)
        await self._access.require_reader(
            channel_id=request.channel_id,
            identity=request.identity,
            message=signed.request,
            signature=signed.signature,
        )
        fate = self._lookup.committed(request.transaction_id)
        if fate is None:
            with self.waits.place(request.identity):
                async with _deadline(STATUS_TIMEOUT_MS, "commit status timeout expired"):
                    fate = await self._notifier.wait_for_transaction(request.transaction_id)
        return _commit_status_response(fate.code, fate.block_number)

    async def _chaincode_events(self, raw: bytes, context: Context) -> None:
        try:
            require_size(raw, QUESTION_BYTES_MAX)
            signed = parse_message(gateway_pb2.SignedChaincodeEventsRequest, raw)
            if not signed.request:
                raise _invalid("a chaincode events request is required")
            request = parse_message(gateway_pb2.ChaincodeEventsRequest, signed.request)
            await self._access.require_reader(
                channel_id=request.channel_id,
                identity=request.identity,
                message=signed.request,
                signature=signed.signature,
            )
            with self.streams.place(request.identity):
                async for response in self._events.follow(request):
                    await write_in_time(context, response)
        except ClientTooSlow as error:
            self._refusals.note("ChaincodeEvents", "TOO_SLOW", str(error))
            give_up(context, error)
        except (GatewayError, InvalidMessage) as error:
            await self._refuse("ChaincodeEvents", error, context)


def _proposal(
    wire: protos_pb2.SignedProposal,
    request: gateway_pb2.EndorseRequest | gateway_pb2.EvaluateRequest,
    missing: str,
) -> SignedProposal:
    if not wire.proposal_bytes:
        raise _invalid(missing)
    proposal = decode_proposal(wire.proposal_bytes, wire.signature)
    channel = proposal.header.channel
    if request.channel_id and request.channel_id != channel.channel_id:
        raise InvalidMessage(
            Reason.MALFORMED, "the request and its proposal name different channels"
        )
    if request.transaction_id and request.transaction_id != channel.tx_id:
        raise InvalidMessage(
            Reason.BAD_TRANSACTION_ID, "the request and its proposal name different transactions"
        )
    return proposal


def _invalid(text: str) -> GatewayError:
    return GatewayError(grpc.StatusCode.INVALID_ARGUMENT, text)


def _unreadable(beginning: str, error: InvalidMessage) -> GatewayError:
    """The status of the reason, with Fabric's beginning of the text."""
    same = gateway_error(error)
    return GatewayError(same.code, f"{beginning}: {same.message}")


def _require_complete(request: gateway_pb2.CommitStatusRequest) -> None:
    if not request.identity:
        raise _invalid("no identity provided")
    if not request.channel_id:
        raise _invalid("no channel ID provided")
    if not request.transaction_id:
        raise _invalid("transaction ID should not be empty")


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
