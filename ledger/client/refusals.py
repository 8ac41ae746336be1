"""Why a peer refused a call: what each of the peers it asked said."""

from typing import Any

from grpc import aio

from ledger.rpc.status import STATUS_DETAILS_KEY, PeerError
from ledger.wire.gateway_pb2 import ErrorDetail
from ledger.wire.rpc_status_pb2 import RpcStatus


def peer_errors(error: aio.AioRpcError) -> list[PeerError]:
    """What each peer or orderer answered; empty when the peer itself refused.

    Raises DecodeError when the trailer is not Fabric's.
    """
    trailer: Any = error.trailing_metadata() or ()
    packed = [
        part.value
        for key, value in trailer
        if key == STATUS_DETAILS_KEY
        for part in RpcStatus.FromString(value).details
    ]
    details = [ErrorDetail.FromString(value) for value in packed]
    return [PeerError(one.address, one.msp_id, one.message) for one in details]


def reasons(error: aio.AioRpcError) -> str:
    """Peers' own words, each once; the call's own text where no peer said anything."""
    said = dict.fromkeys(one.message for one in peer_errors(error))
    return "; ".join(said) or error.details() or error.code().name
