"""What a household can do with a post, in the words of the source documents' tables. Pure.

Offers: Buy, Delete, Purchased. Requests: Request to Sell, Requested for Sell, Delete, Sold
(004:440-467, 004:690-711, E036). Reserved, Deleted and Expired are ours.
"""

from enum import StrEnum

from chaincode.energy.marketplace.records import DEALT, Post, PostKind, PostState

_FINISHED = DEALT | {PostState.SETTLED, PostState.REFUNDED}


class Label(StrEnum):
    """The text of the action or state in the table of offers or requests."""

    BUY = "Buy"
    DELETE = "Delete"
    PURCHASED = "Purchased"
    REQUEST_TO_SELL = "Request to Sell"
    REQUESTED_FOR_SELL = "Requested for Sell"
    SOLD = "Sold"
    RESERVED = "Reserved"
    DELETED = "Deleted"
    EXPIRED = "Expired"


def is_reserved(post: Post, now_ms: int) -> bool:
    """Whether the post is held for one household; a reservation ends by itself."""
    return post.state == PostState.RESERVED and now_ms < post.reserved_until_ms


def taker_of(post: Post) -> str | None:
    """The household on the other side of the owner, if there is one."""
    return post.buyer_idgrid if post.kind == PostKind.OFFER else post.seller_idgrid


def label_for(post: Post, *, viewer_idgrid: str | None, now_ms: int) -> Label:
    """What this viewer sees; None is a visitor, who sees what any other household would."""
    if post.state in _FINISHED:
        return Label.PURCHASED if post.kind == PostKind.OFFER else Label.SOLD
    if post.state == PostState.DELETED:
        return Label.DELETED
    if post.state == PostState.EXPIRED or now_ms >= post.delivery_start_ms:
        return Label.EXPIRED
    return _open_label(post, viewer_idgrid, now_ms)


def _open_label(post: Post, viewer_idgrid: str | None, now_ms: int) -> Label:
    is_owner = viewer_idgrid == post.owner_idgrid
    if is_reserved(post, now_ms):
        if post.kind == PostKind.REQUEST:
            return Label.REQUESTED_FOR_SELL
        return Label.BUY if viewer_idgrid == taker_of(post) else Label.RESERVED
    if is_owner:
        return Label.DELETE
    return Label.BUY if post.kind == PostKind.OFFER else Label.REQUEST_TO_SELL
