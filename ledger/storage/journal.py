"""The consensus journal: what a validator must not forget before it sends a vote.

It holds the records of the height being decided, and the signed votes of the sign guard, in one
file, so that one sync makes both durable. Records of a height are useless once its block is
committed: `restart` begins the next height.
"""

import struct
import threading
from collections.abc import Sequence
from pathlib import Path

from ledger.errors import NodeFault
from ledger.storage.fail_points import FailPoints
from ledger.storage.files import Files
from ledger.storage.frame_log import FRAME_BYTES_MAX, FrameLog

JOURNAL_ROTATION_BYTES = 8 * 1024 * 1024
"""A file this long is replaced by a new one at the next height."""
RECORD_BYTES_MAX = 16 * 1024 * 1024

_RECORD, _VOTE, _HEIGHT = 1, 2, 3
_ENTRY_HEAD = struct.Struct(">BI")
_HEIGHT_NUMBER = struct.Struct(">Q")


class Journal:
    """Records and votes of one height, durable; safe to use from several threads.

    Several entries written together are one frame: after a crash all of them are found or none.
    """

    def __init__(
        self,
        path: Path,
        *,
        rotation_bytes: int = JOURNAL_ROTATION_BYTES,
        files: Files | None = None,
        fail_points: FailPoints | None = None,
    ) -> None:
        """Open or create; NodeFault when another process holds the file, LogDamaged."""
        self._path = path
        self._rotation_bytes = rotation_bytes
        self._lock = threading.Lock()
        self._log = FrameLog(path, files=files, fail_points=fail_points)
        self._height: int | None = None
        self._records: list[bytes] = []
        self._votes: list[bytes] = []
        self._pending: list[bytes] = []
        for payload in self._log.take_recovered():
            for kind, content in _entries(path, payload):
                self._note(kind, content)

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever recorded here.

        A new journal beside a ledger that has blocks means that the validator's memory of its
        votes is lost (new disk, restored backup): it must not vote before it is safe again.
        """
        return self._height is None and not self._records and not self._votes

    @property
    def height(self) -> int:
        """The height being decided; votes below it are over. 0 in a new journal."""
        return self._height or 0

    def read_all(self) -> list[bytes]:
        """Records of the current height, oldest first."""
        with self._lock:
            return list(self._records)

    def read_votes(self) -> list[bytes]:
        """Votes of the current height as the sign guard encoded them, oldest first."""
        with self._lock:
            return list(self._votes)

    def append(self, record: bytes, *, sync: bool = True) -> None:
        """Add one record; see append_all."""
        self.append_all([record], sync=sync)

    def append_all(self, records: Sequence[bytes], *, sync: bool = True) -> None:
        """Add records; they are on disk when this returns.

        Without `sync` they wait in memory for the next synced write and are durable with it;
        nothing that depends on them may leave the node before. Raises NodeFault when the disk
        fails; the journal then refuses further use.
        """
        self._add(_RECORD, records, sync=sync)

    def append_vote(self, vote: bytes, *, sync: bool = True) -> None:
        """Add a signed vote (for the sign guard); durable like a record."""
        self._add(_VOTE, [vote], sync=sync)

    def sync(self) -> None:
        """Make everything added so far durable."""
        with self._lock:
            self._flush()

    def restart(self, height: int) -> None:
        """Begin `height` and forget what belongs to lower ones; the same height changes nothing.

        Costs no sync: the block that makes it true is durable already, and a node that loses this
        note in a crash learns the height from its ledger and calls again. NodeFault when the
        journal is already higher: the ledger beside it is an older copy.
        """
        with self._lock:
            if self._height is not None and height <= self._height:
                if height < self._height:
                    raise NodeFault(
                        f"the journal {self._path} is at height {self._height} and the ledger"
                        f" asks for {height}: was an old copy of the data folder restored?"
                    )
                return
            entry = _entry(_HEIGHT, _HEIGHT_NUMBER.pack(height))
            if self._log.size_bytes >= self._rotation_bytes:
                self._log.replace(entry)
                self._pending = []
            else:
                self._pending = [entry]
            self._begin(height)

    def close(self) -> None:
        """Release the file; what was added without sync is forgotten, as after a crash."""
        with self._lock:
            self._log.close()

    def _add(self, kind: int, contents: Sequence[bytes], *, sync: bool) -> None:
        for content in contents:
            if len(content) > RECORD_BYTES_MAX:
                raise NodeFault(f"a journal record of {len(content)} bytes is too long")
        with self._lock:
            self._pending += [_entry(kind, content) for content in contents]
            for content in contents:
                self._note(kind, content)
            waiting = sum(map(len, self._pending))
            if sync or waiting > FRAME_BYTES_MAX - RECORD_BYTES_MAX:
                self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._log.append(b"".join(self._pending))
            self._pending = []

    def _note(self, kind: int, content: bytes) -> None:
        if kind == _RECORD:
            self._records.append(content)
        elif kind == _VOTE:
            self._votes.append(content)
        else:
            (height,) = _HEIGHT_NUMBER.unpack(content)
            self._begin(height)

    def _begin(self, height: int) -> None:
        self._height, self._records, self._votes = height, [], []


def _entry(kind: int, content: bytes) -> bytes:
    return _ENTRY_HEAD.pack(kind, len(content)) + content


def _entries(path: Path, payload: bytes) -> list[tuple[int, bytes]]:
    entries, offset = [], 0
    try:
        while offset < len(payload):
            kind, length = _ENTRY_HEAD.unpack_from(payload, offset)
            offset += _ENTRY_HEAD.size
            content = payload[offset : offset + length]
            if len(content) < length or kind not in (_RECORD, _VOTE, _HEIGHT):
                raise NodeFault(f"the journal {path} holds an entry of unknown form")
            entries.append((kind, content))
            offset += length
    except struct.error as error:
        raise NodeFault(f"the journal {path} holds an entry of unknown form") from error
    return entries
