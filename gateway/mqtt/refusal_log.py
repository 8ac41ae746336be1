"""Lines of the log about messages that were refused: device, kind and reason, no content.

A device, or whoever speaks for it, could fill a disk with them: a minute has so many lines at
most, and the rest is counted.
"""

import logging
import threading

LINES_PER_MINUTE_MAX = 60
MINUTE_MS = 60_000

logger = logging.getLogger(__name__)


class RefusalLog:
    """The refusals of one connection to a broker; any thread may note one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = -1
        self._lines = 0
        self._untold = 0

    def note(self, device_id: str, leaf: str, reason: str, now_ms: int) -> None:
        """Tell of one refused message, or count it."""
        with self._lock:
            self._note(device_id, leaf, reason, now_ms)

    def _note(self, device_id: str, leaf: str, reason: str, now_ms: int) -> None:
        minute = now_ms // MINUTE_MS
        if minute != self._minute:
            if self._untold:
                logger.warning("%d more messages were refused", self._untold)
            self._minute, self._lines, self._untold = minute, 0, 0
        if self._lines < LINES_PER_MINUTE_MAX:
            self._lines += 1
            logger.warning("%s of %s refused: %s", leaf, device_id, reason)
        else:
            self._untold += 1
