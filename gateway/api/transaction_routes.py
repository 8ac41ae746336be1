"""Writing: prepare, endorse, submit, follow. All keys are the client's."""

import asyncio
import base64
from enum import StrEnum
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response, status

from gateway.api.access import LiveServices, MaybeSignedIn, UsedServices, may_relay
from gateway.api.ledger_answers import Channel
from gateway.api.schemas import (
    PAGE_DEFAULT,
    BidRequest,
    Creator,
    OfferRequest,
    Page,
    PageLimit,
    ProposalRequest,
    QueryAnswer,
    SignedProposalBody,
    SignedTransactionBody,
    ToSign,
    TransactionStatus,
    also_refused,
)
from gateway.api.views import event_payload, transaction_status
from gateway.errors import Problem, RequestRefused
from gateway.ledger_access.refusals import RETRYABLE
from gateway.readmodel.records import Position, TransactionRecord
from gateway.services import Services
from gateway.transactions.contract_functions import FunctionDescription, described_functions
from gateway.transactions.insight import insight
from gateway.transactions.submitting import Prepared
from ledger.crypto.hashing import sha256
from ledger.model.codes import ValidationCode

WAIT_MS_DEFAULT = 10_000
WAIT_MS_MAX = 60_000
REFUSED_BY_THE_LEDGER = (402, 403, 404, 409, 504)
"""Beside 422: what the contract and the peers may answer (`gateway.ledger_access.refusals`)."""

router = APIRouter(prefix="/v1", tags=["transactions"])

POSITION_PATTERN = r"^[0-9]{1,15}:[0-9]{1,6}$"
ValidationCodeName = StrEnum(  # type: ignore[misc] # the names of another enumeration
    "ValidationCodeName", {code.name: code.name for code in ValidationCode}
)

TransactionId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]


@router.get("/functions")
def functions() -> list[FunctionDescription]:
    """Every function of the contracts: what `POST /v1/proposals` may name, with its arguments."""
    return list(described_functions())


@router.post(
    "/queries",
    dependencies=[Depends(may_relay)],
    openapi_extra=also_refused(*REFUSED_BY_THE_LEDGER),
)
async def query(body: SignedProposalBody, services: LiveServices) -> QueryAnswer:
    """A contract's answer to a signed proposal; one peer is asked, nothing is ordered.

    The signer's rights count, as for a transaction.
    """
    answer = await services.transactions.evaluate(
        base64.b64decode(body.proposal), base64.b64decode(body.signature)
    )
    return QueryAnswer(
        result=base64.b64encode(answer).decode("ascii"), content=event_payload(answer)
    )


@router.post("/proposals")
def prepare_proposal(body: ProposalRequest, services: UsedServices) -> ToSign:
    """A proposal for any contract function, for the client to sign."""
    return _prepared(services, body.creator, body.function, body.args)


@router.get("/channel")
def channel(services: LiveServices) -> Channel:
    """What a client that builds its own proposals has to name in them."""
    return Channel(**services.transactions.channel())


@router.post("/offers/prepare")
def prepare_offer(body: OfferRequest, services: UsedServices) -> ToSign:
    """A proposal for `market:place_offer`."""
    args = [body.listing_id, body.res_id, str(body.energy_wh), str(body.price_utoken_per_kwh)]
    return _prepared(services, body.creator, "market:place_offer", args)


@router.post("/bids/prepare")
def prepare_bid(body: BidRequest, services: UsedServices) -> ToSign:
    """A proposal for `market:place_bid`."""
    args = [body.listing_id, str(body.energy_wh), str(body.price_utoken_per_kwh)]
    return _prepared(services, body.creator, "market:place_bid", args)


@router.post(
    "/transactions/endorse",
    dependencies=[Depends(may_relay)],
    openapi_extra=also_refused(*REFUSED_BY_THE_LEDGER),
)
async def endorse(body: SignedProposalBody, services: LiveServices) -> ToSign:
    """Peers simulate a signed proposal; the answer is the transaction to sign."""
    return _to_sign(
        await services.transactions.endorse(
            base64.b64decode(body.proposal), base64.b64decode(body.signature)
        )
    )


