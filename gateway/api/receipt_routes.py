"""Receipts as files and as QR codes, and the validators they are checked against."""

import base64
from io import BytesIO
from typing import Annotated, Any, Literal

import segno
from fastapi import APIRouter, Path, Query, Request, Response

from chaincode.energy import keys
from gateway.api.access import OwnReader, UsedServices, require_sight
from gateway.api.ledger_answers import ValidatorList
from gateway.api.marketplace_routes import PostId
from gateway.errors import Problem, RequestRefused
from ledger.crypto.hashing import sha256
from ledger.receipts.trust import encode_trust

RECEIPT_TYPE = "application/vnd.gridledger.receipt"
QR_CHARACTERS_MAX = 2_900
"""A little below what the largest code (177 modules, level L) holds."""
REVISIONS_MAX = 9_999

router = APIRouter(prefix="/v1", tags=["receipts"])

ListingId = Annotated[str, Path(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}$")]
TransactionId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
FileKind = Annotated[Literal["receipt", "qr"], Query()]

RECEIPT_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            RECEIPT_TYPE: {"schema": {"type": "string", "format": "binary"}},
            "image/svg+xml": {"schema": {"type": "string"}},
        }
    }
}


@router.get(
    "/settlements/{listing_id}/receipt",
    response_class=Response,
    responses=RECEIPT_FILES,
)
def settlement_receipt(
    listing_id: ListingId,
    request: Request,
    services: UsedServices,
    viewer: OwnReader,
    idgrid: Annotated[str | None, Query(pattern=r"^[A-Z0-9-]{4,32}$")] = None,
    revision: Annotated[int | None, Query(ge=1, le=REVISIONS_MAX)] = None,
    file: FileKind = "receipt",
) -> Response:
    """Proof of a household's line of a settled hour, or of a correction of it."""
    household = idgrid or viewer.idgrid
    require_sight(viewer, household)
    key = keys.settlement_line(household, listing_id)
    if revision is not None:
        key = keys.correction(household, listing_id, revision)
    made = services.receipts.of_value(key)
    return _answer(request, made, f"receipt-{listing_id}-{household}", file)


@router.get(
    "/marketplace/posts/{post_id}/receipt",
    response_class=Response,
    responses=RECEIPT_FILES,
)
def deal_receipt(
    post_id: PostId,
    request: Request,
    services: UsedServices,
    viewer: OwnReader,
    file: FileKind = "receipt",
) -> Response:
    """Proof of what a deal came to, for its two parties and the manager; it names both."""
    post = services.marketplace.post(post_id)
    if post is None:
        raise RequestRefused(Problem.NOT_FOUND, f"there is no offer or request {post_id}")
    parties = [name for name in (post.seller_idgrid, post.buyer_idgrid) if name]
    if not any(viewer.may_see(name) for name in parties):
        raise RequestRefused(Problem.FORBIDDEN, f"{post_id} is between other households")
    hour, _, number = post_id.partition(".")
    made = services.receipts.of_value(keys.post(hour, number))
    return _answer(request, made, f"receipt-{post_id}", file)


@router.get(
    "/transactions/{tx_id}/receipt",
    response_class=Response,
    responses=RECEIPT_FILES,
)
def transaction_receipt(
    tx_id: TransactionId, request: Request, services: UsedServices, file: FileKind = "receipt"
) -> Response:
    """Proof that the ledger took a transaction, or refused it."""
    made = services.receipts.of_transaction(tx_id)
    return _answer(request, made, f"receipt-{tx_id[:12]}", file)


@router.get("/validators", response_model=ValidatorList)
def validators(services: UsedServices) -> Response:
    """Who may seal which blocks. Compare its fingerprint with one from elsewhere."""
    trusted = services.receipts.validators()
    return Response(encode_trust(trusted), media_type="application/json")


def _answer(request: Request, made: bytes, name: str, file: str) -> Response:
    if file == "qr":
        return Response(_qr(request, made), media_type="image/svg+xml")
    disposition = {"content-disposition": f'attachment; filename="{name}.receipt"'}
    return Response(made, media_type=RECEIPT_TYPE, headers=disposition)


def _qr(request: Request, content: bytes) -> bytes:
    """A link whose fragment is the receipt, or, if that is too long, its address and hash."""
    page = f"{request.base_url}receipt"
    packed = base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
    link = f"{page}#r={packed}"
    if len(link) > QR_CHARACTERS_MAX:
        query = str(request.query_params).replace("file=qr", "file=receipt")
        link = f"{page}#h={sha256(content).hex()}&u={request.url.path}?{query}"
    drawn = BytesIO()
    segno.make(link, error="l", micro=False, boost_error=False).save(
        drawn, kind="svg", scale=4, border=4, light="white", dark="black", svgclass=None,
        lineclass=None, omitsize=False,
    )  # fmt: skip
    return drawn.getvalue()
