"""One error, as gRPC shows it: status code, text and `gateway.ErrorDetail`s in the trailer.

Fabric's clients and its official scenario suite match some of these texts; they are gathered
here as compatibility strings. Which reason maps to which code is the table `CODE_BY_REASON`
(docs/errors.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import grpc
from grpc import aio

from ledger.errors import InvalidMessage, Reason
from ledger.wire.gateway_pb2 import ErrorDetail
from ledger.wire.rpc_status_pb2 import RpcStatus

STATUS_DETAILS_KEY = "grpc-status-details-bin"
ERROR_DETAIL_TYPE_URL = "type.googleapis.com/gateway.ErrorDetail"

ENDORSE_FAILED = "failed to endorse transaction, see attached details for more info"
COLLECT_FAILED = (
    "failed to collect enough transaction endorsements, see attached details for more info"
)
PAYLOADS_DIFFER = "ProposalResponsePayloads do not match"
NO_COMBINATION = "no combination of peers can be derived which satisfy the endorsement policy"
PEERS_UNAVAILABLE = (
    "failed to select a set of endorsers that satisfy the endorsement policy"
    " due to unavailability of peers: [{}]"
)
NO_ENDORSERS_OF_ORGANIZATIONS = "failed to find any endorsing peers for org(s): {}"
NO_LOCAL_ENDORSERS = (
    "no endorsers found in the gateway's organization; retry specifying endorsing organization(s)"
    " to protect transient data"
)
NOT_AMONG_READERS = (
    "requires endorsement from organisation(s) that are not in the distribution policy of the"
    " private data collection(s): [{}]; retry specifying trusted endorsing organizations to"
    " protect transient data"
)
EVALUATE_CALL_FAILED = "evaluate call to endorser returned error: "
EVALUATE_FAILED = "failed to evaluate transaction, see attached details for more info"
NO_PEERS_TO_EVALUATE = "no peers available to evaluate chaincode {} in channel {}"
NO_LOCAL_EVALUATORS = (
    "no endorsers found in the gateway's organization; retry specifying target organization(s)"
    " to protect transient data"
)
NO_PROPOSAL_TO_ENDORSE = "the proposed transaction must contain a signed proposal"
NO_PROPOSAL_TO_EVALUATE = "failed to unpack transaction proposal: a signed proposal is required"
NO_CHANNEL_CONFIG = "failed to get config for channel [{}]"
NO_QUORUM_OF_ORDERERS = (
    "insufficient number of orderers could successfully process transaction to satisfy quorum"
    " requirement"
)
ORDERER_REFUSED = "received unsuccessful response from orderer: status={}, info={}"
TOO_MANY_REQUESTS = "too many requests for {}, exceeding concurrency limit ({})"

CODE_BY_REASON: dict[Reason, grpc.StatusCode] = {
    Reason.MALFORMED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.OVERSIZED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.WRONG_CHANNEL: grpc.StatusCode.NOT_FOUND,
    Reason.UNKNOWN_MEMBER: grpc.StatusCode.PERMISSION_DENIED,
    Reason.CERTIFICATE_INVALID: grpc.StatusCode.PERMISSION_DENIED,
    Reason.CERTIFICATE_EXPIRED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.CERTIFICATE_NOT_YET_VALID: grpc.StatusCode.PERMISSION_DENIED,
    Reason.CERTIFICATE_REVOKED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.ROLE_NOT_ALLOWED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.BAD_SIGNATURE: grpc.StatusCode.PERMISSION_DENIED,
    Reason.HIGH_S_SIGNATURE: grpc.StatusCode.PERMISSION_DENIED,
    Reason.BAD_TRANSACTION_ID: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.REPLAYED: grpc.StatusCode.ALREADY_EXISTS,
    Reason.TIMESTAMP_OUT_OF_WINDOW: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.UNKNOWN_CHAINCODE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.POLICY_NOT_SATISFIED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.NO_SPACE: grpc.StatusCode.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class PeerError:
    """What one peer or orderer answered."""

    address: str
    mspid: str
    message: str


class GatewayError(Exception):
    """A gateway call fails with this status and these details."""

    def __init__(
        self, code: grpc.StatusCode, message: str, details: Sequence[PeerError] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = tuple(details)


def gateway_error(error: InvalidMessage) -> GatewayError:
    """The status of a refusal that concerns the request itself."""
    code = CODE_BY_REASON.get(error.reason, grpc.StatusCode.FAILED_PRECONDITION)
    return GatewayError(code, str(error))


async def abort(context: aio.ServicerContext[bytes, bytes], error: GatewayError) -> NoReturn:
    """End the call with the error's status and details."""
    await context.abort(error.code, error.message, trailing_metadata=_trailer(error))
    raise AssertionError("abort always raises")


def _trailer(error: GatewayError) -> tuple[tuple[str, bytes], ...]:
    if not error.details:
        return ()
    status = RpcStatus(code=error.code.value[0], message=error.message)
    for detail in error.details:
        packed = status.details.add()
        packed.type_url = ERROR_DETAIL_TYPE_URL
        packed.value = ErrorDetail(
            address=detail.address, msp_id=detail.mspid, message=detail.message
        ).SerializeToString()
    return ((STATUS_DETAILS_KEY, status.SerializeToString()),)
