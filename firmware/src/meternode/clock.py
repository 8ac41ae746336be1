"""Two clocks: ticks that only go forward, and the time of day once somebody told it.

MicroPython ports count seconds from 1970 or from 2000; here everything is milliseconds since
1970 UTC, and only `board/` knows which epoch its port has.
"""

STEP_TOLERANCE_MS = 2_000
"""A node follows the gateway's time when it is off by more than this."""
EARLIEST_MS, LATEST_MS = 946_684_800_000, 4_102_444_800_000
"""The years 2000 to 2099: no node is told the time of others, and not every port has them."""


class Clock:
    """`ticks_ms` is a function that never goes back, as one that does not wrap."""

    def __init__(self, ticks_ms):
        self.ticks_ms = ticks_ms
        self._offset_ms = None

    def is_set(self):
        """Whether the time of day is known."""
        return self._offset_ms is not None

    def set(self, now_ms):
        """Take over the time of day."""
        self._offset_ms = now_ms - self.ticks_ms()

    def follow(self, now_ms):
        """The gateway says what time it is; small differences are its way here and are ignored.

        Raises `ValueError` for a time that cannot be.
        """
        if not EARLIEST_MS <= now_ms < LATEST_MS:
            raise ValueError("no time of day")
        if not self.is_set() or abs(self.now_ms() - now_ms) > STEP_TOLERANCE_MS:
            self.set(now_ms)

    def now_ms(self):
        """Milliseconds since 1970 UTC; 0 while nobody knows."""
        return self.ticks_ms() + self._offset_ms if self.is_set() else 0


class UnwrappedTicks:
    """`time.ticks_ms` of MicroPython starts again at 2**30 ms (12 days); this one does not."""

    def __init__(self, ticks_ms, ticks_diff):
        self._read = ticks_ms
        self._diff = ticks_diff
        self._last = ticks_ms()
        self._total = 0

    def __call__(self):
        """Milliseconds since this object was made; call it at least every six days."""
        now = self._read()
        self._total += self._diff(now, self._last)
        self._last = now
        return self._total
