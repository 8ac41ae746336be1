"""Append-only files and the few things a journal needs of a disk, as a port.

`DiskFiles` is the operating system; the simulator passes files that lose unsynced writes, tear
them, fill up or fail. Every method raises OSError when the disk fails: the caller turns it into a
NodeFault and does not try again.
"""

import fcntl
import os
import struct
from pathlib import Path
from typing import Protocol

FileIdentity = tuple[int, int]
"""(inode number, inode generation): another one for a copy of a file, the same for its life.

The device is left out: its number may change when a machine restarts.
"""

_GET_GENERATION = 0x80087601  # FS_IOC_GETVERSION of Linux
_GENERATION = struct.Struct("=q")


class LogFile(Protocol):
    """One file, held by one process."""

    def read_all(self) -> bytes:
        """The whole content."""
        ...

    def append(self, content: bytes) -> None:
        """Write at the end; a crash may lose any part of it until `sync` returned."""
        ...

    def overwrite(self, content: bytes) -> None:
        """Write over the first bytes; may be torn by a crash like anything not synced."""
        ...

    def sync(self) -> None:
        """Make content and length durable."""
        ...

    def cut(self, size_bytes: int) -> None:
        """Shorten the file; not durable before `sync`."""
        ...

    def identity(self) -> FileIdentity:
        """Which file this is: kept by a rename, not by a copy."""
        ...

    def close(self) -> None:
        """Release the file; what was not synced may be lost."""
        ...


class Files(Protocol):
    """The disk."""

    def exists(self, path: Path) -> bool:
        """Whether a file of that name exists."""
        ...

    def open(self, path: Path) -> LogFile:
        """Open or create, with its folder; OSError (BlockingIOError) when another process has it.

        The name of a new file is durable only after `sync_folder`.
        """
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, in the place of what had it; durable after `sync_folder`."""
        ...

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        ...


class DiskLogFile:
    """A LogFile of the operating system."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise

    def read_all(self) -> bytes:
        """See LogFile."""
        size = os.fstat(self._file).st_size
        content = b""
        while len(content) < size:
            read = os.pread(self._file, size - len(content), len(content))
            if not read:
                raise OSError(f"{self._path} ends at {len(content)} of {size} bytes")
            content += read
        return content

    def append(self, content: bytes) -> None:
        """See LogFile."""
        self._write_at(os.fstat(self._file).st_size, content)

    def overwrite(self, content: bytes) -> None:
        """See LogFile."""
        self._write_at(0, content)

    def _write_at(self, position: int, content: bytes) -> None:
        written = 0
        while written < len(content):
            written += os.pwrite(self._file, content[written:], position + written)

    def sync(self) -> None:
        """See LogFile."""
        os.fdatasync(self._file)

    def cut(self, size_bytes: int) -> None:
        """See LogFile."""
        os.ftruncate(self._file, size_bytes)

    def identity(self) -> FileIdentity:
        """See LogFile."""
        try:
            raw = fcntl.ioctl(self._file, _GET_GENERATION, bytes(_GENERATION.size))
            (generation,) = _GENERATION.unpack(raw)
        except OSError:  # a file system without generations (tmpfs): inodes are not reused there
            generation = 0
        return os.fstat(self._file).st_ino, generation

    def close(self) -> None:
        """See LogFile."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class DiskFiles:
    """Files of the operating system."""

    def exists(self, path: Path) -> bool:
        """See Files."""
        return path.exists()

    def open(self, path: Path) -> LogFile:
        """See Files."""
        path.parent.mkdir(parents=True, exist_ok=True)
        return DiskLogFile(path)

    def rename(self, source: Path, target: Path) -> None:
        """See Files."""
        source.replace(target)

    def sync_folder(self, folder: Path) -> None:
        """See Files."""
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
