"""An event loop whose clock runs faster than the machine's, and stands still while that is busy.

Only waiting takes time: what real programs (a broker, a database) need passes at `speed`, but
neither our own work nor a stretch in which the machine gave us no processor counts, so timeouts
and samples of what runs on the loop mean the same on an idle machine and on a crowded one.
"""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any

LATE_S_MAX = 0.002
"""Real seconds that a wait may take longer than asked; what is beyond was no wait."""
CANCEL_AGAIN_S = 0.2


class PacedSelector(selectors.DefaultSelector):
    """Waits a `speed`-th of what it is asked to, and counts what it waited `speed` times."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self.speed = speed
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """See `selectors.BaseSelector.select`."""
        wanted_s = None if timeout is None else max(0.0, timeout / self.speed)
        begun_s = time.monotonic()
        found = super().select(wanted_s)
        waited_s = time.monotonic() - begun_s
        if wanted_s is not None:
            waited_s = min(waited_s, wanted_s + LATE_S_MAX)
        self.now_s += waited_s * self.speed
        return found


class PacedLoop(asyncio.SelectorEventLoop):
    """`time()` is in the loop's own seconds, from zero."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.paced = PacedSelector(speed)
        super().__init__(self.paced)

    def time(self) -> float:
        """See `asyncio.loop.time`."""
        return self.paced.now_s

    def elapsed_ms(self) -> int:
        """Milliseconds on the loop's clock since it was made."""
        return int(self.paced.now_s * 1_000)


def run_paced(main: Coroutine[Any, Any, Any], *, speed: float) -> None:
    """As `asyncio.run`, on such a loop."""
    with asyncio.Runner(loop_factory=lambda: PacedLoop(speed)) as runner:
        runner.run(main)


def paced_loop() -> PacedLoop:
    """The loop that runs."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, PacedLoop)
    return loop


async def stopped(task: asyncio.Task[None] | None) -> None:
    """Ended; `wait_for` of Python 3.11 can lose a cancellation that comes with its answer."""
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_S)
