"""Snapshots and data folders: written from one, checked, and made into another.

Nothing half done is left behind: a file or folder gets its name only when it is complete.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import InvalidMessage, NodeFault
from ledger.model.block import Block
from ledger.model.codec_block import decode_block
from ledger.model.config_codec import decode_config_block
from ledger.node.snapshots.reading import SnapshotFindings, read_snapshot
from ledger.storage import keyspace
from ledger.storage.ledger_store import LedgerStore
from ledger.storage.leveldb import LevelDbStore
from ledger.storage.opening import DATABASE_FOLDER, open_ledger
from ledger.storage.snapshot_export import export_snapshot

UNFINISHED = ".unfinished"
FILE_MODE, FOLDER_MODE = 0o600, 0o700


def create_snapshot(data_dir: Path, output: Path) -> SnapshotFindings:
    """Write a snapshot of a stopped validator's ledger to `output`, which must not exist.

    What was written is read back and checked like anybody's, from the ledger's genesis block.
    Raises NodeFault when there is no ledger, when it is in use or too young, and SnapshotRefused
    when what it holds does not stand the check: then the database is damaged.
    """
    if output.exists():
        raise NodeFault(f"{output} exists and is never overwritten")
    with _ledger_of(data_dir) as (kv, store):
        genesis = store.block(0)
        if genesis is None:
            raise NodeFault(f"the ledger in {data_dir} has no genesis block")
        with _taking_name(output) as unfinished:
            with _private_file(unfinished) as descriptor, os.fdopen(descriptor, "wb") as file:
                export_snapshot(kv, store, file)
                file.flush()
                os.fsync(file.fileno())
            return verify_snapshot(unfinished, genesis)


def verify_snapshot(path: Path, genesis: Block) -> SnapshotFindings:
    """What a good snapshot is of; raises SnapshotRefused."""
    with path.open("rb") as file:
        return read_snapshot(file, genesis, lambda _: None)


def restore_snapshot(path: Path, data_dir: Path, genesis: Block) -> SnapshotFindings:
    """Make a data folder of a snapshot; raises SnapshotRefused and leaves nothing then.

    `data_dir` must not hold a ledger (NodeFault); a validator's journal may be in it and stays.
    """
    require_no_ledger(data_dir)
    channel_id = decode_config_block(genesis).channel_id
    unfinished = data_dir.with_name(data_dir.name + UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(mode=FOLDER_MODE, parents=True)
        kv = LevelDbStore(unfinished / DATABASE_FOLDER)
        try:
            open_ledger(kv, channel_id=channel_id, genesis=genesis)
            with path.open("rb") as file:
                findings = read_snapshot(file, genesis, lambda batch: kv.write(batch, sync=False))
            kv.write(findings.last_writes, sync=True)
            open_ledger(kv, channel_id=channel_id, genesis=genesis)
        finally:
            kv.close()
        _move_ledger(unfinished, data_dir)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return findings


def require_no_ledger(data_dir: Path) -> None:
    """Raise NodeFault unless a ledger may begin in this folder."""
    if data_dir.exists() and not data_dir.is_dir():
        raise NodeFault(f"{data_dir} is no folder")
    if (data_dir / DATABASE_FOLDER).exists():
        raise NodeFault(
            f"{data_dir} holds a ledger, which is never overwritten;"
            " `gridledger network resync MEMBER` sets it aside"
        )


def read_genesis(path: Path) -> Block:
    """The operator's copy of the genesis block; NodeFault when it is none."""
    try:
        genesis = decode_block(path.read_bytes())
        decode_config_block(genesis)
    except InvalidMessage as error:
        raise NodeFault(f"{path} is no genesis block: {error}") from error
    return genesis


@contextmanager
def _ledger_of(data_dir: Path) -> Iterator[tuple[LevelDbStore, LedgerStore]]:
    folder = data_dir / DATABASE_FOLDER
    if not folder.is_dir():
        raise NodeFault(f"{data_dir} holds no ledger")
    kv = LevelDbStore(folder)
    try:
        expected = keyspace.encode_number(keyspace.FORMAT_VERSION)
        if kv.get(keyspace.FORMAT_KEY) != expected or kv.get(keyspace.SAVEPOINT_KEY) is None:
            raise NodeFault(f"{folder} holds no ledger, or one of another version")
        yield kv, LedgerStore(kv)
    finally:
        kv.close()


@contextmanager
def _taking_name(path: Path) -> Iterator[Path]:
    """A name to write under; the file gets its own name when all went well."""
    unfinished = path.with_name(path.name + UNFINISHED)
    unfinished.unlink(missing_ok=True)
    try:
        yield unfinished
        unfinished.rename(path)
        _sync_folder(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _private_file(path: Path) -> Iterator[int]:
    yield os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)


def _move_ledger(unfinished: Path, data_dir: Path) -> None:
    """Into place with one rename: the ledger is there complete or not at all."""
    if data_dir.exists():
        (unfinished / DATABASE_FOLDER).rename(data_dir / DATABASE_FOLDER)
        _sync_folder(data_dir)
    else:
        unfinished.rename(data_dir)
    _sync_folder(data_dir.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
