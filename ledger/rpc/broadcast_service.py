"""orderer.AtomicBroadcast/Broadcast: envelopes into ordering, as Fabric's CLI and SDKs send them.

Ordering happens inside the validator peers, so every peer answers this service.
"""

from collections.abc import AsyncIterator

import grpc

from ledger.errors import InvalidMessage
from ledger.rpc.client_limits import (
    CALL_BYTES_MAX,
    ClientLimits,
    RefusalCounter,
    Slots,
    require_size,
)
from ledger.rpc.client_streams import (
    ClientTooSlow,
    Context,
    first_in_time,
    give_up,
    write_in_time,
)
from ledger.rpc.orderer_status import orderer_info, orderer_status
from ledger.rpc.ports import Submission
from ledger.rpc.status import GatewayError, abort, gateway_error
from ledger.rpc.transport import identity_bytes
from ledger.wire import common_pb2, orderer_pb2

BROADCAST = "/orderer.AtomicBroadcast"


class BroadcastService:
    """Answers each envelope with one BroadcastResponse; a refusal ends the stream, as Fabric's."""

    def __init__(
        self,
        submission: Submission,
        *,
        calls: Slots | None = None,
        limits: ClientLimits | None = None,
        refusals: RefusalCounter | None = None,
    ) -> None:
        """`calls` are the places for work that all services of the peer share."""
        allowed = limits or ClientLimits()
        self._submission = submission
        self._refusals = refusals or RefusalCounter()
        self._calls = calls or Slots(BROADCAST, total=allowed.calls_max)
        self._streams = Slots(BROADCAST, total=allowed.opening_streams_max)

    async def broadcast(self, requests: AsyncIterator[bytes], context: Context) -> None:
        """The stream handler."""
        try:
            with self._streams.place():
                raw = await first_in_time(requests)
                while raw is not None:
                    answer = await self._answer(raw)
                    await write_in_time(context, answer.SerializeToString())
                    if answer.status != common_pb2.SUCCESS:
                        return
                    raw = await anext(requests, None)
        except ClientTooSlow as error:
            self._refusals.note("Broadcast", "TOO_SLOW", str(error))
            give_up(context, error)
        except InvalidMessage as error:
            self._refusals.note("Broadcast", error.reason, error.detail)
            await abort(context, gateway_error(error))

    async def _answer(self, raw: bytes) -> orderer_pb2.BroadcastResponse:
        try:
            require_size(raw, CALL_BYTES_MAX)
            with self._calls.place():
                await self._submission.submit(raw)
        except InvalidMessage as error:
            self._refusals.note("Broadcast", error.reason, error.detail)
            return _response(orderer_status(error.reason), orderer_info(error))
        except GatewayError as error:
            self._refusals.note("Broadcast", error.code.name, error.message)
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
