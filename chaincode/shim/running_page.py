"""A page of memory shared with the supervisor: which transaction this process is running.

Layout, little-endian: bytes 0 to 7 a counter of resumptions, byte 8 the length of the id that
follows (0: idle). When the process loops or dies, the supervisor reads whom to blame.
"""

import mmap
import struct

PAGE_BYTES = 4096
TX_ID_BYTES_MAX = 255
HEAD = struct.Struct("<QB")


class RunningPage:
    """The writing end; `fd` is a memory file inherited from the supervisor."""

    def __init__(self, fd: int) -> None:
        self._page = mmap.mmap(fd, PAGE_BYTES)
        self._counter = 0

    def running(self, tx_id: str) -> None:
        """From here on the process works for this transaction."""
        self._counter += 1
        name = tx_id.encode("utf-8")[:TX_ID_BYTES_MAX]
        record = HEAD.pack(self._counter, len(name)) + name
        self._page[: len(record)] = record

    def idle(self) -> None:
        """The process waits for its peer."""
        self._page[8] = 0
