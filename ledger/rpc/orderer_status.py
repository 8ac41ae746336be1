"""How ordering's refusals look: common.Status on its own streams, gRPC's at the gateway."""

import grpc

from ledger.errors import InvalidMessage, Reason
from ledger.rpc.status import (
    NO_QUORUM_OF_ORDERERS,
    ORDERER_REFUSED,
    GatewayError,
    PeerError,
    gateway_error,
)
from ledger.wire import common_pb2

STATUS_BY_REASON: dict[Reason, int] = {
    Reason.MALFORMED: common_pb2.BAD_REQUEST,
    Reason.BAD_TRANSACTION_ID: common_pb2.BAD_REQUEST,
    Reason.WRONG_CHANNEL: common_pb2.NOT_FOUND,
    Reason.OVERSIZED: common_pb2.REQUEST_ENTITY_TOO_LARGE,
    Reason.OVERLOADED: common_pb2.SERVICE_UNAVAILABLE,
    Reason.NO_SPACE: common_pb2.SERVICE_UNAVAILABLE,
    Reason.REPLAYED: common_pb2.SERVICE_UNAVAILABLE,
    Reason.POLICY_NOT_SATISFIED: common_pb2.FORBIDDEN,
    Reason.CONFIG_OUTDATED: common_pb2.BAD_REQUEST,
    Reason.CONFIG_UNCHANGED: common_pb2.BAD_REQUEST,
    Reason.CONFIG_MISMATCH: common_pb2.BAD_REQUEST,
    Reason.UNKNOWN_POLICY: common_pb2.BAD_REQUEST,
    Reason.SETTING_FIXED: common_pb2.BAD_REQUEST,
    Reason.LIMIT_OUT_OF_BOUNDS: common_pb2.BAD_REQUEST,
    Reason.BLOCK_POLICY_MISMATCH: common_pb2.BAD_REQUEST,
    Reason.TOO_MANY_VALIDATOR_CHANGES: common_pb2.BAD_REQUEST,
    Reason.TOO_FEW_VALIDATORS: common_pb2.BAD_REQUEST,
    Reason.VALIDATOR_ID_REUSED: common_pb2.BAD_REQUEST,
    Reason.VALIDATOR_KEY_INVALID: common_pb2.BAD_REQUEST,
    Reason.VALIDATOR_NOT_READY: common_pb2.SERVICE_UNAVAILABLE,
    Reason.QUORUM_AT_RISK: common_pb2.SERVICE_UNAVAILABLE,
}

ALREADY_ORDERED = "failed to submit request: request already exists"
"""With SERVICE_UNAVAILABLE what Fabric's gateway counts as success, since it asks all orderers."""

FOLLOWS_ONLY = (
    "this peer follows the channel without being a validator of it; submit to a validator's peer"
)
"""With SERVICE_UNAVAILABLE: what a peer that orders nothing says; another one may take it."""

AT_ONCE = frozenset(
    (
        Reason.MALFORMED,
        Reason.OVERSIZED,
        Reason.BAD_TRANSACTION_ID,
        Reason.REPLAYED,
        Reason.OVERLOADED,
    )
)
"""Refusals with a status of their own at the gateway: nothing that other orderers could judge."""


def orderer_status(reason: Reason) -> int:
    """common.Status of a refusal."""
    return STATUS_BY_REASON.get(reason, common_pb2.FORBIDDEN)


def orderer_info(error: InvalidMessage) -> str:
    """What a Broadcast answer says of a refusal."""
    return ALREADY_ORDERED if error.reason is Reason.REPLAYED else str(error)


def orderer_refusal(reason: Reason, info: str) -> str:
    """An orderer's refusal as a gateway's ErrorDetail words it."""
    return ORDERER_REFUSED.format(common_pb2.Status.Name(orderer_status(reason)), info)


def submission_error(error: InvalidMessage, address: str, mspid: str) -> GatewayError:
    """The gateway's answer when the peer's own orderer refuses a transaction."""
    if error.reason in AT_ONCE:
        return gateway_error(error)
    detail = PeerError(address, mspid, orderer_refusal(error.reason, str(error)))
    text = f"{NO_QUORUM_OF_ORDERERS}; {error}"
    return GatewayError(grpc.StatusCode.UNAVAILABLE, text, (detail,))
