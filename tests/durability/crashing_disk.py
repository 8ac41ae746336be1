"""A disk in memory that remembers what was synced, and what a crash leaves of the rest."""

import random
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ledger.model.block import Block
from ledger.storage.fail_points import FailPoints
from ledger.storage.files import FileIdentity
from ledger.storage.kv import Batch
from ledger.storage.ledger_store import LedgerStore
from ledger.storage.memory import MemoryStore, MemoryView
from ledger.storage.opening import open_ledger
from tests.support.identities import CHANNEL_ID

SECTOR_BYTES = 512


class Left(StrEnum):
    """What the disk keeps."""

    EVERYTHING = "killed: everything written stays"
    SYNCED = "power loss: unsynced writes are gone"
    TORN = "power loss: the last unsynced write is torn at a random byte"


@dataclass
class File:
    """One inode."""

    number: int
    content: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    is_open: bool = False
    last_write_at: int = 0


class CrashingDisk:
    """Files by name; both names and contents become durable only when synced."""

    def __init__(self) -> None:
        self.names: dict[Path, File] = {}
        self.synced_names: dict[Path, File] = {}
        self._created = 0
        self.kv = CrashingStore()

    # -- ledger.storage.files.Files ---------------------------------------------------------------

    def exists(self, path: Path) -> bool:
        return path in self.names

    def open(self, path: Path) -> "OpenFile":
        if path not in self.names:
            self._created += 1
            self.names[path] = File(self._created)
        file = self.names[path]
        if file.is_open:
            raise BlockingIOError("held by another process")
        return OpenFile(file)

    def rename(self, source: Path, target: Path) -> None:
        self.names[target] = self.names.pop(source)

    def sync_folder(self, folder: Path) -> None:
        self.synced_names = dict(self.names)

    def open_ledger(self, genesis: Block, fail_points: FailPoints) -> LedgerStore:
        return open_ledger(
            self.kv, channel_id=CHANNEL_ID, genesis=genesis, fail_points=fail_points
        )

    # -- what happens to it -----------------------------------------------------------------------

    def crash(self, left: Left, rng: random.Random) -> None:
        """The process ends; with power loss also what was not synced, or part of it."""
        if left is Left.SYNCED or (left is Left.TORN and rng.random() < 0.5):
            self.names = dict(self.synced_names)
        for file in self.names.values():
            file.is_open = False
            if left is Left.SYNCED:
                file.content = bytearray(file.synced)
            elif left is Left.TORN and bytes(file.content) != file.synced:
                file.content = _torn(file, rng)
            if left is not Left.EVERYTHING:
                file.synced = bytes(file.content)
        if left is not Left.EVERYTHING:
            self.synced_names = dict(self.names)
        self.kv.crash(left, rng)


@dataclass(frozen=True)
class Image:
    """A disk of a stopped process: file contents by name, their inodes, and the database."""

    files: dict[Path, bytes]
    inodes: dict[Path, int]
    database: dict[bytes, bytes]


def image_of(disk: CrashingDisk) -> Image:
    view = disk.kv.snapshot()
    return Image(
        {path: bytes(file.content) for path, file in disk.names.items()},
        {path: file.number for path, file in disk.names.items()},
        dict(view.iterate(b"", b"\xff" * 8)),
    )


def load(disk: CrashingDisk, image: Image, changed: dict[Path, bytes]) -> None:
    """Back to an image in place, with other contents for some of its files."""
    disk.names = {
        path: File(image.inodes[path], bytearray(content), content)
        for path, content in {**image.files, **changed}.items()
    }
    disk.synced_names = dict(disk.names)
    disk.kv = CrashingStore()
    disk.kv.write(list(image.database.items()), sync=True)


def _torn(file: File, rng: random.Random) -> bytearray:
    """The last write ends anywhere; what is missing may read as zeros if the length was kept."""
    start = file.last_write_at
    end = rng.randint(start, len(file.content))
    torn = file.content[:end]
    last_sector = (len(file.content) - 1) // SECTOR_BYTES * SECTOR_BYTES
    if end <= max(start, last_sector) and rng.random() < 0.5:
        torn += bytes(len(file.content) - end)
    return torn


class OpenFile:
    """ledger.storage.files.LogFile."""

    def __init__(self, file: File) -> None:
        self._file = file
        file.is_open = True

    def read_all(self) -> bytes:
        return bytes(self._file.content)

    def append(self, content: bytes) -> None:
        self._file.last_write_at = len(self._file.content)
        self._file.content += content

    def overwrite(self, content: bytes) -> None:
        self._file.last_write_at = 0
        self._file.content[: len(content)] = content

    def sync(self) -> None:
        self._file.synced = bytes(self._file.content)

    def cut(self, size_bytes: int) -> None:
        del self._file.content[size_bytes:]
        self._file.last_write_at = min(self._file.last_write_at, size_bytes)

    def identity(self) -> FileIdentity:
        return self._file.number, 0

    def close(self) -> None:
        self._file.is_open = False


class CrashingStore(MemoryStore):
    """A database whose unsynced batches a power loss takes, the newest first; none is torn."""

    def __init__(self) -> None:
        super().__init__()
        self._synced: dict[bytes, bytes] = {}
        self._unsynced: list[Batch] = []

    def write(self, batch: Batch, *, sync: bool) -> None:
        super().write(batch, sync=sync)
        self._unsynced.append(list(batch))
        if sync:
            self._make_durable(len(self._unsynced))

    def crash(self, left: Left, rng: random.Random) -> None:
        count = len(self._unsynced)
        if left is Left.SYNCED:
            count = 0
        elif left is Left.TORN:
            count = rng.randint(0, max(0, count - 1))
        self._make_durable(count)
        self._unsynced = []
        self._view = MemoryView(dict(self._synced), sorted(self._synced))
        self._shared = False
        self._closed = False

    def _make_durable(self, count: int) -> None:
        for batch in self._unsynced[:count]:
            for key, value in batch:
                if value is None:
                    self._synced.pop(key, None)
                else:
                    self._synced[key] = value
        del self._unsynced[:count]
