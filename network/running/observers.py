"""Validators that follow without voting, and what needs an operator's word."""

from dataclasses import dataclass
from pathlib import Path

from ledger.errors import NodeFault
from ledger.model.codec_block import decode_block
from ledger.model.config_codec import decode_config_block
from ledger.node.following import observer_notice
from ledger.node.process import disk_watch
from ledger.node.process.notice_file import read_notice
from ledger.storage.journal import JOURNAL_FILE, Journal
from ledger.storage.ledger_folder import set_ledger_aside
from ledger.storage.leveldb import LevelDbStore
from ledger.storage.opening import DATABASE_FOLDER, open_ledger
from network.layout import MemberLayout, NetworkLayout
from network.plan import Plan
from network.running.lifecycle import LifecycleError, require_network
from network.running.processes import read_pid_file


@dataclass(frozen=True, slots=True)
class _Tip:
    height: int
    """Number of the newest block."""
    block_hash: bytes


def notice_of(folder: MemberLayout) -> str:
    """What a running validator says about not voting; empty when it votes."""
    files = (observer_notice.NOTICE_FILE, disk_watch.NOTICE_FILE)
    return "; ".join(filter(None, (read_notice(folder.ledger_dir / name) for name in files)))


def resync(plan: Plan, member_id: str) -> Path:
    """Set a stopped member's ledger aside; its next start fetches every block again.

    For a ledger that reads well and holds another state than the others agreed on. Returns where
    it is kept; raises LifecycleError while the validator runs or when it has no ledger.
    """
    folder = require_network(plan).member(plan.peer(member_id).id)
    _require_stopped(folder)
    kept = set_ledger_aside(folder.ledger_dir)
    if kept is None:
        raise LifecycleError(f"{member_id} has no ledger; `gridledger network up` begins one")
    return kept


def release_observers(plan: Plan) -> tuple[int, list[str]]:
    """Let all observers vote again at once, because too few others are left to make blocks.

    Sound only while every validator is stopped at the same block: then nothing that anyone
    acknowledged can be contradicted. That every member put back an older copy of everything cannot
    be seen from here. Returns the height they vote from and who observed. Raises LifecycleError
    naming who runs, is behind, or has voted above.
    """
    layout = require_network(plan)
    folders = {peer.id: layout.member(peer.id) for peer in plan.peers}
    for folder in folders.values():
        _require_stopped(folder)
    tips = {name: _tip(folder, layout) for name, folder in folders.items()}
    if len(set(tips.values())) != 1:
        heights = ", ".join(f"{name} {tip.height}" for name, tip in tips.items())
        raise LifecycleError(
            f"the newest blocks differ ({heights}): run `gridledger network up` until all have"
            " the same, then stop them again"
        )
    height = next(iter(tips.values())).height + 1
    for name, folder in folders.items():
        _require_nothing_decided_above(name, folder, height)
    return height, [name for name, folder in folders.items() if _release(folder, height)]


def _require_nothing_decided_above(name: str, folder: MemberLayout, height: int) -> None:
    """A journal outlives a ledger that was put back from a copy, and knows how far that was."""
    journal = Journal(folder.ledger_dir / JOURNAL_FILE)
    try:
        if journal.height > height:
            raise LifecycleError(
                f"{name} has voted at height {journal.height}, so blocks up to"
                f" {journal.height - 1} were decided and {height - 1} is not the newest:"
                " put a newer copy of a ledger back"
            )
    finally:
        journal.close()


def _release(folder: MemberLayout, height: int) -> bool:
    journal = Journal(folder.ledger_dir / JOURNAL_FILE)
    try:
        content = journal.content
        if content.boot is None:
            raise LifecycleError(f"{folder.root.name} was not started since; start it once first")
        if content.is_trusted_at(height):
            return False
        journal.note_quarantine(height)
        return True
    finally:
        journal.close()


def _tip(folder: MemberLayout, network: NetworkLayout) -> _Tip:
    genesis = decode_block(network.genesis_block.read_bytes())
    channel_id = decode_config_block(genesis).channel_id
    path = folder.ledger_dir / DATABASE_FOLDER
    if not path.exists():
        raise NodeFault(f"{folder.root.name} has no ledger yet")
    database = LevelDbStore(path)
    try:
        tip = open_ledger(database, channel_id=channel_id, genesis=genesis).tip()
    finally:
        database.close()
    return _Tip(tip.number, tip.block_hash)


def _require_stopped(folder: MemberLayout) -> None:
    if read_pid_file(folder.pid_file) is not None:
        name = folder.root.name
        raise LifecycleError(f"{name} runs; first: gridledger network down {name}")
