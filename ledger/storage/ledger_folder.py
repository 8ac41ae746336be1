"""The database folder of a peer: a damaged one is set aside and the blocks are fetched again.

Never repaired: LevelDB's repair may bring deleted keys back or drop others. Blocks come back from
the other validators, each checked against its certificate, and the journal, which is another file,
keeps what this validator voted for. So this is safe without asking anyone; only a ledger that
reads well and holds another state than a quorum sealed waits for an operator.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import NodeFault
from ledger.model.block import Block
from ledger.storage.fail_points import FailPoint, FailPoints
from ledger.storage.kv import StoreDamaged
from ledger.storage.ledger_store import LedgerStore
from ledger.storage.leveldb import LevelDbStore, damage_note_of
from ledger.storage.opening import DATABASE_FOLDER, open_ledger
from ledger.storage.set_aside import DAMAGED, HEALTHY, set_aside

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenedLedger:
    """A database and the ledger in it."""

    kv: LevelDbStore
    store: LedgerStore


def open_ledger_folder(
    data_dir: Path, *, channel_id: str, genesis: Block, fail_points: FailPoints | None = None
) -> OpenedLedger:
    """Open the ledger below a peer's data folder, or begin it anew if it is damaged.

    Raises NodeFault when the folder is another network's, held by another process, or the disk
    fails.
    """
    folder = data_dir / DATABASE_FOLDER
    note = damage_note_of(folder)
    if note.exists():
        _set_aside(folder, note.read_text(encoding="utf-8", errors="replace"), fail_points)
    try:
        return _open(folder, channel_id, genesis, fail_points)
    except StoreDamaged as damage:
        _set_aside(folder, str(damage), fail_points)
        return _open(folder, channel_id, genesis, fail_points)


def set_ledger_aside(data_dir: Path) -> Path | None:
    """An operator's word: the next start fetches every block again. None if there is no ledger."""
    folder = data_dir / DATABASE_FOLDER
    if not folder.exists():
        return None
    what = DAMAGED if damage_note_of(folder).exists() else HEALTHY
    return _set_aside(folder, "an operator asked for it", None, what=what)


def _open(
    folder: Path, channel_id: str, genesis: Block, fail_points: FailPoints | None
) -> OpenedLedger:
    kv = LevelDbStore(folder)
    try:
        store = open_ledger(kv, channel_id=channel_id, genesis=genesis, fail_points=fail_points)
    except NodeFault:
        kv.close()
        raise
    return OpenedLedger(kv, store)


def _set_aside(
    folder: Path, why: str, fail_points: FailPoints | None, *, what: str = DAMAGED
) -> Path | None:
    note = damage_note_of(folder)
    kept = set_aside(folder, what=what) if folder.exists() else None
    (fail_points or FailPoints()).reach(FailPoint.LEDGER_SET_ASIDE)
    try:
        note.unlink(missing_ok=True)
    except OSError as error:
        raise NodeFault(f"cannot remove {note}: {error}") from error
    log.warning("the ledger is set aside as %s and fetched again: %s", kept, why.strip())
    return kept
