"""The core's timers on the event loop's clock."""

import asyncio
from collections.abc import Callable

from ledger.consensus.events import TimerKind


class Timers:
    """At most one running timer of each kind; each carries the height and round it was set for."""

    def __init__(self, fire: Callable[[TimerKind, int, int], None]) -> None:
        self._fire = fire
        self._running: dict[TimerKind, asyncio.TimerHandle] = {}

    def set(self, kind: TimerKind, height: int, round_: int, duration_ms: int) -> None:
        """Start a timer, replacing the running one of its kind."""
        self.cancel(kind)
        self._running[kind] = asyncio.get_running_loop().call_later(
            duration_ms / 1000, self._fire, kind, height, round_
        )

    def cancel(self, kind: TimerKind) -> None:
        """Stop the timer of this kind, if one runs."""
        handle = self._running.pop(kind, None)
        if handle is not None:
            handle.cancel()
