"""Which files an outbox has and which of their readings are stored: an index of fixed memory.

Of each file 18 bytes, taken once at the start: a day at one reading per 10 s is 136 files, and as
objects they took six times as much and tore the heap where TLS needs some kilobytes in one piece.
"""

from array import array

SEGMENT_RECORDS = 64
"""Readings of one file."""
_MARK_BYTES = SEGMENT_RECORDS // 8


class Segments:
    """Files in the order of their readings; a place is a position, 0 the oldest."""

    def __init__(self, capacity):
        self._first = array("Q", [0] * capacity)
        self._count = bytearray(capacity)
        self._closed = bytearray(capacity)
        self._marks = bytearray(capacity * _MARK_BYTES)
        self._used = 0
        self.waiting = 0
        """Readings of all files that are not stored."""

    def __len__(self):
        return self._used

    def add(self, first, count=0, is_closed=False):
        """One more file, the newest; raises `IndexError` when there is no room."""
        at = self._used
        self._first[at] = first
        self._count[at] = count
        self._closed[at] = is_closed
        for byte in range(at * _MARK_BYTES, (at + 1) * _MARK_BYTES):
            self._marks[byte] = 0
        self._used += 1
        self.waiting += count

    def first(self, at):
        """The `seq` its file is named by."""
        return self._first[at]

    def count(self, at):
        """How many readings its file has."""
        return self._count[at]

    def next_seq(self, at):
        """What the next reading in this file would be."""
        return self._first[at] + self._count[at]

    def grew(self, at):
        """A reading was appended to its file."""
        self._count[at] += 1
        self.waiting += 1

    def fits(self, at, seq):
        """Whether a reading may be appended to this file."""
        is_open = not self._closed[at] and self._count[at] < SEGMENT_RECORDS
        return is_open and seq == self.next_seq(at)

    def is_stored(self, at, position):
        """Whether the reading at this position of the file is stored."""
        return bool(self._marks[at * _MARK_BYTES + (position >> 3)] >> (position & 7) & 1)

    def mark(self, at, first, last):
        """Readings from `first` to `last`, as far as this file has them, are stored."""
        start = max(first, self._first[at]) - self._first[at]
        for position in range(start, min(last, self.next_seq(at) - 1) - self._first[at] + 1):
            if not self.is_stored(at, position):
                self._marks[at * _MARK_BYTES + (position >> 3)] |= 1 << (position & 7)
                self.waiting -= 1

    def waiting_after(self, at, seq):
        """Positions in this file of what waits above `seq`, in order."""
        for position in range(max(0, seq + 1 - self._first[at]), self._count[at]):
            if not self.is_stored(at, position):
                yield position

    def left(self, at):
        """How many of this file are not stored."""
        return sum(1 for _ in self.waiting_after(at, -1))

    def drop(self, at):
        """Forget a file; how many of its readings were not stored."""
        lost = self.left(at)
        self.waiting -= lost
        self._used -= 1
        for later in range(at, self._used):
            self._first[later] = self._first[later + 1]
            self._count[later] = self._count[later + 1]
            self._closed[later] = self._closed[later + 1]
        for byte in range(at * _MARK_BYTES, self._used * _MARK_BYTES):
            self._marks[byte] = self._marks[byte + _MARK_BYTES]
        return lost
