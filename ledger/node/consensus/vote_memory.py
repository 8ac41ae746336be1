"""Whether a starting validator remembers its votes, and what it may do if it does not.

Without a trustworthy memory it could contradict a vote it sent, which would make it a liar. So it
starts as an observer (ledger.consensus.quarantine) whenever its journal is missing, damaged, a
copy, or older than the ledger beside it. Nothing is deleted: a damaged journal is kept under
another name.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from ledger.consensus.events import Started, Tip
from ledger.consensus.messages import Commit
from ledger.consensus.quarantine import NEVER
from ledger.consensus.records import SafetyRecord
from ledger.consensus.recovery import recover
from ledger.errors import NodeFault
from ledger.model.block import SLOT_SIGNATURES, Block
from ledger.model.codec_block import decode_block_signatures
from ledger.ordering.journal_codec import decode_record
from ledger.storage.fail_points import FailPoint, FailPoints
from ledger.storage.files import Files
from ledger.storage.frame_log import LogDamaged
from ledger.storage.journal import JOURNAL_ROTATION_BYTES, Journal
from ledger.storage.keyspace import BOOT_EPOCH_KEY, decode_number, encode_number
from ledger.storage.kv import KeyValueStore
from ledger.storage.ledger_store import LedgerStore
from ledger.storage.set_aside import set_aside
from ledger.storage.sign_guard import SignGuard

log = logging.getLogger(__name__)

SEALS_LOOKED_THROUGH_MAX = 200
"""Newest blocks searched for a seal of ours that the journal does not know."""


@dataclass(frozen=True, slots=True)
class MemorySource:
    """Where a validator's memory lies and what it is compared with."""

    path: Path
    own_id: int
    genesis_hash: bytes
    store: LedgerStore
    kv: KeyValueStore
    files: Files | None = None
    fail_points: FailPoints | None = None
    rotation_bytes: int = JOURNAL_ROTATION_BYTES


@dataclass(frozen=True, slots=True)
class VoteMemory:
    """A journal ready for use, with what it says."""

    journal: Journal
    guard: SignGuard
    recovered: SafetyRecord | None

    def started(self, tip: Tip) -> Started:
        """The core's first event."""
        content = self.journal.content
        self.journal.restart(tip.height + 1)
        ahead = self.journal.height if self.journal.height > tip.height + 1 else 0
        note = content.quarantine
        is_lost = not content.is_trusted_at(tip.height + 1)
        vote_from = NEVER if note is not None and note.vote_from is None else ahead
        if note is not None and note.vote_from is not None:
            vote_from = max(ahead, note.vote_from)
        return Started(
            tip=tip,
            recovered=self.recovered,
            vote_from_height=vote_from,
            memory_lost=is_lost,
            set_hash=b"" if note is None else note.set_hash,
        )


def open_vote_memory(source: MemorySource) -> VoteMemory:
    """Open the journal, judge it, and note this start in it and in the ledger.

    Raises NodeFault when the journal belongs to another ledger, is held by another process, or the
    disk fails; damage is no fault but ends in quarantine.
    """
    fail_points = source.fail_points or FailPoints()
    journal, recovered, cause = _open(source)
    content = journal.content
    if content.genesis_hash not in (None, source.genesis_hash):
        journal.close()
        raise NodeFault(f"{source.path} is the journal of another ledger's validator")
    noted = source.kv.get(BOOT_EPOCH_KEY)
    ledger_epoch = 0 if noted is None else decode_number(noted)
    guard = SignGuard(journal, source.fail_points)
    if cause is None:
        cause = _reason_for_distrust(source, journal, ledger_epoch)
    if cause is not None:
        log.warning("this validator does not remember its votes: %s", cause)
    epoch = max(ledger_epoch, content.boot.epoch if content.boot is not None else 0) + 1
    journal.note_boot(epoch, genesis_hash=source.genesis_hash, lost=cause)
    fail_points.reach(FailPoint.BOOT_NOTED)
    source.kv.write([(BOOT_EPOCH_KEY, encode_number(epoch))], sync=True)
    return VoteMemory(journal, guard, recovered)


def _open(source: MemorySource) -> tuple[Journal, SafetyRecord | None, str | None]:
    """The journal, what it owes, and why it cannot be trusted if that is known already."""
    try:
        journal = _journal(source)
    except LogDamaged as error:
        return _begin_anew(source, str(error))
    try:
        recovered = recover([decode_record(raw) for raw in journal.read_all()])
        SignGuard(journal)
    except NodeFault as error:
        journal.close()
        return _begin_anew(source, str(error))
    if journal.content.is_empty:
        return journal, None, f"the journal {source.path} is missing"
    return journal, recovered, None


def _begin_anew(source: MemorySource, damage: str) -> tuple[Journal, None, str]:
    kept = set_aside(source.path, files=source.files)
    (source.fail_points or FailPoints()).reach(FailPoint.JOURNAL_SET_ASIDE)
    return _journal(source), None, f"{damage}; it is kept as {kept.name}"


def _journal(source: MemorySource) -> Journal:
    return Journal(
        source.path,
        rotation_bytes=source.rotation_bytes,
        files=source.files,
        fail_points=source.fail_points,
    )


def _reason_for_distrust(source: MemorySource, journal: Journal, ledger_epoch: int) -> str | None:
    boot = journal.content.boot
    if boot is not None and boot.file != journal.identity():
        return f"{source.path} is a copy, perhaps from a backup: later votes may be missing in it"
    if (0 if boot is None else boot.epoch) < ledger_epoch:
        return f"{source.path} is older than the ledger beside it"
    block = _sealed_and_forgotten(source, journal)
    if block is not None:
        return f"block {block} carries a seal of this validator that {source.path} does not know"
    return None


def _sealed_and_forgotten(source: MemorySource, journal: Journal) -> int | None:
    """A block with our seal at a height for which the journal knows no COMMIT of ours."""
    votes = SignGuard(journal)
    newest = source.store.height() - 1
    begin = max(1, source.store.first_block)
    oldest = max(journal.height, begin, newest - SEALS_LOOKED_THROUGH_MAX + 1)
    for number in range(newest, oldest - 1, -1):
        block = source.store.block(number)
        assert block is not None, "the ledger is whole"
        if (
            journal.content.is_trusted_at(number)
            and _has_seal(block, source.own_id)
            and not votes.has_signed(number, Commit.__name__)
        ):
            return number
    return None


def _has_seal(block: Block, consenter_id: int) -> bool:
    signed = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
    return any(seal.consenter_id == consenter_id for seal in signed.signatures)
