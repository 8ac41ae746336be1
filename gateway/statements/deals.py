"""What a household sold and bought on the marketplace, deal by deal (docs/marketplace.md).

Energy in Wh, money in micro-tokens.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from chaincode.energy import records
from chaincode.energy.marketplace.posts import post_key
from chaincode.energy.marketplace.records import BUY, DEALT, SELL, Post, PostState
from gateway.books.ledger_records import LedgerRecords

OVER = frozenset({PostState.SETTLED, PostState.REFUNDED})


@dataclass(frozen=True, slots=True)
class HouseholdDeal:
    """One deal seen from one side; `side` is sell or buy.

    What is not settled yet has no `delivered_wh` and no amounts. A household's `amount_utoken` is
    what it got for energy, negative what it paid; `refunded_utoken` came back to the buyer.
    `block_number` and `index` are where the post was last changed.
    """

    post_id: str
    hour: str
    side: str
    state: str
    other_idgrid: str
    energy_wh: int
    price_utoken: int
    delivered_wh: int | None
    amount_utoken: int
    refunded_utoken: int
    block_number: int
    index: int

    @property
    def is_over(self) -> bool:
        """Whether nothing changes any more."""
        return self.state in OVER


@dataclass(frozen=True, slots=True)
class DealSums:
    """Deals added up; `waiting` are not settled, `balance_utoken` is what the account got."""

    count: int
    waiting: int
    sold_wh: int
    bought_wh: int
    received_utoken: int
    paid_utoken: int
    refunded_utoken: int
    balance_utoken: int


def deals_of(ledger: LedgerRecords, idgrid: str, month: str = "") -> list[HouseholdDeal]:
    """A household's deals by hour; with `month` (YYYY-MM, UTC) those delivered in it."""
    found = []
    for key, _ in ledger.under("deal", idgrid):
        _, _, hour, post_id = key.split("~")
        place = post_key(post_id)
        entry = ledger.entry(place) if place and hour.startswith(month) else None
        if entry is not None:
            post = records.decode(Post, entry.value)
            version = entry.version
            found.append(_deal(post, idgrid, version.block_number, version.tx_number))
    return found


def deal_sums(deals: Iterable[HouseholdDeal]) -> DealSums:
    """Deals added up."""
    found = list(deals)
    sold = [deal for deal in found if deal.side == SELL]
    bought = [deal for deal in found if deal.side == BUY]
    return DealSums(
        count=len(found),
        waiting=sum(not deal.is_over for deal in found),
        sold_wh=sum(deal.delivered_wh or 0 for deal in sold),
        bought_wh=sum(deal.delivered_wh or 0 for deal in bought),
        received_utoken=sum(deal.amount_utoken for deal in sold),
        paid_utoken=-sum(deal.amount_utoken for deal in bought),
        refunded_utoken=sum(deal.refunded_utoken for deal in found),
        balance_utoken=sum(deal.amount_utoken for deal in found),
    )


def posts_dealt(ledger: LedgerRecords, month: str) -> list[Post]:
    """Every deal of the community delivered in a month: bound, settled or refunded."""
    found = [
        records.decode(Post, entry.value)
        for key, entry in ledger.under("post")
        if key.split("~")[1].startswith(f"{month}-")
    ]
    return [post for post in found if post.state in OVER or post.state in DEALT]


def _deal(post: Post, idgrid: str, block_number: int, index: int) -> HouseholdDeal:
    is_seller = post.seller_idgrid == idgrid
    other = post.buyer_idgrid if is_seller else post.seller_idgrid
    paid = post.paid_utoken or 0
    is_over = post.state in OVER
    return HouseholdDeal(
        post_id=post.post_id,
        hour=post.hour,
        side=SELL if is_seller else BUY,
        state=post.state,
        other_idgrid=other or "",
        energy_wh=post.energy_wh,
        price_utoken=post.price_utoken,
        delivered_wh=post.delivered_wh,
        amount_utoken=paid if is_seller else -paid,
        refunded_utoken=post.price_utoken - paid if is_over and not is_seller else 0,
        block_number=block_number,
        index=index,
    )
