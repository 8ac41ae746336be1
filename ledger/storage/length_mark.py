"""How long a log was when its newest frame was acknowledged, in a small file beside it.

A torn last frame is dropped because it was never acknowledged. The mark, written after every sync
and never synced itself, tells the other case apart: if it survived and the log is shorter, or its
end is damaged, then something acknowledged is gone. It can only be behind, never ahead, of what
the disk holds; a lost or torn mark says nothing.
"""

import struct
import zlib
from pathlib import Path

from ledger.storage.files import Files

_MARK = struct.Struct(">IQ")
_CHECKSUM = struct.Struct(">I")


class LengthMark:
    """The mark of one log; `first` is the checksum of the log's first frame, which names it."""

    def __init__(self, log_path: Path, files: Files) -> None:
        """Open or create the mark's file; OSError when that fails."""
        self._file = files.open(log_path.with_name(log_path.name + ".mark"))

    def read(self, *, first: int) -> int:
        """Bytes that were acknowledged, at least; 0 when nothing is known about this log."""
        raw = self._file.read_all()[: _MARK.size + _CHECKSUM.size]
        if len(raw) < _MARK.size + _CHECKSUM.size:
            return 0
        marked, size = _MARK.unpack_from(raw)
        (checksum,) = _CHECKSUM.unpack_from(raw, _MARK.size)
        is_ours = marked == first and zlib.crc32(raw[: _MARK.size]) == checksum
        return int(size) if is_ours else 0

    def write(self, *, first: int, size_bytes: int) -> None:
        """The log is durable up to here."""
        raw = _MARK.pack(first, size_bytes)
        self._file.overwrite(raw + _CHECKSUM.pack(zlib.crc32(raw)))

    def close(self) -> None:
        """Release the file."""
        self._file.close()
