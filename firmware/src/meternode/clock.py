"""Two clocks: ticks that only go forward, and the time of day once somebody told it.

MicroPython ports count seconds from 1970 or from 2000; here everything is milliseconds since
1970 UTC, and only `board/` knows which epoch its port has.

Nobody signs the time: whoever runs the broker can write it. So what is told may move a clock that
knows the time by `STEP_MS_MAX` at most, and that once per `STEP_EVERY_MS`. More is doubted, and
believed when nothing else was told for `STEP_TOLD_MS`; a time before the end of an interval that
has its reading, when nothing else was told for `BACK_TOLD_MS`. A clock that knows no time and was
away for long waits the same, and doubts only what contradicts something.
"""

OK, WAITING, DOUBTED = "ok", "waiting", "doubted"
"""How the clock stands, as `state` says it."""

STEP_TOLERANCE_MS = 2_000
"""A node follows the gateway's time when it is off by more than this."""
STEP_MS_MAX = 60_000
STEP_EVERY_MS = 3_600_000
"""A crystal loses less than half a second in an hour."""
STEP_TOLD_MS = 600_000
BACK_TOLD_MS = 86_400_000
STEP_TIMES_MIN = 5
"""So often it must be told besides: the gateway does it once a minute."""
SAME_MS_MAX = 10_000
"""How long one message may be on its way beside another that tells the same."""
WAIT_MS_MAX = 1_800_000
"""Three times what a wait needs, as messages get lost; one that is longer is a doubt."""
AWAY_MS_MAX = 7_200_000
"""A node that starts believes at once what is so soon after its last reading."""
EARLIEST_MS, LATEST_MS = 946_684_800_000, 4_102_444_800_000
"""The years 2000 to 2099: no node is told the time of others, and not every port has them."""


class Clock:
    """`ticks_ms` is a function that never goes back, as one that does not wrap."""

    def __init__(self, ticks_ms):
        self.ticks_ms = ticks_ms
        self._offset_ms = None
        self._stepped_ms = None
        self._told = None  # not believed yet: offset, ticks when told first, how often
        self._waiting_ms = 0
        self._is_contradicted = False

    def is_set(self):
        """Whether the time of day is known."""
        return self._offset_ms is not None

    def was_told(self):
        """Whether there is a time of day, believed or not."""
        return self.is_set() or self._told is not None

    def standing(self):
        """`OK`, `WAITING` or `DOUBTED`.

        It waits without a time, or with one that nothing contradicts. It doubts when its own
        time, its last reading or another message does, or the wait is over `WAIT_MS_MAX`.
        """
        if self._told is None:
            return OK if self.is_set() else WAITING
        is_long = self.ticks_ms() - self._waiting_ms > WAIT_MS_MAX
        return DOUBTED if self._is_contradicted or is_long else WAITING

    def set(self, now_ms):
        """Take over the time of day."""
        self._offset_ms = now_ms - self.ticks_ms()
        self._end_wait()

    def follow(self, told_ms, metered_ms=0):
        """The gateway says what time it is; `metered_ms` is where the last reading ends, or 0.

        Raises `ValueError` for a time that cannot be.
        """
        if not EARLIEST_MS <= told_ms < LATEST_MS:
            raise ValueError("no time of day")
        off_ms = abs(told_ms - self.now_ms())
        if self.is_set() and off_ms <= STEP_MS_MAX:
            self._end_wait()
            if off_ms > STEP_TOLERANCE_MS and told_ms >= metered_ms and self._may_step():
                self._stepped_ms = self.ticks_ms()
                self.set(told_ms)
        else:
            if self.is_set() or told_ms < metered_ms:
                self._is_contradicted = True
            if self._is_told_enough(told_ms, self._needed_ms(told_ms, metered_ms)):
                self.set(told_ms)

    def now_ms(self):
        """Milliseconds since 1970 UTC; 0 while nobody knows."""
        return self.ticks_ms() + self._offset_ms if self.is_set() else 0

    def _may_step(self):
        return self._stepped_ms is None or self.ticks_ms() - self._stepped_ms >= STEP_EVERY_MS

    def _needed_ms(self, told_ms, metered_ms):
        """For how long nothing else may have been told."""
        if told_ms < metered_ms:
            return BACK_TOLD_MS
        if self.is_set():
            return STEP_TOLD_MS
        return 0 if metered_ms == 0 or told_ms - metered_ms <= AWAY_MS_MAX else STEP_TOLD_MS

    def _is_told_enough(self, told_ms, needed_ms):
        if needed_ms == 0:
            return True
        now = self.ticks_ms()
        if self._told is None:
            self._told, self._waiting_ms = (told_ms - now, now, 0), now
        offset_ms, since, times = self._told
        if abs(told_ms - now - offset_ms) > SAME_MS_MAX:
            self._is_contradicted = True
            since, times = now, 0
        self._told = (told_ms - now, since, times + 1)
        return times + 1 >= STEP_TIMES_MIN and now - since >= needed_ms

    def _end_wait(self):
        self._told = None
        self._is_contradicted = False


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
