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

from meternode.flash import make_folder, remove
from meternode.reading import QUALITIES, Reading
from meternode.segments import SEGMENT_RECORDS, Segments

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
        self._segments = Segments(self._segments_max + 1)
        self.dropped = 0
        make_folder(folder)
        self._load()

    def __len__(self):
        return self._segments.waiting

    def append(self, reading, raw):
        """Keep a reading with its raw signature; durable on return."""
        if len(raw) != self._raw_bytes:
            raise ValueError("a signature of another tier")
        segments = self._segments
        last = len(segments) - 1
        if last >= 0 and reading.seq < segments.next_seq(last):
            raise ValueError("a reading's seq is above all before it")
        if last < 0 or not segments.fits(last, reading.seq):
            segments.add(reading.seq)
            self._make_room()
            last = len(segments) - 1
        with open(self._path(last), "ab") as file:
            file.write(self._packed(reading, raw))
        segments.grew(last)

    def stored(self, ranges):
        """Forget the readings the gateway has stored: `[first, last]` pairs, ends included."""
        segments = self._segments
        for at in range(len(segments) - 1, -1, -1):
            for first, last in ranges:
                segments.mark(at, first, last)
            is_last = at == len(segments) - 1
            is_full = segments.count(at) >= SEGMENT_RECORDS
            if segments.left(at) == 0 and (not is_last or is_full):
                self._delete(at)

    def after(self, seq, count_max):
        """`(reading, raw)` of the oldest waiting readings above `seq`, of one segment at most."""
        for at in range(len(self._segments)):
            wanted = []
            for position in self._segments.waiting_after(at, seq):
                if len(wanted) == count_max:
                    break
                wanted.append(position)
            if wanted:
                return self._read(at, wanted)
        return []

    def waiting_through(self, seq):
        """How many readings up to `seq` wait."""
        above = 0
        for at in range(len(self._segments)):
            above += sum(1 for _ in self._segments.waiting_after(at, seq))
        return len(self) - above

    def last_reading(self):
        """The newest reading there is a file of, stored or not; None for an empty box."""
        last = len(self._segments) - 1
        return self._read(last, [self._segments.count(last) - 1])[0][0] if last >= 0 else None

    def _path(self, at):
        return self._path_of(self._segments.first(at))

    def _path_of(self, first):
        return f"{self._folder}/{first:015d}.seg"

    def _make_room(self):
        while len(self._segments) > self._segments_max:
            self.dropped += self._delete(0)

    def _delete(self, at):
        """Remove a file; how many of its readings were not stored."""
        remove(self._path(at))
        return self._segments.drop(at)

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

    def _read(self, at, positions):
        found = []
        with open(self._path(at), "rb") as file:
            for position in positions:
                file.seek(position * self._record_bytes)
                found.append(self._unpacked(file.read(self._record_bytes)))
        return found

    def _load(self):
        """The index from the files, after a reset."""
        for first in sorted([int(name.split(".")[0]) for name in os.listdir(self._folder)]):
            count = 0
            with open(self._path_of(first), "rb") as file:
                while True:
                    record = file.read(self._record_bytes)
                    if self._unpacked(record) is None:
                        break
                    count += 1
            if count:
                # a torn end shifts what would be appended, so nothing is appended to it
                self._segments.add(first, count, is_closed=len(record) > 0)
                self._make_room()
            else:
                remove(self._path_of(first))
