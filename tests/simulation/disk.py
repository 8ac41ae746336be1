"""A validator's disk: files and a database that forget, tear, fill up, fail and slow down.

`SimulatedFiles` stands behind the journal (`ledger.storage.files.Files`), `SimulatedStore` behind
the ledger (`ledger.storage.kv.KeyValueStore`). What was synced survives a crash; of the rest any
part may. A process that is killed loses nothing that it wrote; a power cut does.

Damage that nobody can notice (a misdirected write, a synced tail that is gone, an old image put
back below the file system) is done only to validators that count as faulty in the seed.
"""

import random
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import NodeFault
from ledger.node.process.disk_watch import VOTES_BYTES, Space
from ledger.storage.files import FileIdentity
from ledger.storage.kv import Batch, StoreDamaged
from ledger.storage.memory import MemoryView

SECTOR_BYTES = 512
PAGE_BYTES = 4096
FOLDER = Path("/validator")
DISK_BYTES = 10**12
ROOMY = Space(DISK_BYTES // 2, DISK_BYTES)
NEARLY_FULL = Space(VOTES_BYTES - 1, DISK_BYTES)


@dataclass(slots=True)
class DiskFaults:
    """Chances that one operation fails, and what a slow one costs. All zero: a good disk."""

    sync_fails: float = 0
    write_fails: float = 0
    """No space left, after a part of the bytes."""
    read_fails: float = 0
    slow: float = 0
    slow_ms_max: int = 0
    misdirected: float = 0


class Inode:
    """One file: its bytes, and how many of them a power cut leaves for certain."""

    __slots__ = ("content", "durable", "forgotten_pages", "is_open", "number")

    def __init__(self, number: int, content: bytes = b"") -> None:
        self.number = number
        self.content = bytearray(content)
        self.durable = bytes(content)
        self.is_open = False
        self.forgotten_pages: set[int] = set()
        """Pages that a failed sync marked clean: readers see them, the disk never got them."""

    def write(self, position: int, content: bytes) -> None:
        """Put bytes there, beyond the end too; touched pages are dirty again."""
        end = position + len(content)
        self.content[position:end] = content
        if self.forgotten_pages:
            touched = range(position // PAGE_BYTES, -(-end // PAGE_BYTES))
            self.forgotten_pages.difference_update(touched)

    def sync(self) -> None:
        """What is dirty is durable now."""
        if not self.forgotten_pages:
            self.durable = bytes(self.content)
            return
        written = bytearray(self.content)
        for page in self.forgotten_pages:
            start, stop = page * PAGE_BYTES, (page + 1) * PAGE_BYTES
            length = len(written[start:stop])
            written[start:stop] = self.durable[start:stop].ljust(length, b"\0")[:length]
        self.durable = bytes(written)

    def sync_fails(self) -> None:
        """The kernel gives up on what was dirty and will report success the next time."""
        first = len(self.durable) // PAGE_BYTES
        self.forgotten_pages.update(range(first, -(-len(self.content) // PAGE_BYTES)))


class SimulatedDisk:
    """What one validator owns. `files` and `store` are opened anew by each run of its process."""

    def __init__(self, rng: random.Random, image: MemoryView) -> None:
        self.rng = rng
        self.faults = DiskFaults()
        self.spent_ms = 0
        """Virtual time the present piece of work has waited for the disk."""
        self.is_nearly_full = False
        self.fault_count = 0
        self.has_forgotten = False
        """Something happened to it from outside: what was durable may be gone."""
        self._next_inode = 1
        self.names: dict[Path, Inode] = {}
        self.durable_names: dict[Path, Inode] = {}
        self.database = Database(image)
        self._image: tuple[dict[Path, tuple[int, bytes]], MemoryView] | None = None

    def new_inode(self, content: bytes = b"") -> Inode:
        inode = Inode(self._next_inode, content)
        self._next_inode += 1
        return inode

    def space(self) -> Space:
        """What the disk watch sees: plenty, or too little to vote with."""
        return NEARLY_FULL if self.is_nearly_full else ROOMY

    # -- what can go wrong ------------------------------------------------------------------------

    def happens(self, chance: float) -> bool:
        return chance > 0 and self.rng.random() < chance

    def fail(self, chance: float, what: str) -> None:
        if self.happens(chance):
            self.fault_count += 1
            raise OSError(what)

    def take_time(self) -> None:
        if self.happens(self.faults.slow):
            self.spent_ms += self.rng.randint(1, self.faults.slow_ms_max)

    def check_block(self, start: bytes, stop: bytes) -> None:
        """What the database does when it reads keys in [start, stop)."""
        if any(start <= key < stop for key in self.database.damaged):
            self.fault_count += 1
            raise StoreDamaged("cannot read the database: corruption: block checksum mismatch")

    # -- what happens to it from outside ----------------------------------------------------------

    def process_ends(self) -> None:
        """Killed: what was written stays written."""
        for inode in {
            id(i): i for i in (*self.names.values(), *self.durable_names.values())
        }.values():
            inode.is_open = False
        self.database.is_open = False

    def power_cut(self) -> None:
        """Also lose what was not synced, or a part of it."""
        self.process_ends()
        self.names = dict(self.durable_names)
        for inode in self.names.values():
            inode.content = bytearray(self._left_of(inode))
            inode.forgotten_pages.clear()
            inode.durable = bytes(inode.content)
        self.database.power_cut(self.rng)

    def _left_of(self, inode: Inode) -> bytes:
        """The durable bytes and perhaps the beginning of what follows, its end not written."""
        durable, content = inode.durable, inode.content
        if len(content) <= len(durable) or not content.startswith(durable):
            return durable if self.rng.random() < 0.5 else bytes(content)
        unsynced = bytes(content[len(durable) :])
        kept = self.rng.randint(0, len(unsynced))
        if self.rng.random() < 0.3:  # the length was written, the sectors of the end were not
            aligned = (len(durable) + kept) // SECTOR_BYTES * SECTOR_BYTES
            kept = max(0, aligned - len(durable))
            return durable + unsynced[:kept] + bytes(len(unsynced) - kept)
        return durable + unsynced[:kept]

    def wipe(self) -> None:
        """A new, empty disk."""
        self.names, self.durable_names = {}, {}
        self.database = Database(MemoryView({}, []))

    def wipe_journal(self) -> None:
        """The journal alone is lost."""
        self.names, self.durable_names = {}, {}

    def copy(self) -> "Backup":
        """A file-level copy, as a backup program makes it of a stopped node."""
        files = {path: bytes(inode.durable) for path, inode in self.durable_names.items()}
        return Backup(files, self.database.durable)

    def restore(self, backup: "Backup") -> None:
        """Put a copy back."""
        self.restore_files(backup)
        self.restore_database(backup)

    def restore_files(self, backup: "Backup") -> None:
        """Other files with the same bytes."""
        self.names = {path: self.new_inode(content) for path, content in backup.files.items()}
        self.durable_names = dict(self.names)

    def restore_database(self, backup: "Backup") -> None:
        """The ledger alone is older now."""
        self.database = Database(backup.database)

    def keep_image(self) -> None:
        """Remember everything, file identities too, as a snapshot below the file system does."""
        files = {p: (i.number, bytes(i.durable)) for p, i in self.durable_names.items()}
        self._image = (files, self.database.durable)

    def go_back(self) -> None:
        """The remembered image is put back; nothing in it can tell."""
        if self._image is None:
            return
        files, database = self._image
        self.names = {path: Inode(number, content) for path, (number, content) in files.items()}
        self.durable_names = dict(self.names)
        self.database = Database(database)

    def damage_database(self) -> None:
        """The block with the newest entries of the ledger has a wrong checksum."""
        keys = self.database.view.ordered_keys
        if keys:
            first = self.rng.randrange(len(keys))
            self.database.damaged.update(keys[first : first + 5])

    def wipe_database(self) -> None:
        """The ledger alone is lost."""
        self.database = Database(MemoryView({}, []))

    def flip_bit(self) -> bool:
        """Somewhere in the journal; false when there is none."""
        inode = self._largest()
        if inode is None:
            return False
        position = self.rng.randrange(len(inode.content))
        inode.content[position] ^= 1 << self.rng.randrange(8)
        inode.durable = bytes(inode.content)
        return True

    def cut_tail(self) -> bool:
        """Synced bytes at the end are gone."""
        inode = self._largest()
        if inode is None:
            return False
        del inode.content[len(inode.content) - self.rng.randint(1, len(inode.content)) :]
        inode.durable = bytes(inode.content)
        return True

    def _largest(self) -> Inode | None:
        candidates = [inode for inode in self.names.values() if inode.content]
        return max(candidates, key=lambda inode: len(inode.content), default=None)

    @property
    def journal_bytes(self) -> bytes:
        """Every durable byte of every file: what a power cut at this moment leaves."""
        return b"".join(inode.durable for inode in self.durable_names.values())


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of a disk."""

    files: dict[Path, bytes]
    database: MemoryView


# -- files ----------------------------------------------------------------------------------------


class SimulatedLogFile:
    """`ledger.storage.files.LogFile`."""

    __slots__ = ("_disk", "_inode", "_is_closed")

    def __init__(self, disk: SimulatedDisk, inode: Inode) -> None:
        self._disk = disk
        self._inode = inode
        self._is_closed = False
        inode.is_open = True

    def read_all(self) -> bytes:
        self._disk.fail(self._disk.faults.read_fails, "input/output error (read)")
        return bytes(self._inode.content)

    def append(self, content: bytes) -> None:
        disk, inode = self._disk, self._inode
        if disk.happens(disk.faults.write_fails):
            inode.write(len(inode.content), content[: disk.rng.randint(0, len(content))])
            disk.fault_count += 1
            raise OSError("no space left on device")
        if disk.happens(disk.faults.misdirected) and inode.content:
            position = disk.rng.randrange(len(inode.content))
            inode.write(position, content[: len(inode.content) - position])
            content = bytes(len(content))
        inode.write(len(inode.content), content)

    def overwrite(self, content: bytes) -> None:
        disk = self._disk
        disk.fail(disk.faults.write_fails, "input/output error (write)")
        self._inode.write(0, content)

    def sync(self) -> None:
        disk, inode = self._disk, self._inode
        disk.take_time()
        if disk.happens(disk.faults.sync_fails):
            disk.fault_count += 1
            if disk.rng.random() < 0.5:
                inode.sync_fails()
            raise OSError("input/output error (fsync)")
        inode.sync()

    def cut(self, size_bytes: int) -> None:
        del self._inode.content[size_bytes:]

    def identity(self) -> FileIdentity:
        return self._inode.number, 0

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._inode.is_open = False


class SimulatedFiles:
    """`ledger.storage.files.Files` on one validator's disk."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk

    def exists(self, path: Path) -> bool:
        return path in self._disk.names

    def open(self, path: Path) -> SimulatedLogFile:
        disk = self._disk
        disk.fail(disk.faults.read_fails, "input/output error (open)")
        inode = disk.names.get(path)
        if inode is None:
            inode = disk.names[path] = disk.new_inode()
        if inode.is_open:
            raise BlockingIOError("another process holds the file")
        return SimulatedLogFile(disk, inode)

    def rename(self, source: Path, target: Path) -> None:
        names = self._disk.names
        names[target] = names.pop(source)

    def sync_folder(self, folder: Path) -> None:
        disk = self._disk
        disk.fail(disk.faults.sync_fails, "input/output error (fsync of a folder)")
        disk.durable_names = dict(disk.names)


# -- database -------------------------------------------------------------------------------------


class Database:
    """The database's files: what a reader sees, and what a power cut leaves."""

    __slots__ = ("damaged", "durable", "is_open", "view")

    def __init__(self, image: MemoryView) -> None:
        self.view = image
        self.durable = image
        self.is_open = False
        self.damaged: set[bytes] = set()
        """Keys in blocks whose checksum is wrong: reading one is an error."""

    def power_cut(self, rng: random.Random) -> None:
        if self.view is not self.durable and rng.random() < 0.5:
            self.view = self.durable
        self.durable = self.view


class SimulatedStore:
    """`ledger.storage.kv.KeyValueStore`; errors read like those of the LevelDB port."""

    def __init__(self, disk: SimulatedDisk) -> None:
        if disk.database.is_open:
            raise NodeFault("cannot open the database: another process holds it")
        self._disk = disk
        self._database = disk.database
        self._database.is_open = True
        # Opening writes what is in the log to a table of its own, synced.
        self._database.durable = self._database.view
        self._is_closed = False

    def get(self, key: bytes) -> bytes | None:
        self._require_open()
        if self._database.damaged:
            self._disk.check_block(key, key + b"\0")
        return self._database.view.values.get(key)

    def iterate(
        self, start: bytes, stop: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        self._require_open()
        self._disk.check_block(start, stop)
        return self._database.view.iterate(start, stop, reverse=reverse)

    def write(self, batch: Batch, *, sync: bool) -> None:
        self._require_open()
        disk, database = self._disk, self._database
        before = database.view
        if disk.happens(disk.faults.write_fails):
            disk.fault_count += 1
            raise NodeFault("cannot write the database: no space left on device")
        view = MemoryView(dict(before.values), list(before.ordered_keys))
        _apply(view, batch)
        database.view = view
        if sync:
            disk.take_time()
            if disk.happens(disk.faults.sync_fails):
                disk.fault_count += 1
                raise NodeFault("cannot write the database: input/output error (fsync)")
            database.durable = view

    def _require_open(self) -> None:
        if self._is_closed:
            raise NodeFault("the store is closed")

    def snapshot(self) -> "SnapshotView":
        self._require_open()
        return SnapshotView(self._disk)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._database.is_open = False


class SnapshotView:
    """`KeyValueReader`: views are never changed in place, so a snapshot is a reference."""

    __slots__ = ("_damaged", "_disk", "_view")

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk
        self._view = disk.database.view
        self._damaged = disk.database.damaged

    def get(self, key: bytes) -> bytes | None:
        if self._damaged:
            self._disk.check_block(key, key + b"\0")
        return self._view.values.get(key)

    def iterate(
        self, start: bytes, stop: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        self._disk.check_block(start, stop)
        return self._view.iterate(start, stop, reverse=reverse)


def _apply(view: MemoryView, batch: Batch) -> None:
    for key, value in batch:
        if value is not None:
            if key not in view.values:
                insort(view.ordered_keys, key)
            view.values[key] = value
        elif key in view.values:
            del view.values[key]
            del view.ordered_keys[bisect_left(view.ordered_keys, key)]
