"""An append-only file of checksummed frames, which tells a torn end from damage.

Frame: header {magic, payload length, checksum of the frame before, checksum of this header} and
body {payload, checksum of header and payload}. Every frame is written at once and synced, so a
crash can only leave the last one incomplete: it ends early, or the end of it was never written
and reads as zeros. That frame was never acknowledged and is dropped; a mark beside the log
(`length_mark`) tells if it was. Anything else that does not check is damage, and dropping it could
lose a vote that was sent.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import NodeFault
from ledger.storage.fail_points import FailPoint, FailPoints
from ledger.storage.files import DiskFiles, FileIdentity, Files, LogFile
from ledger.storage.length_mark import LengthMark

FRAME_BYTES_MAX = 64 * 1024 * 1024
_MAGIC = 0x47524C47
_HEADER = struct.Struct(">IIII")
_HEADER_CHECKED = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_SECTOR_BYTES = 512


@dataclass(frozen=True, slots=True)
class _Scan:
    payloads: list[bytes]
    first: int
    """Checksum of the first frame; 0 if there is none."""
    checksum: int
    """Of the last frame."""
    good_bytes: int


class LogDamaged(NodeFault):
    """What was durable has changed: nothing in the file can be trusted from there on."""


def fresh_path(path: Path) -> Path:
    """Where a new file is written before it takes the place of the old one."""
    return path.with_name(path.name + ".fresh")


class FrameLog:
    """One file, held by one process. After any failure it refuses further writes."""

    def __init__(
        self, path: Path, *, files: Files | None = None, fail_points: FailPoints | None = None
    ) -> None:
        """Open or create the file; NodeFault when another process holds it, LogDamaged."""
        self._path = path
        self._files: Files = files or DiskFiles()
        self._fail_points = fail_points or FailPoints()
        self._usable = True
        try:
            self._file: LogFile = self._files.open(path)
            self._mark = LengthMark(path, self._files)
        except OSError as error:
            raise NodeFault(f"cannot open the journal {path}: {error}") from error
        try:
            scan = self._recover()
        except OSError as error:
            self.close()
            raise NodeFault(f"cannot use the journal {path}: {error}") from error
        except LogDamaged:
            self.close()
            raise
        self._recovered = scan.payloads
        self._first = scan.first
        self._checksum = scan.checksum
        self._size_bytes = scan.good_bytes

    @property
    def size_bytes(self) -> int:
        """Length of the file."""
        return self._size_bytes

    def identity(self) -> FileIdentity:
        """Which file this is; a copy has another one."""
        try:
            return self._file.identity()
        except OSError as error:
            raise self._fail("look at", error) from error

    def take_recovered(self) -> list[bytes]:
        """Payloads found at opening, oldest first; they are released from memory by this call."""
        recovered, self._recovered = self._recovered, []
        return recovered

    def append(self, payload: bytes) -> None:
        """Write one frame; it is on disk when this returns. NodeFault is final: no retry."""
        assert len(payload) <= FRAME_BYTES_MAX, "the caller bounds its records"
        self._require_usable()
        frame, checksum = _frame(payload, self._checksum)
        self._fail_points.reach(FailPoint.FRAME_BEFORE_WRITE)
        try:
            self._file.append(frame)
            self._fail_points.reach(FailPoint.FRAME_WRITTEN)
            self._file.sync()
            self._fail_points.reach(FailPoint.FRAME_SYNCED)
            self._first = self._first or checksum
            self._size_bytes += len(frame)
            self._mark.write(first=self._first, size_bytes=self._size_bytes)
        except OSError as error:
            raise self._fail("append to", error) from error
        self._checksum = checksum

    def replace(self, payload_for: Callable[[FileIdentity], bytes]) -> None:
        """Start over with a file of one frame, atomically: either file is found complete."""
        self._require_usable()
        try:
            fresh = self._open_fresh()
            frame, checksum = _frame(payload_for(fresh.identity()), 0)
            self._write_fresh(fresh, frame)
            self._mark.write(first=checksum, size_bytes=len(frame))
            self._file.close()
        except OSError as error:
            raise self._fail("rotate", error) from error
        self._fail_points.reach(FailPoint.ROTATION_DURABLE)
        self._file, self._size_bytes = fresh, len(frame)
        self._first = self._checksum = checksum

    def close(self) -> None:
        """Release the file; later writes raise NodeFault."""
        self._usable = False
        self._file.close()
        self._mark.close()

    def _recover(self) -> _Scan:
        """Read all whole frames and cut off a torn one, durably."""
        self._files.sync_folder(self._path.parent)
        content = self._file.read_all()
        scan = _scan(self._path, content)
        acknowledged = self._mark.read(first=scan.first)
        if acknowledged > scan.good_bytes:
            raise LogDamaged(
                f"{self._path} is damaged at byte {scan.good_bytes}: {acknowledged} bytes of it"
                " were durable; this validator must not vote with it"
            )
        if scan.good_bytes < len(content):
            self._fail_points.reach(FailPoint.JOURNAL_TAIL_FOUND)
            self._file.cut(scan.good_bytes)
        # Whole frames too: a process killed between write and sync leaves them in the cache only,
        # and after a failed sync the kernel calls bytes clean that the disk may never have got.
        # Writing the same bytes again harms nothing, wherever a crash cuts it.
        self._file.overwrite(content[: scan.good_bytes])
        self._file.sync()
        self._mark.write(first=scan.first, size_bytes=scan.good_bytes)
        if scan.good_bytes < len(content):
            self._fail_points.reach(FailPoint.JOURNAL_TAIL_CUT)
        return scan

    def _open_fresh(self) -> LogFile:
        """The file to be, empty; one that a crash left behind is used again."""
        self._fail_points.reach(FailPoint.ROTATION_BEGUN)
        fresh = self._files.open(fresh_path(self._path))
        fresh.cut(0)
        return fresh

    def _write_fresh(self, fresh: LogFile, frame: bytes) -> None:
        fresh.append(frame)
        self._fail_points.reach(FailPoint.ROTATION_WRITTEN)
        fresh.sync()
        self._fail_points.reach(FailPoint.ROTATION_SYNCED)
        self._files.rename(fresh_path(self._path), self._path)
        self._fail_points.reach(FailPoint.ROTATION_RENAMED)
        self._files.sync_folder(self._path.parent)

    def _require_usable(self) -> None:
        if not self._usable:
            raise NodeFault(f"the journal {self._path} is closed or failed before")

    def _fail(self, action: str, error: OSError) -> NodeFault:
        # After a failed fsync the kernel may have dropped the data and would report success next
        # time, so nothing after it can be trusted.
        self._usable = False
        return NodeFault(f"cannot {action} the journal {self._path}: {error}")


def _scan(path: Path, content: bytes) -> _Scan:
    payloads: list[bytes] = []
    offset, first, checksum = 0, 0, 0
    while offset < len(content):
        end = _frame_end(content, offset, checksum)
        if end is None:
            if _is_torn(content, offset):
                break
            raise LogDamaged(
                f"{path} is damaged at byte {offset} of {len(content)};"
                " this validator must not vote with it"
            )
        payloads.append(content[offset + _HEADER.size : end - _CHECKSUM.size])
        (checksum,) = _CHECKSUM.unpack_from(content, end - _CHECKSUM.size)
        first = first or checksum
        offset = end
    return _Scan(payloads, first, checksum, offset)


def _frame(payload: bytes, previous: int) -> tuple[bytes, int]:
    """Bytes of a frame and the checksum that the next one continues."""
    checked = _HEADER_CHECKED.pack(_MAGIC, len(payload), previous)
    head = checked + _CHECKSUM.pack(zlib.crc32(checked))
    checksum = zlib.crc32(payload, zlib.crc32(head))
    return b"".join((head, payload, _CHECKSUM.pack(checksum))), checksum


def _header_length(content: bytes, offset: int) -> int | None:
    """Payload length if a whole, intact header stands at `offset`."""
    if offset + _HEADER.size > len(content):
        return None
    magic, length, _, checksum = _HEADER.unpack_from(content, offset)
    checked = content[offset : offset + _HEADER_CHECKED.size]
    if magic != _MAGIC or zlib.crc32(checked) != checksum or length > FRAME_BYTES_MAX:
        return None
    return int(length)


def _frame_end(content: bytes, offset: int, previous: int) -> int | None:
    """Where the frame at `offset` ends, or None when it is not whole and intact."""
    length = _header_length(content, offset)
    if length is None:
        return None
    body = offset + _HEADER.size
    end = body + length + _CHECKSUM.size
    if end > len(content) or _HEADER.unpack_from(content, offset)[2] != previous:
        return None
    (checksum,) = _CHECKSUM.unpack_from(content, end - _CHECKSUM.size)
    found = zlib.crc32(content[offset : end - _CHECKSUM.size])
    return end if found == checksum else None


def _is_torn(content: bytes, offset: int) -> bool:
    """Whether what stands at `offset` is the beginning of a frame that a crash cut short."""
    rest = len(content) - offset
    length = _header_length(content, offset)
    if length is not None:
        whole = _HEADER.size + length + _CHECKSUM.size
        # Longer than the frame: something follows it, so it had been acknowledged.
        return rest < whole or (rest == whole and _ends_unwritten(content, offset))
    return rest < _HEADER.size or _ends_unwritten(content, offset)


def _ends_unwritten(content: bytes, offset: int) -> bool:
    """Whether the last sector from `offset` on, and the checksum in any case, read as zeros."""
    last_sector = (len(content) - 1) // _SECTOR_BYTES * _SECTOR_BYTES
    start = min(last_sector, len(content) - _CHECKSUM.size)
    return not any(content[max(offset, start) :])
