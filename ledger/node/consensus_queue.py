"""The way into the consensus thread: messages of others within their quota, and own events.

Own events are never dropped. Each sender has a quota, so a flood from one validator displaces
nobody else's messages.
"""

import queue
from dataclasses import dataclass

from ledger.consensus.events import Event
from ledger.model.block import Block

QUEUED_MESSAGES_PER_SENDER_MAX = 1_000


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A consensus message as another validator sent it."""

    sender: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class FetchedBlock:
    """A block that catch-up got from another validator."""

    block: Block
    source: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End the consensus thread."""


Work = Event | RawMessage | FetchedBlock | Stop


class ConsensusQueue:
    """Written from the event loop, read by the consensus thread."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Work] = queue.SimpleQueue()
        # Two counters, each written by one thread only; their difference is what is queued.
        self._received: dict[int, int] = {}
        self._taken: dict[int, int] = {}

    def receive(self, sender: int, raw: bytes) -> bool:
        """Queue another validator's message; false when its quota is used up."""
        received = self._received.get(sender, 0)
        if received - self._taken.get(sender, 0) >= QUEUED_MESSAGES_PER_SENDER_MAX:
            return False
        self._received[sender] = received + 1
        self._queue.put(RawMessage(sender, raw))
        return True

    def post(self, work: Event | FetchedBlock | Stop) -> None:
        """Queue an event of this node."""
        self._queue.put(work)

    def take(self, timeout_s: float | None) -> Work | None:
        """The next thing to do; None at the timeout."""
        try:
            work = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(work, RawMessage):
            self._taken[work.sender] = self._taken.get(work.sender, 0) + 1
        return work

    def is_empty(self) -> bool:
        """Whether nothing waits right now."""
        return self._queue.empty()
