"""Interrupting contract code that does not come back, from a timer of the operating system."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class OutOfTime(BaseException):
    """Contract code ran longer than allowed between two requests to its peer."""


class TimeLimit:
    """Bounds each uninterrupted run of contract code; 0 ms: no limit.

    Only the main thread can be interrupted; elsewhere there is no limit.
    """

    def __init__(self, limit_ms: int = 0) -> None:
        self.limit_ms = limit_ms

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Raise OutOfTime in the body when the limit is reached."""
        if not self.limit_ms or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGALRM, _interrupt)
        signal.setitimer(signal.ITIMER_REAL, self.limit_ms / 1000)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise OutOfTime
