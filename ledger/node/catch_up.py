"""Fetching blocks this validator missed, each checked against its certificate before commit.

A peer's claimed height is a hint, never a fact: blocks are asked for in small runs from whoever
claims to have them, and only `ConsensusDriver` commits them, in order.
"""

import asyncio
import logging
from collections.abc import Callable

from ledger.errors import InvalidMessage
from ledger.model.block import Block
from ledger.model.codec_block import decode_block, encode_block
from ledger.rpc.block_source import BlockReader
from ledger.rpc.validator_links import ValidatorLinks
from ledger.rpc.validator_service import Reply
from ledger.wire.validator_pb2 import BlockRequest, BlockResponse, Item, Status

log = logging.getLogger(__name__)

BLOCKS_PER_REQUEST_MAX = 50
RESPONSE_BYTES_MAX = 4 * 1024 * 1024
# A validator one block behind usually gets there by consensus; ask only if it does not.
LAG_TOLERANCE_MS = 300
REQUEST_TIMEOUT_MS = 3_000


class CatchUp:
    """Keeps one request under way while others claim to be ahead."""

    def __init__(
        self,
        *,
        reader: BlockReader,
        links: ValidatorLinks,
        deliver: Callable[[Block, int], None],
        status: Callable[[], Status],
    ) -> None:
        self._reader = reader
        self._links = links
        self._deliver = deliver
        self._status = status
        self._claims: dict[int, int] = {}
        self._pending: asyncio.TimerHandle | None = None
        self._asked: int | None = None

    # -- asking -----------------------------------------------------------------------------------

    def on_status(self, sender: int, status: Status) -> None:
        """Another validator tells its height (number of blocks)."""
        self._claims[sender] = status.height
        if status.height > self._reader.height():
            self._schedule(LAG_TOLERANCE_MS)

    def on_behind(self, height: int, source: int) -> None:
        """Consensus saw messages for heights beyond ours."""
        self._claims[source] = max(self._claims.get(source, 0), height + 1)
        self._schedule(LAG_TOLERANCE_MS)

    def on_committed(self) -> None:
        """After every commit: go on with the next run when one is complete."""
        if self._asked is not None and self._reader.height() > self._asked:
            self._asked = None
            if self._best_source() is not None:
                self._schedule(0)

    def on_response(self, sender: int, response: BlockResponse) -> None:
        """Blocks asked for; the driver checks and commits them in order."""
        if not response.blocks:
            self._claims.pop(sender, None)
        for raw in response.blocks:
            try:
                self._deliver(decode_block(raw), sender)
            except InvalidMessage as error:
                log.warning("consenter %d sent a broken block: %s", sender, error)
                self._claims.pop(sender, None)
                return

    def distrust(self, sender: int) -> None:
        """Forget what a validator claimed."""
        self._claims.pop(sender, None)

    def _schedule(self, delay_ms: int) -> None:
        if self._pending is None:
            loop = asyncio.get_running_loop()
            self._pending = loop.call_later(delay_ms / 1000, self._ask)

    def _ask(self) -> None:
        self._pending = None
        source = self._best_source()
        if source is None:
            return
        start = self._reader.height()
        request = BlockRequest(from_number=start, to_number=start + BLOCKS_PER_REQUEST_MAX - 1)
        self._asked = min(start + BLOCKS_PER_REQUEST_MAX, self._claims[source]) - 1
        log.info("asking consenter %d for blocks from %d", source, start)
        self._links.send(source, Item(block_request=request))
        # Ask again, perhaps someone else, when nothing has come by then.
        self._schedule(REQUEST_TIMEOUT_MS)

    def _best_source(self) -> int | None:
        height = self._reader.height()
        ahead = [i for i in self._links.connected_ids if self._claims.get(i, 0) > height]
        return max(ahead, key=lambda i: self._claims[i], default=None)

    # -- answering --------------------------------------------------------------------------------

    def tell_status(self, consenter_id: int) -> None:
        """Let a validator know our height."""
        self._links.send(consenter_id, Item(status=self._status()))

    def on_request(self, request: BlockRequest, reply: Reply) -> None:
        """Answer with as many of the blocks as fit; none says that we do not have the first."""
        last = min(request.to_number, request.from_number + BLOCKS_PER_REQUEST_MAX - 1)
        response = BlockResponse()
        size = 0
        for number in range(request.from_number, min(last, self._reader.height() - 1) + 1):
            block = self._reader.block(number)
            if block is None:
                break
            raw = encode_block(block)
            size += len(raw)
            if response.blocks and size > RESPONSE_BYTES_MAX:
                break
            response.blocks.append(raw)
        reply(Item(block_response=response))
