"""Members' nodes that follow the channel without a vote: candidates, and validators removed.

They connect like validators and are told of every block at once, but all they may do is say where
they are and ask for blocks.
"""

import logging
from collections.abc import Callable

from ledger.crypto.hashing import sha256
from ledger.node.membership.channel import CurrentChannel
from ledger.rpc.validator_service import Reply
from ledger.wire.validator_pb2 import Item, Status

log = logging.getLogger(__name__)

OBSERVERS_MAX = 16
_NUMBER_BYTES = 4


def observer_number(key: bytes) -> int:
    """A negative number that stands for a TLS key (SubjectPublicKeyInfo)."""
    return -1 - int.from_bytes(sha256(key)[:_NUMBER_BYTES], "big")


class Observers:
    """Who follows now, and how far each has come; belongs to the event loop."""

    def __init__(self, channel: CurrentChannel, status: Callable[[], Status]) -> None:
        """`status` is this node's own."""
        self._channel = channel
        self._status = status
        self._heights: dict[int, int] = {}
        self._replies: dict[int, Reply] = {}

    def identify(self, key: bytes) -> int | None:
        """`ledger.rpc.validator_service.Identify`: TLS let in validators and members' nodes."""
        consenter_id = self._channel.consenter_by_tls_key(key)
        if consenter_id is not None:
            return consenter_id
        number = observer_number(key)
        is_full = len(self._replies) >= OBSERVERS_MAX and number not in self._replies
        return None if is_full else number

    def heard(self, number: int, item: Item, reply: Reply) -> bool:
        """Note what an observer's item tells of its height (blocks); whether it may ask this."""
        kind = item.WhichOneof("kind")
        if kind == "status":
            height = item.status.height
        elif kind == "block_request":
            height = item.block_request.from_number
        else:
            log.info("an observer may not send %s", kind)
            return False
        if self._replies.get(number) != reply:
            reply(Item(status=self._status()))  # else it would wait for the next block
        self._heights[number] = max(height, self._heights.get(number, 0))
        self._replies[number] = reply
        return True

    def closed(self, sender: int) -> None:
        """A stream ended; of validators nothing is kept here."""
        self._heights.pop(sender, None)
        self._replies.pop(sender, None)

    def tell_all(self) -> None:
        """A block is there: let every observer fetch it."""
        if self._replies:
            item = Item(status=self._status())
            for reply in self._replies.values():
                reply(item)

    def height_of(self, key: bytes) -> int | None:
        """Blocks that the observer with this TLS key has; None when it is not connected."""
        return self._heights.get(observer_number(key))
