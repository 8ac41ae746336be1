"""How long what reads private data waits for values that are on their way to this peer.

The wait is a budget, not a time for each block: members that withhold the values of block after
block cost nobody more than a fifth of the time.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

SETTLE_WAIT_MS = 2_000
"""All there is to wait at once."""
SETTLE_REFILL_MS = 10_000
"""After so long without waiting a spent budget is whole again."""


class Timer(Protocol):
    """A call that is still to come."""

    def cancel(self) -> None:
        """It does not come any more."""


class Timers(Protocol):
    """What is used of an event loop."""

    def time(self) -> float:
        """Seconds that never go back."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Timer:
        """Call after so many seconds."""


class SettleWait:
    """Belongs to the event loop; nothing is waited for at first."""

    def __init__(self, timers: Callable[[], Timers] = asyncio.get_running_loop) -> None:
        self._timers = timers
        self._is_over = asyncio.Event()
        self._is_over.set()
        self._timer: Timer | None = None
        # (seconds left to wait, when that was)
        self._budget: tuple[float, float] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nobody has to wait now."""
        return self._timer is None

    def begin(self) -> None:
        """Values are on their way; while a wait is under way they share its end."""
        if self._timer is not None:
            return
        timers = self._timers()
        now_s, whole_s = timers.time(), SETTLE_WAIT_MS / 1000
        left_s, since_s = self._budget or (whole_s, now_s)
        refilled_s = (now_s - since_s) * SETTLE_WAIT_MS / SETTLE_REFILL_MS
        left_s = min(whole_s, left_s + refilled_s)
        self._budget = (left_s, now_s)
        self._is_over.clear()
        self._timer = timers.call_later(left_s, self.end)

    def end(self) -> None:
        """They are here, or this was all there is to wait."""
        if self._timer is None or self._budget is None:
            return
        # Else it would end a later wait.
        self._timer.cancel()
        self._timer = None
        now_s = self._timers().time()
        left_s, began_s = self._budget
        self._budget = (max(0.0, left_s - (now_s - began_s)), now_s)
        self._is_over.set()

    async def wait(self) -> None:
        """Until it is over."""
        await self._is_over.wait()
