"""What a refusal of the ledger means: the contract's code, the HTTP problem, whether to retry."""

from chaincode.energy.errors import Refusal
from gateway.errors import LedgerRefusal, Problem, RequestRefused
from ledger.errors import Reason
from ledger.model.codes import ValidationCode

RETRYABLE = frozenset((ValidationCode.MVCC_READ_CONFLICT, ValidationCode.PHANTOM_READ_CONFLICT))
"""Codes after which the same wish may be prepared and signed again."""

_PROBLEM_BY_STATUS = {
    402: Problem.NOT_ENOUGH_FUNDS,
    403: Problem.FORBIDDEN,
    404: Problem.NOT_FOUND,
    409: Problem.CONFLICT,
    422: Problem.REJECTED,
}
_PROBLEM_BY_REASON = {
    Reason.MALFORMED: Problem.MALFORMED,
    Reason.OVERSIZED: Problem.MALFORMED,
    Reason.WRONG_CHANNEL: Problem.MALFORMED,
    Reason.BAD_TRANSACTION_ID: Problem.MALFORMED,
    Reason.TIMESTAMP_OUT_OF_WINDOW: Problem.MALFORMED,
    Reason.UNKNOWN_MEMBER: Problem.FORBIDDEN,
    Reason.CERTIFICATE_INVALID: Problem.FORBIDDEN,
    Reason.CERTIFICATE_EXPIRED: Problem.FORBIDDEN,
    Reason.CERTIFICATE_REVOKED: Problem.FORBIDDEN,
    Reason.ROLE_NOT_ALLOWED: Problem.FORBIDDEN,
    Reason.BAD_SIGNATURE: Problem.FORBIDDEN,
    Reason.HIGH_S_SIGNATURE: Problem.FORBIDDEN,
    Reason.POLICY_NOT_SATISFIED: Problem.FORBIDDEN,
    Reason.REPLAYED: Problem.CONFLICT,
    Reason.OVERLOADED: Problem.TOO_MANY_REQUESTS,
    Reason.NO_SPACE: Problem.LEDGER_UNAVAILABLE,
}
_PROBLEM_BY_GRPC_STATUS = {
    "INVALID_ARGUMENT": Problem.MALFORMED,
    "PERMISSION_DENIED": Problem.FORBIDDEN,
    "UNAUTHENTICATED": Problem.FORBIDDEN,
    "NOT_FOUND": Problem.NOT_FOUND,
    "ALREADY_EXISTS": Problem.CONFLICT,
    "RESOURCE_EXHAUSTED": Problem.TOO_MANY_REQUESTS,
    "DEADLINE_EXCEEDED": Problem.TIMEOUT,
    "UNAVAILABLE": Problem.LEDGER_UNAVAILABLE,
}


def refusal_code(refusal: LedgerRefusal) -> str | None:
    """The contract's own code in a refusal, such as `BIDS_CLOSED`; None for a peer's."""
    return refusal.code if refusal.code in Refusal.__members__ else None


def problem_of(refusal: LedgerRefusal) -> RequestRefused:
    """The HTTP problem of a ledger's refusal; a contract's or peer's own code comes first."""
    code, reason = refusal.code or "", refusal.reason
    if code in Refusal.__members__:
        kind = _PROBLEM_BY_STATUS.get(Refusal[code].status, Problem.REJECTED)
        return RequestRefused(kind, reason, extensions={"code": code})
    if code in Reason.__members__:
        kind = _PROBLEM_BY_REASON.get(Reason[code], Problem.REJECTED)
        return _refused(kind, reason, {"code": code})
    kind = _PROBLEM_BY_GRPC_STATUS.get(refusal.status, Problem.REJECTED)
    return _refused(kind, refusal.cause, {})


def _refused(kind: Problem, detail: str, extensions: dict[str, object]) -> RequestRefused:
    headers = {"Retry-After": "1"} if kind is Problem.TOO_MANY_REQUESTS else {}
    return RequestRefused(kind, detail, headers=headers, extensions=extensions)