@router.post(
    "/transactions",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=[Depends(may_relay)],
    responses={200: {"model": TransactionStatus, "description": "It is in a block"}},
    openapi_extra=also_refused(*REFUSED_BY_THE_LEDGER),
)
async def submit(
    body: SignedTransactionBody,
    services: LiveServices,
    response: Response,
    wait: Literal["committed"] | None = None,
    timeout_ms: Annotated[int, Query(ge=1, le=WAIT_MS_MAX)] = WAIT_MS_DEFAULT,
) -> TransactionStatus:
    """Hand a signed transaction to ordering.

    202 with `Location`; with `wait=committed` 200 once it is in a block, still 202 at the timeout.
    A transaction recorded as invalid is a problem with its code: it changed nothing.
    """
    tx_id = await services.transactions.submit(
        base64.b64decode(body.payload), base64.b64decode(body.signature)
    )
    response.headers["Location"] = f"/v1/transactions/{tx_id}"
    if wait is None:
        return TransactionStatus(transaction_id=tx_id, status="submitted")
    record = await services.transactions.committed(tx_id, timeout_ms)
    if record is None:
        return TransactionStatus(transaction_id=tx_id, status="submitted")
    if record.code is not ValidationCode.VALID:
        raise await asyncio.to_thread(_recorded_as_invalid, services, record)
    response.status_code = status.HTTP_200_OK
    return transaction_status(record, inside=True)


@router.get("/transactions/{tx_id}")
def transaction(
    tx_id: TransactionId, services: UsedServices, viewer: MaybeSignedIn
) -> TransactionStatus:
    """What became of a transaction. What it says is for those whom it concerns."""
    record = services.transactions.find(tx_id)
    if record is None:
        return TransactionStatus(transaction_id=tx_id, status="submitted")
    sees = insight(services.readmodel, viewer, [record])
    return transaction_status(record, inside=sees(record))


@router.get("/transactions")
def transactions(
    services: UsedServices,
    viewer: MaybeSignedIn,
    after: Annotated[str | None, Query(pattern=POSITION_PATTERN)] = None,
    limit: PageLimit = PAGE_DEFAULT,
    function: Annotated[str | None, Query(max_length=128)] = None,
    member: Annotated[str | None, Query(max_length=128)] = None,
    code: ValidationCodeName | None = None,
) -> Page[TransactionStatus]:
    """Transactions, the newest first; `after` is the `next` of the page before."""
    found = services.readmodel.transactions(
        below=Position.of_cursor(after),
        limit=limit,
        function=function,
        member=member,
        code=None if code is None else ValidationCode[code.value],
    )
    sees = insight(services.readmodel, viewer, found.items)
    return Page(
        items=[transaction_status(each, inside=sees(each)) for each in found.items],
        next=found.next,
        height=services.readmodel.height,
    )


def _prepared(services: Services, creator: Creator, function: str, args: list[str]) -> ToSign:
    return _to_sign(
        services.transactions.prepare(
            mspid=creator.mspid,
            certificate_pem=creator.certificate_pem,
            function=function,
            args=args,
        )
    )


def _to_sign(prepared: Prepared) -> ToSign:
    return ToSign(
        transaction_id=prepared.tx_id,
        to_sign=base64.b64encode(prepared.to_sign).decode("ascii"),
        sha256=sha256(prepared.to_sign).hex(),
    )


def _recorded_as_invalid(services: Services, record: TransactionRecord) -> RequestRefused:
    place = {"transaction_id": record.tx_id, "block_number": record.block_number}
    taken = services.marketplace.lost_to_another(record, services.clock_ms())
    if taken is not None:
        lost = place | {"code": taken.name}
        return RequestRefused(Problem.CONFLICT, taken.text, extensions=lost)
    retryable = record.code in RETRYABLE
    return RequestRefused(
        Problem.TRANSACTION_CONFLICT if retryable else Problem.REJECTED,
        f"recorded as {record.code.name} in block {record.block_number}; nothing was changed",
        extensions=place | {"code": record.code.name, "is_retryable": retryable},
    )
