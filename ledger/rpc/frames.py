"""Batched writing and reading of validator frames on one gRPC stream.

Everything queued while a write is under way leaves in the next frame, so frames grow under load
and a lone message leaves at once (`ledger.rpc.coalescer`).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_parsing import parse_message
from ledger.rpc.coalescer import Coalescer
from ledger.wire.validator_pb2 import Frame, Item

QUEUE_ITEMS_MAX = 20_000
QUEUE_BYTES_MAX = 64 * 1024 * 1024
FRAME_BYTES_MAX = 8 * 1024 * 1024


class FrameWriter:
    """A bounded queue of items in front of one stream's write call.

    Consensus messages leave at once, and whatever waits goes with them; other items share frames
    when the stream is busy. A full queue refuses new items: the receiver does not keep up, and
    consensus, pools and catch-up all repeat what is lost.
    """

    def __init__(self) -> None:
        self._queue: deque[tuple[Item, int]] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._ordinary: Coalescer[None] = Coalescer(lambda _: self._wake.set())
        self.dropped_items = 0

    def send(self, item: Item) -> bool:
        """Queue an item; false when the queue is full and the item was dropped."""
        size = item.ByteSize()
        is_full = len(self._queue) >= QUEUE_ITEMS_MAX
        if is_full or self._queued_bytes + size > QUEUE_BYTES_MAX:
            self.dropped_items += 1
            return False
        self._queue.append((item, size))
        self._queued_bytes += size
        if item.WhichOneof("kind") == "consensus_message":
            self._wake.set()
        else:
            self._ordinary.add(None)
        return True

    def clear(self) -> None:
        """Forget what is queued (the stream it was meant for is gone)."""
        self._queue.clear()
        self._queued_bytes = 0
        self._wake.clear()

    async def run(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Write queued items until cancelled or the stream fails."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await write(self._next_frame())

    def _next_frame(self) -> bytes:
        frame = Frame()
        size = 0
        while self._queue:
            item, item_size = self._queue[0]
            size += item_size
            if frame.items and size > FRAME_BYTES_MAX:
                break
            self._queue.popleft()
            self._queued_bytes -= item_size
            frame.items.append(item)
        return frame.SerializeToString()


def decode_frame(raw: bytes) -> Frame:
    """A frame of another validator; raises InvalidMessage for what no FrameWriter sends."""
    frame = parse_message(Frame, raw)
    if len(frame.items) > QUEUE_ITEMS_MAX:
        raise InvalidMessage(Reason.OVERSIZED, f"a frame of {len(frame.items)} items")
    return frame
