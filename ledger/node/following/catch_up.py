"""Fetching blocks this validator missed, each checked against its certificate before commit.

A peer's claimed height is a hint, never a fact: blocks are asked for in small runs, in turn from
everyone who claims to have them, and only `ConsensusDriver` commits them, in order.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from ledger.consensus.events import HeadClaimed
from ledger.errors import InvalidMessage
from ledger.model.block import Block
from ledger.model.codec_block import decode_block
from ledger.rpc.validator_links import ValidatorLinks
from ledger.rpc.validator_service import Reply
from ledger.wire.validator_pb2 import BlockRequest, BlockResponse, Item, Status

log = logging.getLogger(__name__)

BLOCKS_PER_REQUEST_MAX = 50
RESPONSE_BYTES_MAX = 4 * 1024 * 1024
# A validator one block behind usually gets there by consensus; ask only if it does not.
LAG_TOLERANCE_MS = 300
REQUEST_TIMEOUT_MS = 3_000
STATUS_DELAY_MS = 1_000
"""So long after a commit the others are told our height: whoever missed the last block before a
quiet time hears of it."""


class StoredBlocks(Protocol):
    """Committed blocks as stored."""

    def height(self) -> int:
        """Number of blocks."""

    def block_raw(self, number: int) -> bytes | None:
        """common.Block bytes, or None when it is not committed."""


@dataclass(frozen=True, slots=True)
class _Run:
    """The request under way: who was asked, and the last block expected of it."""

    source: int
    last: int
    is_answered: bool = False


class CatchUp:
    """Keeps one request under way while others claim to be ahead."""

    def __init__(
        self,
        *,
        reader: StoredBlocks,
        links: ValidatorLinks,
        deliver: Callable[[Block, int], None],
        status: Callable[[], Status],
        on_claim: Callable[[HeadClaimed], None] | None = None,
    ) -> None:
        self._reader = reader
        self._links = links
        self._deliver = deliver
        self._status = status
        self._on_claim = on_claim
        self._claims: dict[int, int] = {}
        self.claims: Mapping[int, int] = MappingProxyType(self._claims)
        """How many blocks each of the others last said it has."""
        self._turns = itertools.count(1)
        self._last_turn: dict[int, int] = {}
        self._run: _Run | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._news: asyncio.TimerHandle | None = None
        self._answering: set[int] = set()
        self._short_of_disk: set[int] = set()

    # -- asking -----------------------------------------------------------------------------------

    def on_status(
        self, sender: int, status: Status, *, lag_tolerance_ms: int = LAG_TOLERANCE_MS
    ) -> None:
        """Another validator tells its height (number of blocks)."""
        self._claims[sender] = status.height
        _note_voting(self._short_of_disk, sender, disk_short=status.disk_short)
        if self._on_claim is not None and status.height > 0:
            self._on_claim(HeadClaimed(sender, status.height - 1, status.observes))
        if status.height > self._reader.height():
            self._ask_in(lag_tolerance_ms)

    def on_behind(self, height: int, source: int) -> None:
        """Consensus saw messages for heights beyond ours."""
        self._claims[source] = max(self._claims.get(source, 0), height + 1)
        self._ask_in(LAG_TOLERANCE_MS)

    def on_connected(self, consenter_id: int) -> None:
        """A stream to another validator is open: say where we are, ask for what it claimed.

        All streams break when a block changes the validators, and it need not tell its height
        again: its stream to us may have held.
        """
        self.tell_status(consenter_id)
        if self._claims.get(consenter_id, 0) > self._reader.height():
            self._ask_in(LAG_TOLERANCE_MS)

    def on_committed(self) -> None:
        """After every commit: go on with the next run when one is complete."""
        if self._news is None:
            loop = asyncio.get_running_loop()
            self._news = loop.call_later(STATUS_DELAY_MS / 1000, self._tell_the_news)
        if self._run is not None and self._reader.height() > self._run.last:
            self._end_run()
            if self._next_source() is not None:
                self._ask_in(0)

    def on_response(self, sender: int, response: BlockResponse) -> None:
        """Blocks asked for; the driver checks and commits them in order."""
        run = self._run
        if run is None or run.source != sender or run.is_answered:
            log.info("consenter %d sent blocks that nobody waits for", sender)
            return
        try:
            blocks = [decode_block(raw) for raw in response.blocks[:BLOCKS_PER_REQUEST_MAX]]
        except InvalidMessage as error:
            log.warning("consenter %d sent a broken block: %s", sender, error)
            blocks = []
        if not blocks:
            self._claims.pop(sender, None)
            self._end_run()
            self._ask_in(LAG_TOLERANCE_MS)
            return
        self._run = _Run(sender, blocks[-1].number, is_answered=True)
        for block in blocks:
            self._deliver(block, sender)

    def _ask_in(self, delay_ms: int) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(delay_ms / 1000, self._ask)

    def _ask(self) -> None:
        self._end_run()
        source = self._next_source()
        if source is None:
            return
        start = self._reader.height()
        last = start + BLOCKS_PER_REQUEST_MAX - 1
        self._run = _Run(source, last)
        self._last_turn[source] = next(self._turns)
        log.info("asking consenter %d for blocks from %d", source, start)
        self._links.send(
            source, Item(block_request=BlockRequest(from_number=start, to_number=last))
        )
        # Ask someone else, if there is anyone, when the blocks are not committed by then.
        self._ask_in(REQUEST_TIMEOUT_MS)

    def _end_run(self) -> None:
        self._run = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next_source(self) -> int | None:
        """Of those who claim to be ahead, the one not asked for longest."""
        height = self._reader.height()
        ahead = [i for i in self._links.connected_ids if self._claims.get(i, 0) > height]
        return min(ahead, key=lambda i: self._last_turn.get(i, 0), default=None)

    # -- answering --------------------------------------------------------------------------------

    def tell_status(self, consenter_id: int) -> None:
        """Let a validator know our height."""
        self._links.send(consenter_id, Item(status=self._status()))

    def _tell_the_news(self) -> None:
        self._news = None
        self.tell_everyone()

    def tell_everyone(self) -> None:
        """Let every validator know our height and whether we vote."""
        self._links.broadcast(Item(status=self._status()))

    def on_request(self, sender: int, request: BlockRequest, reply: Reply) -> None:
        """Answer soon, one request at a time; an honest validator asks no faster."""
        if sender in self._answering:
            return
        self._answering.add(sender)
        asyncio.get_running_loop().call_soon(self._answer, sender, request, reply)

    def _answer(self, sender: int, request: BlockRequest, reply: Reply) -> None:
        """As many of the blocks as fit; none says that we do not have the first."""
        self._answering.discard(sender)
        stop = min(
            request.to_number + 1,
            request.from_number + BLOCKS_PER_REQUEST_MAX,
            self._reader.height(),
        )
        response = BlockResponse()
        size = 0
        for number in range(request.from_number, stop):
            raw = self._reader.block_raw(number)
            if raw is None:  # from before the snapshot that this ledger began with
                break
            size += len(raw)
            if response.blocks and size > RESPONSE_BYTES_MAX:
                break
            response.blocks.append(raw)
        reply(Item(block_response=response))


def _note_voting(short_of_disk: set[int], sender: int, *, disk_short: bool) -> None:
    """One line when a validator stops voting for its disk, and one when it goes on."""
    if disk_short and sender not in short_of_disk:
        short_of_disk.add(sender)
        log.warning("consenter %d is not voting: disk short", sender)
    elif not disk_short and sender in short_of_disk:
        short_of_disk.discard(sender)
        log.info("consenter %d has room on its disk again", sender)
