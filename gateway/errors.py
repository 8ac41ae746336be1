"""Why a request is refused: one table of problems, served as RFC 9457 `type` URIs.

`GET /problems` lists the table, `/problems/<slug>` explains one entry; docs/gateway.md repeats it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

# A code stands at the start, or after what a peer or an orderer puts before it.
_NAMED_REASON = re.compile(
    r"(?:^|[,;:] |info=)(?P<code>[A-Z][A-Z0-9_]{2,40}): (?P<text>[^\n]{0,400})"
)


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One `type`: a stable slug, the HTTP status it always has, a title and what to do."""

    slug: str
    status: int
    title: str
    advice: str


class Problem(Enum):
    """Every problem this gateway answers with."""

    MALFORMED = ProblemKind(
        "malformed-request", 400, "The request cannot be read", "Send what the API describes."
    )
    NOT_SIGNED_IN = ProblemKind(
        "not-signed-in", 401, "Sign in first", "Open the login link you were given."
    )
    LINK_INVALID = ProblemKind(
        "login-link-invalid", 401, "This login link is used or unknown", "Ask for a new link."
    )
    LETTER_INVALID = ProblemKind(
        "enrolment-code-invalid",
        401,
        "This enrolment code is used, expired or unknown",
        "Ask the community's manager for a new letter.",
    )
    LOGIN_FAILED = ProblemKind(
        "login-failed", 401, "Name and password do not fit", "Try again, or use a passkey."
    )
    NOT_ENOUGH_FUNDS = ProblemKind(
        "not-enough-funds", 402, "The free balance is too small", "Bid less or deposit first."
    )
    FORBIDDEN = ProblemKind(
        "forbidden", 403, "Not allowed for this identity", "Use an identity with this right."
    )
    CROSS_SITE = ProblemKind(
        "cross-site-request",
        403,
        "Another site sent this request",
        "Open this gateway's own page.",
    )
    NOT_FOUND = ProblemKind(
        "not-found", 404, "There is nothing here", "Check the address and the identifiers."
    )
    METHOD_NOT_ALLOWED = ProblemKind(
        "method-not-allowed", 405, "This address does not take that method", "See `Allow`."
    )
    CONFLICT = ProblemKind(
        "conflict", 409, "The ledger's state does not allow it", "Read the state, then decide."
    )
    TRANSACTION_CONFLICT = ProblemKind(
        "transaction-conflict",
        409,
        "Another transaction changed the same state first",
        "Nothing was changed: prepare, sign and submit again.",
    )
    IN_PROGRESS = ProblemKind(
        "request-in-progress", 409, "The same request is being answered", "Wait, then repeat it."
    )
    BODY_TOO_LARGE = ProblemKind(
        "body-too-large", 413, "The body exceeds the limit", "Send less than the named limit."
    )
    UNSUPPORTED_MEDIA = ProblemKind(
        "unsupported-media-type", 415, "The body is not JSON", "Send application/json."
    )
    INVALID = ProblemKind(
        "invalid-request", 422, "A value is missing or out of range", "`errors` names the fields."
    )
    KEY_REUSED = ProblemKind(
        "idempotency-key-reused",
        422,
        "This Idempotency-Key was used for another request",
        "Make a new key for every new request.",
    )
    TOO_MANY_REQUESTS = ProblemKind(
        "too-many-requests", 429, "Too many requests", "Wait `Retry-After` seconds."
    )
    LOGIN_LOCKED = ProblemKind(
        "login-locked",
        429,
        "Too many wrong passwords in a row",
        "Wait `Retry-After` seconds, or use a passkey.",
    )
    REJECTED = ProblemKind(
        "rejected-by-ledger", 422, "The ledger refused the transaction", "`detail` says why."
    )
    INTERNAL = ProblemKind(
        "internal-error", 500, "The gateway failed", "Nothing is known to have changed; retry."
    )
    PLUG_SERVICE_FAILED = ProblemKind(
        "plug-service-failed",
        500,
        "The service of the plug's maker failed",
        "Retry later; the plug itself may be well.",
    )
    LEDGER_UNAVAILABLE = ProblemKind(
        "ledger-unavailable", 503, "No peer answers", "Retry later; nothing was changed."
    )
    DATABASE_UNAVAILABLE = ProblemKind(
        "database-unavailable",
        503,
        "The gateway's database does not answer",
        "Retry after `Retry-After` seconds; what a replica knows can be read meanwhile.",
    )
    CATCHING_UP = ProblemKind(
        "catching-up",
        503,
        "This gateway has not read the newest blocks yet",
        "Ask another gateway, or retry after `Retry-After` seconds.",
    )
    ISSUER_UNAVAILABLE = ProblemKind(
        "certificate-authority-unavailable",
        503,
        "The member's certificate authority does not answer",
        "Retry later; the request is kept.",
    )
    TIMEOUT = ProblemKind(
        "ledger-timeout",
        504,
        "The ledger did not answer in time",
        "Ask for the transaction's status before sending it again.",
    )


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: where (JSON pointer) and why."""

    pointer: str
    detail: str


class RequestRefused(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """A request ends with this problem; `detail` is one sentence for a person."""

    def __init__(
        self,
        problem: Problem,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{problem.value.slug}: {detail}")
        self.problem = problem
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})
        self.extensions = dict(extensions or {})


class LedgerRefusal(Exception):  # noqa: N818 - an answer of the ledger, not a fault
    """A peer's answer to an endorse, submit or evaluate call that did not succeed.

    `status` is the gRPC status name; `details` are (address, member, message) of the peers. `code`
    is the stable name a contract or a peer gives its reason, `reason` what it says about it; None
    and the whole cause where there is no such name. Fabric's messages carry both as one text
    (`chaincode response 409, BIDS_CLOSED: no more orders`): it is taken apart here, nowhere else.
    """

    def __init__(
        self, status: str, message: str, details: tuple[tuple[str, str, str], ...] = ()
    ) -> None:
        super().__init__(f"{status}: {message} {[detail[2] for detail in details] or ''}".strip())
        self.status = status
        self.message = message
        self.details = details
        named = _NAMED_REASON.search(self.cause)
        self.code: str | None = named["code"] if named else None
        self.reason: str = named["text"] if named else self.cause

    @property
    def cause(self) -> str:
        """Peers' own words first: they name the reason."""
        return self.details[0][2] if self.details else self.message
