"""The part of an event loop that a validator's callbacks use, on virtual time."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.node import SimNode


class SimTimerHandle:
    """What `call_later` returns."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], Any] | None) -> None:
        self.callback = callback

    def cancel(self) -> None:
        self.callback = None


class SimLoop:
    """One run of one node; it ends with its process."""

    def __init__(self, node: "SimNode") -> None:
        self._node = node
        self._ready: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()

    def time(self) -> float:
        return self._node.clock.steady_ms() / 1000

    def call_later(
        self, delay_s: float, callback: Callable[..., Any], *arguments: Any
    ) -> SimTimerHandle:
        handle = SimTimerHandle(lambda: callback(*arguments))
        self._node.call_later(round(delay_s * 1000), handle)
        return handle

    def call_soon(self, callback: Callable[..., Any], *arguments: Any) -> None:
        self._ready.append((callback, arguments))

    def call_soon_threadsafe(self, callback: Callable[..., Any], *arguments: Any) -> None:
        callback(*arguments)
        self.run_ready()

    def run_ready(self) -> None:
        """Run what waits for its turn, and what that adds."""
        ready = self._ready
        while ready:
            callback, arguments = ready.popleft()
            callback(*arguments)

    def enter(self) -> None:
        """Code that asks for the running loop gets this one."""
        if self._node.world.running_loop is not self:
            self._node.world.running_loop = self
            asyncio._set_running_loop(self)  # type: ignore[arg-type]


def leave_loop() -> None:
    """No simulated loop runs any more."""
    asyncio._set_running_loop(None)
