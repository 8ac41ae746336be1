"""Use cases of reading the marketplace: posts with what a viewer can do, and who was first.

Everything comes from the read model; energy in Wh, money in micro-tokens, times in ms UTC.
"""

from chaincode.energy.errors import Refusal
from chaincode.energy.marketplace.labels import is_reserved
from chaincode.energy.marketplace.posts import post_key
from chaincode.energy.marketplace.records import DEALT, Post, PostState
from gateway.books.ledger_records import LedgerRecords
from gateway.ledger_access.refusals import RETRYABLE
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import TransactionRecord

_TAKING = frozenset({"marketplace:reserve", "marketplace:buy", "marketplace:request_to_sell"})


class Marketplace:
    """Questions about offers and requests, answered at the read model's height."""

    def __init__(self, readmodel: ReadModel) -> None:
        self._ledger = LedgerRecords(readmodel)

    def posts(self, hour: str | None = None) -> list[Post]:
        """Posts of one delivery hour or of all, the latest hour first, then by id."""
        found = self._ledger.all(Post, "post", *((hour,) if hour is not None else ()))
        return sorted(found, key=lambda post: (-post.delivery_start_ms, post.post_id))

    def posts_behind(self, post_id: str | None) -> list[Post]:
        """The posts of all hours that come after one in their order; none after an unknown one."""
        found = self.posts()
        if post_id is None:
            return found
        names = [post.post_id for post in found]
        return found[names.index(post_id) + 1 :] if post_id in names else []

    def post(self, post_id: str) -> Post | None:
        """One post."""
        key = post_key(post_id)
        return None if key is None else self._ledger.find(Post, key)

    def lost_to_another(self, record: TransactionRecord, now_ms: int) -> Refusal | None:
        """Why taking a post came too late, if another household's transaction was before it.

        Such a transaction is recorded with a read conflict; sent again it would be refused with
        this reason, so nobody needs to try. None if trying again may work.
        """
        if record.code not in RETRYABLE or record.function not in _TAKING or not record.arguments:
            return None
        post = self.post(record.arguments[0])
        if post is None:
            return None
        if is_reserved(post, now_ms) or post.state in DEALT:
            return Refusal.RESERVED
        return Refusal.POST_CLOSED if post.state != PostState.OPEN else None
