"""The key-value port on LevelDB, set up to notice damage instead of repairing it."""

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import plyvel

from ledger.errors import NodeFault
from ledger.storage.kv import Batch, KeyValueReader, StoreDamaged

WRITE_BUFFER_BYTES = 16 * 1024 * 1024
BLOCK_CACHE_BYTES = 32 * 1024 * 1024
BLOOM_FILTER_BITS_PER_KEY = 10
OPEN_FILES_MAX = 256
DAMAGE_WORDS = ("No such file", "Invalid argument")
"""Input/output errors to LevelDB, damage to us: a file is missing, or shorter than it was."""


class LevelDbView:
    """Reads of the database or one of its snapshots, checksums verified."""

    def __init__(self, source: Any, folder: Path) -> None:
        self._source = source
        self._folder = folder

    def get(self, key: bytes) -> bytes | None:
        """See KeyValueReader."""
        try:
            value: bytes | None = self._source.get(key, verify_checksums=True)
        except (plyvel.Error, RuntimeError) as error:
            raise _fault(self._folder, "read", error) from error
        return value

    def iterate(
        self, start: bytes, stop: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """See KeyValueReader."""
        try:
            # plyvel 1.5.1 finds nothing backwards when the only key in range is `start` itself,
            # so backwards the lower bound is ours.
            with self._source.iterator(
                start=None if reverse else start, stop=stop, reverse=reverse, verify_checksums=True
            ) as pairs:
                yield from takewhile(lambda pair: pair[0] >= start, pairs)
        except (plyvel.Error, RuntimeError) as error:
            raise _fault(self._folder, "scan", error) from error


class LevelDbStore:
    """KeyValueStore in one folder, held by one process at a time."""

    def __init__(self, folder: Path) -> None:
        """Open or create `folder`; NodeFault when it is held elsewhere or unwritable.

        StoreDamaged when its files do not fit each other or their checksums.
        """
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _require_current(folder)
            self._db = plyvel.DB(
                str(folder),
                create_if_missing=True,
                paranoid_checks=True,
                write_buffer_size=WRITE_BUFFER_BYTES,
                lru_cache_size=BLOCK_CACHE_BYTES,
                bloom_filter_bits=BLOOM_FILTER_BITS_PER_KEY,
                max_open_files=OPEN_FILES_MAX,
            )
        except (plyvel.Error, OSError) as error:
            raise _fault(folder, "open", error) from error
        self._view = LevelDbView(self._db, folder)

    def get(self, key: bytes) -> bytes | None:
        """See KeyValueReader."""
        return self._view.get(key)

    def iterate(
        self, start: bytes, stop: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """See KeyValueReader."""
        return self._view.iterate(start, stop, reverse=reverse)

    def write(self, batch: Batch, *, sync: bool) -> None:
        """See KeyValueStore."""
        try:
            with self._db.write_batch(transaction=True, sync=sync) as pending:
                for key, value in batch:
                    if value is None:
                        pending.delete(key)
                    else:
                        pending.put(key, value)
        except (plyvel.Error, RuntimeError) as error:
            raise _fault(self._folder, "write", error) from error

    def snapshot(self) -> KeyValueReader:
        """See KeyValueStore."""
        try:
            return LevelDbView(self._db.snapshot(), self._folder)
        except (plyvel.Error, RuntimeError) as error:
            raise _fault(self._folder, "snapshot", error) from error

    def close(self) -> None:
        """See KeyValueStore."""
        self._db.close()


def damage_note_of(folder: Path) -> Path:
    """Where it is written that damage was found in a database, for the next start."""
    return folder.with_name(folder.name + ".damage")


def _require_current(folder: Path) -> None:
    """Without CURRENT, LevelDB would begin an empty database among the files of the old one."""
    if not (folder / "CURRENT").exists() and any(folder.glob("MANIFEST-*")):
        raise _damaged(folder, "open", "its file CURRENT is missing")


def _fault(folder: Path, action: str, error: Exception) -> NodeFault:
    said = _words_of(error)
    is_damage = any(words in said for words in DAMAGE_WORDS)
    if isinstance(error, plyvel.CorruptionError) or is_damage:
        return _damaged(folder, action, said)
    return NodeFault(
        f"cannot {action} the database in {folder}: {said}"
        " (is another process using it, is the disk full?)"
    )


def _words_of(error: Exception) -> str:
    """LevelDB's own words; plyvel hands them on as bytes."""
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)


def _damaged(folder: Path, action: str, detail: str) -> StoreDamaged:
    """The note makes the next start set the database aside even if opening it goes well."""
    text = f"cannot {action} the database in {folder}, which is damaged: {detail}"
    try:
        damage_note_of(folder).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        text += f" (and this cannot be noted: {error})"
    return StoreDamaged(text)
