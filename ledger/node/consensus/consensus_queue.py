"""The way into the consensus thread: messages of others within their quota, and own events.

Own events are never dropped. Each sender has a quota, so a flood from one validator displaces
nobody else's messages.
"""

import queue
import threading
from dataclasses import dataclass

from ledger.consensus.events import Event, HeadClaimed
from ledger.model.block import Block

QUEUED_MESSAGES_PER_SENDER_MAX = 1_000
QUEUED_BYTES_PER_SENDER_MAX = 32 * 1024 * 1024


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


@dataclass(frozen=True, slots=True)
class _Claim:
    """The newest word of this sender about its height waits in the table."""

    sender: int


Work = Event | RawMessage | FetchedBlock | Stop


class ConsensusQueue:
    """Written from the event loop, read by the consensus thread."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Work | _Claim] = queue.SimpleQueue()
        self._claims: dict[int, HeadClaimed] = {}
        self._claims_lock = threading.Lock()
        # (messages, bytes), each table written by one thread only; the difference is queued.
        self._received: dict[int, tuple[int, int]] = {}
        self._taken: dict[int, tuple[int, int]] = {}
        self._stopping = False

    def receive(self, sender: int, raw: bytes) -> bool:
        """Queue another validator's message; false when its quota is used up."""
        messages, size = self._received.get(sender, (0, 0))
        taken_messages, taken_size = self._taken.get(sender, (0, 0))
        if (
            messages - taken_messages >= QUEUED_MESSAGES_PER_SENDER_MAX
            or size - taken_size + len(raw) > QUEUED_BYTES_PER_SENDER_MAX
        ):
            return False
        self._received[sender] = (messages + 1, size + len(raw))
        self._queue.put(RawMessage(sender, raw))
        return True

    def claim(self, claimed: HeadClaimed) -> None:
        """Queue what another validator says about its height; its newest word replaces others."""
        with self._claims_lock:
            is_waiting = claimed.author in self._claims
            self._claims[claimed.author] = claimed
        if not is_waiting:
            self._queue.put(_Claim(claimed.author))

    def post(self, work: Event | FetchedBlock | Stop) -> None:
        """Queue an event of this node; `Stop` is taken before whatever waits."""
        if isinstance(work, Stop):
            self._stopping = True
        self._queue.put(work)

    def take(self, timeout_ms: int | None) -> Work | None:
        """The next thing to do; None at the timeout."""
        try:
            work = self._queue.get(timeout=None if timeout_ms is None else timeout_ms / 1000)
        except queue.Empty:
            return None
        if self._stopping:
            return Stop()
        if isinstance(work, _Claim):
            with self._claims_lock:
                return self._claims.pop(work.sender)
        if isinstance(work, RawMessage):
            messages, size = self._taken.get(work.sender, (0, 0))
            self._taken[work.sender] = (messages + 1, size + len(work.raw))
        return work

    def is_empty(self) -> bool:
        """Whether nothing waits right now."""
        return self._queue.empty()
