"""A disk on which one chosen operation fails, as with an input/output error or no space left."""

import errno
from pathlib import Path

from ledger.errors import NodeFault
from ledger.storage.files import FileIdentity, LogFile
from ledger.storage.kv import Batch
from tests.durability.crashing_disk import CrashingDisk, CrashingStore


class Faults:
    """Counts the operations of one disk; the chosen one fails, and after it every write."""

    def __init__(self) -> None:
        self.count = 0
        self.fails_at = 0
        """Number of the operation that fails, from 1; 0 for none."""
        self.names: list[str] = []

    @property
    def has_failed(self) -> bool:
        return 0 < self.fails_at <= self.count

    def next(self, name: str) -> bool:
        """Whether this operation fails."""
        self.count += 1
        self.names.append(name)
        return self.count == self.fails_at


class FailingDisk(CrashingDisk):
    """A CrashingDisk whose journal and database operations are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.faults = Faults()
        self.kv = FailingStore(self.faults)

    def open(self, path: Path) -> LogFile:
        if self.faults.next(f"open {path.name}"):
            raise OSError(errno.EIO, "Input/output error")
        return FailingFile(super().open(path), path.name, self.faults)

    def rename(self, source: Path, target: Path) -> None:
        if self.faults.next(f"rename {target.name}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        super().rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        if self.faults.next("sync folder"):
            raise OSError(errno.EIO, "Input/output error")
        super().sync_folder(folder)


class FailingFile:
    """A LogFile; a failing write leaves a part of its bytes."""

    def __init__(self, file: LogFile, name: str, faults: Faults) -> None:
        self._file = file
        self._name = name
        self._faults = faults

    def read_all(self) -> bytes:
        if self._faults.next(f"read {self._name}"):
            raise OSError(errno.EIO, "Input/output error")
        return self._file.read_all()

    def append(self, content: bytes) -> None:
        if self._faults.next(f"append {self._name}"):
            self._file.append(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        self._file.append(content)

    def overwrite(self, content: bytes) -> None:
        if self._faults.next(f"overwrite {self._name}"):
            self._file.overwrite(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        self._file.overwrite(content)

    def sync(self) -> None:
        if self._faults.next(f"sync {self._name}"):
            raise OSError(errno.EIO, "Input/output error")
        self._file.sync()

    def cut(self, size_bytes: int) -> None:
        if self._faults.next(f"cut {self._name}"):
            raise OSError(errno.EIO, "Input/output error")
        self._file.cut(size_bytes)

    def identity(self) -> FileIdentity:
        return self._file.identity()

    def close(self) -> None:
        self._file.close()


class FailingStore(CrashingStore):
    """A database that reports a failed write; whether the batch is there is not known."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults
        self.keeps_failed_batch = False

    def write(self, batch: Batch, *, sync: bool) -> None:
        if self._faults.next("write database"):
            if self.keeps_failed_batch:
                super().write(batch, sync=False)
            raise NodeFault("cannot write the database: No space left on device")
        super().write(batch, sync=sync)
