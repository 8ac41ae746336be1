"""The consensus journal: what a validator must not forget before it sends a vote.

It holds the records of the height being decided, and the signed votes of the sign guard, in one
file, so that one sync makes both durable. Records of a height are useless once its block is
committed: `restart` begins the next height.

It also holds what tells whether it can be trusted: its birth, which `network init` writes, the
starts of the node with the identity of the file, and a quarantine that is not over
(ledger.node.consensus.vote_memory judges them).
"""

import threading
from collections.abc import Sequence
from pathlib import Path

from ledger.errors import NodeFault
from ledger.storage.fail_points import FailPoints
from ledger.storage.files import DiskFiles, FileIdentity, Files
from ledger.storage.frame_log import FRAME_BYTES_MAX, FrameLog, LogDamaged
from ledger.storage.journal_entries import (
    Boot,
    Entry,
    EntryKind,
    JournalContent,
    QuarantineNote,
    birth_entry,
    boot_entry,
    decode_entries,
    encode_entries,
    encode_entry,
    height_entry,
    quarantine_entry,
)

JOURNAL_FILE = "journal"
"""The journal inside a peer's data folder."""
JOURNAL_ROTATION_BYTES = 8 * 1024 * 1024
"""A file this long is replaced by a new one at the next height."""
RECORD_BYTES_MAX = 16 * 1024 * 1024


def begin_journal(path: Path, *, genesis_hash: bytes, files: Files | None = None) -> None:
    """Write the birth of a validator's journal, once in its life, before its first start.

    Only because every journal begins so does a missing one always mean lost memory. Raises
    NodeFault when there is a journal already.
    """
    if (files or DiskFiles()).exists(path):
        raise NodeFault(f"{path} exists: a validator's journal begins only once")
    log = FrameLog(path, files=files)
    log.append(encode_entry(birth_entry(genesis_hash)))
    log.close()


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
        self._rotation_bytes = rotation_bytes
        self._lock = threading.Lock()
        self._log = FrameLog(path, files=files, fail_points=fail_points)
        self._pending: list[bytes] = []
        self._content = JournalContent()
        try:
            for payload in self._log.take_recovered():
                for entry in decode_entries(payload):
                    self._content.note(entry)
        except LogDamaged as error:
            self._log.close()
            raise LogDamaged(f"{path}: {error}") from error

    @property
    def content(self) -> JournalContent:
        """What is written here; only the journal changes it."""
        return self._content

    @property
    def height(self) -> int:
        """The height being decided; votes below it are over. 0 in a new journal."""
        return self._content.height or 0

    def identity(self) -> FileIdentity:
        """Which file this is now."""
        return self._log.identity()

    def read_all(self) -> list[bytes]:
        """Records of the current height, oldest first."""
        with self._lock:
            return list(self._content.records)

    def read_votes(self) -> list[bytes]:
        """Votes of the current height as the sign guard encoded them, oldest first."""
        with self._lock:
            return list(self._content.votes)

    def append_all(self, records: Sequence[bytes], *, sync: bool = True) -> None:
        """Add records; they are on disk when this returns.

        Without `sync` they wait in memory for the next synced write and are durable with it;
        nothing that depends on them may leave the node before. Raises NodeFault when the disk
        fails; the journal then refuses further use.
        """
        self._add([(EntryKind.RECORD, record) for record in records], sync=sync)

    def append_vote(self, vote: bytes, *, sync: bool = True) -> None:
        """Add a signed vote (for the sign guard); durable like a record."""
        self._add([(EntryKind.VOTE, vote)], sync=sync)

    def sync(self) -> None:
        """Make everything added so far durable."""
        with self._lock:
            self._flush()

    def note_boot(self, epoch: int, *, genesis_hash: bytes, lost: str | None) -> None:
        """The node starts; `lost` is why its memory of votes cannot be trusted, if so.

        One frame, so that a copy is never taken for the original because of a crash in between.
        """
        is_born = self._content.genesis_hash is not None
        entries = [] if is_born else [birth_entry(genesis_hash)]
        if lost is not None:
            entries.append(quarantine_entry(QuarantineNote(lost, None)))
        entries.append(boot_entry(Boot(epoch, self.identity())))
        self._add(entries, sync=True)

    def note_quarantine(
        self, vote_from: int | None, *, cause: str | None = None, set_hash: bytes = b""
    ) -> None:
        """Memory is lost (`cause`), or it is known from which height on that does not matter."""
        if cause is None:
            before = self._content.quarantine
            cause = "" if before is None else before.cause
        self._add([quarantine_entry(QuarantineNote(cause, vote_from, set_hash))], sync=True)

    def restart(self, height: int) -> None:
        """Begin `height` and forget what belongs to lower ones.

        Costs no sync: the block that makes it true is durable already, and a node that loses this
        note in a crash learns the height from its ledger and calls again. A height that is not
        above the journal's changes nothing: the ledger beside it may be older and catch up.
        """
        with self._lock:
            if self._content.height is not None and height <= self._content.height:
                return
            if self._log.size_bytes >= self._rotation_bytes:
                self._log.replace(
                    lambda file: encode_entries(self._content.carried_to(file, height))
                )
                self._pending = []
            else:
                self._pending = [encode_entry(height_entry(height))]
            self._content.note(height_entry(height))

    def close(self) -> None:
        """Release the file; what was added without sync is forgotten, as after a crash."""
        with self._lock:
            self._log.close()

    def _add(self, entries: Sequence[Entry], *, sync: bool) -> None:
        for _, content in entries:
            if len(content) > RECORD_BYTES_MAX:
                raise NodeFault(f"a journal record of {len(content)} bytes is too long")
        with self._lock:
            self._pending += map(encode_entry, entries)
            for entry in entries:
                self._content.note(entry)
            waiting = sum(map(len, self._pending))
            if sync or waiting > FRAME_BYTES_MAX - RECORD_BYTES_MAX:
                self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._log.append(b"".join(self._pending))
            self._pending = []
