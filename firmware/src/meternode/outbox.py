"""Signed readings that the gateway has not stored yet, on flash; memory holds an index only.

Segment files of `SEGMENT_RECORDS` records of fixed size with numbers that follow each other, named
by the first. A record is appended and closed before anything is sent; a record torn by a power cut
fails its checksum and is left out, with what follows it in the file. When all records of a
segment are stored its file goes. What was stored of a segment and not yet deleted is sent again
after a reset; the gateway counts it once.

When full the oldest reading goes, and is counted in `dropped`: registers are cumulative, so what
is lost is detail and no energy.
"""

import binascii
import os
import struct

from meternode.fixed_list import FixedList
from meternode.flash import make_folder, remove
from meternode.reading import QUALITIES, Reading

SEGMENT_RECORDS = 64
_FIXED = ">QQQQB"
_FIXED_BYTES = 33
_CHECKSUM_BYTES = 4


class Outbox:
    """Bounded store of signed readings, oldest first; `seq` grows from one to the next."""

    def __init__(self, folder, raw_bytes, records_max):
        self._folder = folder
        self._raw_bytes = raw_bytes
        self._record_bytes = _FIXED_BYTES + raw_bytes + _CHECKSUM_BYTES
        self._segments_max = max(2, -(-records_max // SEGMENT_RECORDS) + 1)
        self._segments = FixedList(self._segments_max + 1)
        self.dropped = 0
        make_folder(folder)
        self._load()

    def __len__(self):
        return sum(segment.left() for segment in self._segments)

    def append(self, reading, raw):
        """Keep a reading with its raw signature; durable on return."""
        if len(raw) != self._raw_bytes:
            raise ValueError("a signature of another tier")
        last = self._segments.last()
        if last is not None and reading.seq < last.next_seq():
            raise ValueError("a reading's seq is above all before it")
        if last is None or last.is_closed or not self._fits(last, reading.seq):
            last = _Segment(reading.seq)
            self._segments.append(last)
            self._make_room()
        with open(self._path(last), "ab") as file:
            file.write(self._packed(reading, raw))
        last.count += 1

    def stored(self, ranges):
        """Forget the readings the gateway has stored: `[first, last]` pairs, ends included."""
        for segment in self._segments:
            for first, last in ranges:
                segment.mark(first, last)
        for position in range(len(self._segments) - 1, -1, -1):
            segment = self._segments[position]
            is_last = segment is self._segments.last()
            if segment.left() == 0 and (not is_last or segment.count >= SEGMENT_RECORDS):
                self._delete(position)

    def after(self, seq, count_max):
        """`(reading, raw)` of the oldest waiting readings above `seq`, of one segment at most."""
        for segment in self._segments:
            wanted = segment.waiting_after(seq)[:count_max]
            if wanted:
                return self._read(segment, wanted)
        return []

    def waiting_through(self, seq):
        """How many readings up to `seq` wait."""
        return sum(segment.left() - len(segment.waiting_after(seq)) for segment in self._segments)

    def last_reading(self):
        """The newest reading there is a file of, stored or not; None for an empty box."""
        segment = self._segments.last()
        return self._read(segment, [segment.count - 1])[0][0] if segment else None

    def _fits(self, segment, seq):
        return segment.count < SEGMENT_RECORDS and seq == segment.next_seq()

    def _path(self, segment):
        return f"{self._folder}/{segment.first:015d}.seg"

    def _make_room(self):
        while len(self._segments) > self._segments_max:
            self.dropped += self._segments[0].left()
            self._delete(0)

    def _delete(self, position):
        remove(self._path(self._segments.pop(position)))

    def _packed(self, reading, raw):
        body = (
            struct.pack(
                _FIXED,
                reading.seq,
                reading.t_end_ms,
                reading.import_wh,
                reading.export_wh,
                QUALITIES.index(reading.quality),
            )
            + raw
        )
        return body + struct.pack(">I", binascii.crc32(body))

    def _unpacked(self, record):
        """`(reading, raw)`, or None for a torn record."""
        if len(record) != self._record_bytes:
            return None
        body = record[:-_CHECKSUM_BYTES]
        if struct.unpack(">I", record[-_CHECKSUM_BYTES:])[0] != binascii.crc32(body):
            return None
        seq, t_end_ms, import_wh, export_wh, quality = struct.unpack(_FIXED, body[:_FIXED_BYTES])
        reading = Reading(seq, t_end_ms, import_wh, export_wh, QUALITIES[quality])
        return reading, body[_FIXED_BYTES:]

    def _read(self, segment, positions):
        found = []
        with open(self._path(segment), "rb") as file:
            for position in positions:
                file.seek(position * self._record_bytes)
                found.append(self._unpacked(file.read(self._record_bytes)))
        return found

    def _load(self):
        """The index from the files, after a reset."""
        for first in sorted([int(name.split(".")[0]) for name in os.listdir(self._folder)]):
            segment = _Segment(first)
            with open(self._path(segment), "rb") as file:
                while True:
                    record = file.read(self._record_bytes)
                    if self._unpacked(record) is None:
                        break
                    segment.count += 1
            if segment.count:
                # a torn end shifts what would be appended, so nothing is appended to it
                segment.is_closed = len(record) > 0
                self._segments.append(segment)
                self._make_room()
            else:
                remove(self._path(segment))


class _Segment:
    """One file of readings numbered without a gap, and which of them are stored."""

    def __init__(self, first):
        self.first = first
        self.count = 0
        self.is_closed = False
        self._stored = 0

    def next_seq(self):
        return self.first + self.count

    def mark(self, first, last):
        low = max(first, self.first) - self.first
        high = min(last, self.next_seq() - 1) - self.first
        if low <= high:
            self._stored |= ((1 << (high - low + 1)) - 1) << low

    def left(self):
        stored, marked = 0, self._stored
        while marked:
            stored += marked & 1
            marked >>= 1
        return self.count - stored

    def waiting_after(self, seq):
        start = max(0, seq + 1 - self.first)
        return [at for at in range(start, self.count) if not (self._stored >> at) & 1]
