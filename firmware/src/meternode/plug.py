"""A switched appliance: one relay, with times it must rest so that motors and contacts survive."""

MIN_ON_MS = 1_000
MIN_OFF_MS = 1_000


class Plug:
    """On or off; opens by itself when the node starts again (`PowerOnState` off)."""

    def __init__(self, clock, min_on_ms=MIN_ON_MS, min_off_ms=MIN_OFF_MS):
        self._clock = clock
        self._min_on_ms = min_on_ms
        self._min_off_ms = min_off_ms
        self._changed_ms = None
        self.is_on = False

    def switch(self, on):
        """Switch; False when it must rest a moment longer."""
        on = bool(on)
        if on == self.is_on:
            return True
        rest_ms = self._min_on_ms if self.is_on else self._min_off_ms
        now_ms = self._clock.ticks_ms()
        if self._changed_ms is not None and now_ms - self._changed_ms < rest_ms:
            return False
        self.is_on, self._changed_ms = on, now_ms
        return True

    def press(self):
        """The button on the device: what a person at it wants comes first."""
        self.is_on, self._changed_ms = not self.is_on, self._clock.ticks_ms()
