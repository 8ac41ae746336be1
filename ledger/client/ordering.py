"""A client of orderer.AtomicBroadcast: one envelope in, one answer out."""

from dataclasses import dataclass

from grpc import aio

from ledger.errors import InvalidMessage, Reason
from ledger.rpc.transport import identity_bytes
from ledger.wire import common_pb2, orderer_pb2


@dataclass(frozen=True, slots=True)
class BroadcastAnswer:
    """What the peer says of an envelope."""

    is_accepted: bool
    info: str
    """Why not; empty when it is accepted."""


async def broadcast(channel: aio.Channel, envelope_raw: bytes) -> BroadcastAnswer:
    """Hand a signed envelope to ordering.

    Raises InvalidMessage when the peer answers with nothing, AioRpcError when it is gone.
    """
    call = channel.stream_stream(
        "/orderer.AtomicBroadcast/Broadcast", identity_bytes, identity_bytes
    )()
    try:
        await call.write(envelope_raw)
        raw = await call.read()
    finally:
        call.cancel()
    if raw is aio.EOF:
        raise InvalidMessage(Reason.MALFORMED, "the peer ended the stream without an answer")
    response = orderer_pb2.BroadcastResponse.FromString(raw)
    return BroadcastAnswer(response.status == common_pb2.SUCCESS, response.info)
