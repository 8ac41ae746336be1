"""Validators that send nonsense again and again are left alone for a while.

Only what cannot be read at all is counted: a message that is late, or judged by another
configuration, may come from an honest validator. Votes already counted stay; the others of the
channel decide without the one that is barred, as they do without one that is down.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable

from ledger.errors import InvalidMessage, Reason

MALFORMED_MAX = 10
WINDOW_MS = 60_000
"""So many unreadable messages within this time bar their sender."""
BARRED_MS = 60_000
"""So long its streams are refused."""

UNREADABLE = frozenset({Reason.MALFORMED, Reason.OVERSIZED})

RejectionHandler = Callable[[int, InvalidMessage], None]
"""Told of the sender (a consenter's id) and of what was wrong with its message."""

log = logging.getLogger(__name__)


def nobody_counts(_sender: int, _error: InvalidMessage) -> None:
    """For parts that stand alone."""


class Misbehaviour:
    """Who sent what could not be read, by consenter id; lives on the event loop."""

    def __init__(self, *, steady_ms: Callable[[], int]) -> None:
        self._steady_ms = steady_ms
        self.on_barred: Callable[[int], None] | None = None
        """Told once when a sender is barred, to end its streams."""
        self._seen: dict[int, deque[int]] = {}
        self._barred_until: dict[int, int] = {}
        self.counters: Counter[int] = Counter()
        """How often each sender was barred."""

    def rejected(self, sender: int, error: InvalidMessage) -> None:
        """A message was refused; it counts when it could not be read."""
        if error.reason not in UNREADABLE or self.is_barred(sender):
            return
        now_ms = self._steady_ms()
        seen = self._seen.setdefault(sender, deque(maxlen=MALFORMED_MAX))
        seen.append(now_ms)
        if len(seen) == MALFORMED_MAX and now_ms - seen[0] <= WINDOW_MS:
            seen.clear()
            self._bar(sender, now_ms, error)

    def is_barred(self, sender: int) -> bool:
        """Whether its streams are refused now."""
        until_ms = self._barred_until.get(sender)
        if until_ms is None:
            return False
        if self._steady_ms() < until_ms:
            return True
        del self._barred_until[sender]
        return False

    def _bar(self, sender: int, now_ms: int, error: InvalidMessage) -> None:
        self._barred_until[sender] = now_ms + BARRED_MS
        self.counters[sender] += 1
        log.error(
            "consenter %d sent %d unreadable messages within %d s, the last: %s;"
            " its streams are refused for %d s",
            sender,
            MALFORMED_MAX,
            WINDOW_MS // 1000,
            error,
            BARRED_MS // 1000,
        )
        if self.on_barred is not None:
            self.on_barred(sender)
