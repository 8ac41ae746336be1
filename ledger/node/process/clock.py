"""The only clocks of the node; everything below takes time as an argument."""

import time


def now_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """Milliseconds of a clock that never goes back, for timers."""
    return time.monotonic_ns() // 1_000_000
