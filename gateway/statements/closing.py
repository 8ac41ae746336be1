"""Whether the books close: deals against what they may be, accounts against all that moved them.

Energy in Wh, money in micro-tokens.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chaincode.energy import records
from chaincode.energy.marketplace.records import DEALT, Post, PostState
from chaincode.energy.marketplace.shares import amount_for
from chaincode.energy.settlement.records import SettlementLine
from gateway.books.community import Community
from gateway.books.ledger_records import LedgerRecords
from gateway.readmodel import movement_queries
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import Cause

Traded = Mapping[str, int]
"""Wh by account."""


@dataclass(frozen=True, slots=True)
class DealsChecked:
    """A month's deals between households: what sellers got is what buyers paid, by its price."""

    count: int
    waiting: tuple[str, ...]
    """Posts whose delivery is not settled, or disputed."""
    delivered_wh: int
    paid_utoken: int
    wrong: tuple[str, ...]
    """Posts that paid something else than their price for what came."""

    @property
    def is_balanced(self) -> bool:
        """Whether every settled deal is paid as its price says."""
        return not self.wrong


def deals_checked(posts: Iterable[Post]) -> DealsChecked:
    """Check deals: bound, settled or refunded."""
    found = list(posts)
    settled = [post for post in found if post.state == PostState.SETTLED]
    return DealsChecked(
        count=len(found),
        waiting=tuple(post.post_id for post in found if post.state in DEALT),
        delivered_wh=sum(post.delivered_wh or 0 for post in settled),
        paid_utoken=sum(post.paid_utoken or 0 for post in settled),
        wrong=tuple(post.post_id for post in settled if not _is_paid_right(post)),
    )


def unclosed_accounts(readmodel: ReadModel) -> tuple[str, ...]:
    """Accounts that are not what happened to them.

    What is on each must be the sum of its movements; the energy it sold and bought that of its
    settled hours, corrections and deals; and deals must have moved what their posts say.
    """
    ledger = LedgerRecords(readmodel)
    moved = movement_queries.sums_of_accounts(readmodel)
    sold, bought, dealt = _traded(ledger)
    deals = movement_queries.sums_of_cause(readmodel, Cause.DEAL)
    wrong = []
    for view in Community(readmodel).accounts():
        name, lines = view.idgrid, moved.get(view.idgrid)
        is_closed = (
            lines is not None
            and (lines.free_utoken, lines.locked_utoken)
            == (view.balance_utoken, view.locked_utoken)
            and (view.sold_wh, view.bought_wh) == (sold[name], bought[name])
            and (deals[name].amount_utoken if name in deals else 0) == dealt[name]
        )
        if not is_closed:
            wrong.append(name)
    return tuple(wrong)


def _traded(ledger: LedgerRecords) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Wh sold and bought, and micro-tokens that deals brought, by account."""
    sold, bought, dealt = Counter[str](), Counter[str](), Counter[str]()
    for kind in ("line", "correction"):
        for line in ledger.all(SettlementLine, kind):
            sold[line.idgrid] += line.sold_wh
            bought[line.idgrid] += line.bought_wh
    for _, entry in ledger.under("post"):
        post = records.decode(Post, entry.value)
        if post.state == PostState.SETTLED:
            delivered_wh, paid = post.delivered_wh or 0, post.paid_utoken or 0
            sold[str(post.seller_idgrid)] += delivered_wh
            bought[str(post.buyer_idgrid)] += delivered_wh
            dealt[str(post.seller_idgrid)] += paid
            dealt[str(post.buyer_idgrid)] -= paid
    return sold, bought, dealt


def _is_paid_right(post: Post) -> bool:
    delivered_wh = post.delivered_wh or 0
    due = amount_for(
        price_utoken=post.price_utoken, energy_wh=post.energy_wh, delivered_wh=delivered_wh
    )
    return 0 <= delivered_wh <= post.energy_wh and post.paid_utoken == due
