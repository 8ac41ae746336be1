"""orderer.AtomicBroadcast/Broadcast: envelopes into ordering, as Fabric's CLI and SDKs send them.

Ordering happens inside the validator peers, so every peer answers this service.
"""

from collections.abc import AsyncIterator

import grpc
from grpc import aio

from ledger.errors import InvalidMessage, Reason
from ledger.rpc.ports import Submission
from ledger.rpc.status import GatewayError
from ledger.rpc.transport import identity_bytes
from ledger.wire import common_pb2, orderer_pb2

STATUS_BY_REASON: dict[Reason, int] = {
    Reason.MALFORMED: common_pb2.BAD_REQUEST,
    Reason.BAD_TRANSACTION_ID: common_pb2.BAD_REQUEST,
    Reason.WRONG_CHANNEL: common_pb2.NOT_FOUND,
    Reason.OVERSIZED: common_pb2.REQUEST_ENTITY_TOO_LARGE,
    Reason.OVERLOADED: common_pb2.SERVICE_UNAVAILABLE,
    Reason.REPLAYED: common_pb2.BAD_REQUEST,
}


class BroadcastService:
    """Answers each envelope with one BroadcastResponse, in order."""

    def __init__(self, submission: Submission) -> None:
        self._submission = submission

    async def broadcast(
        self, requests: AsyncIterator[bytes], context: aio.ServicerContext[bytes, bytes]
    ) -> AsyncIterator[bytes]:
        """The stream handler."""
        async for raw in requests:
            yield (await self._answer(raw)).SerializeToString()

    async def _answer(self, raw: bytes) -> orderer_pb2.BroadcastResponse:
        try:
            await self._submission.submit(raw)
        except InvalidMessage as error:
            status = STATUS_BY_REASON.get(error.reason, common_pb2.FORBIDDEN)
            return _response(status, str(error))
        except GatewayError as error:
            return _response(common_pb2.SERVICE_UNAVAILABLE, error.message)
        return _response(common_pb2.SUCCESS, "")


def broadcast_handlers(
    broadcast: BroadcastService, deliver: grpc.RpcMethodHandler
) -> grpc.GenericRpcHandler:
    """The handler table of orderer.AtomicBroadcast (its Deliver is `deliver_service`'s)."""
    return grpc.method_handlers_generic_handler(
        "orderer.AtomicBroadcast",
        {
            "Broadcast": grpc.stream_stream_rpc_method_handler(
                broadcast.broadcast, identity_bytes, identity_bytes
            ),
            "Deliver": deliver,
        },
    )


def _response(status: int, info: str) -> orderer_pb2.BroadcastResponse:
    response = orderer_pb2.BroadcastResponse(info=info)
    response.status = status  # type: ignore[assignment]  # Fabric's numbers
    return response
