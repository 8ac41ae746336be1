"""JSON bodies of the API. Energy in Wh, money in micro-tokens, price in micro-tokens per kWh.

Amounts stay below 2^53, so that a browser's numbers hold them exactly. Bytes are base64.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.functional_validators import AfterValidator

from gateway.errors import Problem, RequestRefused
from gateway.identity.passkeys import LABEL_CHARACTERS_MAX
from gateway.transactions.contract_functions import described_functions

PROBLEM_REFERENCE = "#/components/responses/{name}"
"""Of the problem with a status, as `described_app.py` describes it."""
AMOUNT_MAX = 2**53 - 1
CERTIFICATE_CHARACTERS_MAX = 8_192
BASE64_CHARACTERS_MAX = 200_000
ARGUMENTS_MAX = 32
PAGE_DEFAULT, PAGE_MAX = 50, 500

S = TypeVar("S")
T = TypeVar("T")


def _is_base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("not base64") from error
    return text


Base64 = Annotated[
    str,
    StringConstraints(min_length=4, max_length=BASE64_CHARACTERS_MAX),
    AfterValidator(_is_base64),
]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
DeviceLabel = Annotated[
    str, StringConstraints(max_length=LABEL_CHARACTERS_MAX, pattern=r"^[^\x00-\x1f\x7f]*$")
]
"""A person's own word for a browser or a passkey: a line of text."""
PageLimit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
PageAfter = Annotated[str | None, Query(max_length=256)]
"""The `next` of the page before."""
Amount = Annotated[int, Field(strict=True, gt=0, le=AMOUNT_MAX)]


class Body(BaseModel):
    """A request body: unknown members are refused, values are not converted."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Creator(Body):
    """Whose transaction it is: the certificate, never the key."""

    mspid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9.-]{0,63}$")]
    certificate_pem: Annotated[
        str,
        StringConstraints(
            pattern=r"^-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$",
            max_length=CERTIFICATE_CHARACTERS_MAX,
        ),
    ]


class ProposalRequest(Body):
    """Any contract function by name."""

    creator: Creator
    function: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z]+:[A-Za-z_]+$", max_length=64),
        Field(json_schema_extra={"examples": [each.name for each in described_functions()]}),
    ]
    args: Annotated[
        list[Annotated[str, StringConstraints(max_length=BASE64_CHARACTERS_MAX)]],
        Field(max_length=ARGUMENTS_MAX),
    ]


class OfferRequest(Body):
    """Sell at least at this price."""

    creator: Creator
    listing_id: Identifier
    res_id: Identifier
    energy_wh: Amount
    price_utoken_per_kwh: Amount


class BidRequest(Body):
    """Buy at most at this price; price x energy is locked."""

    creator: Creator
    listing_id: Identifier
    energy_wh: Amount
    price_utoken_per_kwh: Amount


class FieldProblem(BaseModel):
    """One wrong field: where (JSON pointer) and why."""

    pointer: str
    detail: str


class ProblemDocument(BaseModel):
    """A problem (RFC 9457). `code` is the contract's or the peer's own reason (docs/errors.md)."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    title: str
    status: int
    detail: str
    instance: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    errors: list[FieldProblem] = []
    code: str | None = None


class ToSign(BaseModel):
    """Bytes to sign: ECDSA P-256 over SHA-256, DER, low S. `sha256` is their digest, hex."""

    transaction_id: str
    to_sign: str
    sha256: str


class SignedProposalBody(Body):
    """A proposal and its creator's signature."""

    proposal: Base64
    signature: Base64


class QueryAnswer(BaseModel):
    """What a contract answered: its bytes, and what they say if they are JSON."""

    result: str
    content: Any | None


class SignedTransactionBody(Body):
    """An endorsed payload and its creator's signature."""

    payload: Base64
    signature: Base64


class TransactionStatus(BaseModel):
    """`status` is submitted, valid or invalid; `code` is Fabric's validation code."""

    transaction_id: str
    status: str
    code: str | None = None
    is_retryable: bool = False
    block_number: int | None = None
    index: int | None = None
    function: str | None = None
    arguments: list[str] | None = None
    member: str | None = None
    timestamp_ms: int | None = None
    event: str | None = None
    event_payload: Any | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing; `next` is the cursor for `after`, `None` at the end."""

    items: list[T]
    next: str | None
    height: int


def also_refused(*statuses: int) -> dict[str, Any]:
    """`openapi_extra` of a route that answers with problems beside those of every route."""
    problems = {str(each): PROBLEM_REFERENCE.format(name=f"Problem{each}") for each in statuses}
    return {"responses": {status: {"$ref": name} for status, name in problems.items()}}


def page_of(
    found: Sequence[S],
    *,
    after: str | None,
    limit: int,
    cursor: Callable[[S], str],
    show: Callable[[S], T],
    height: int,
) -> Page[T]:
    """The part of an ordered list behind the row whose cursor is `after`.

    422 when there is no such row (any more): begin at the first page again.
    """
    start = 0
    if after is not None:
        cursors = [cursor(row) for row in found]
        if after not in cursors:
            raise RequestRefused(Problem.INVALID, "after: there is no such row in the list")
        start = cursors.index(after) + 1
    part = found[start : start + limit]
    is_last = start + limit >= len(found)
    return Page([show(row) for row in part], None if is_last else cursor(part[-1]), height)
