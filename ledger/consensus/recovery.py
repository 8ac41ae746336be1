"""From journal records to what a restarted validator still owes to its own signatures."""

from collections.abc import Iterable
from dataclasses import replace

from ledger.consensus.messages import PreparedCertificate, ProposedBlock
from ledger.consensus.records import (
    CommitVoted,
    PrepareVoted,
    ProposalMade,
    Record,
    RoundAnnounced,
    SafetyRecord,
)
from ledger.errors import NodeFault


def recover(records: Iterable[Record]) -> SafetyRecord | None:
    """Fold the journal, oldest record first; None for an empty journal.

    Only the highest height counts: lower ones are committed. Raises `NodeFault` when the records
    cannot be the writing of one validator (a round that goes down, a seal on an unknown block):
    voting on with such a journal could contradict what was signed.
    """
    safety: SafetyRecord | None = None
    for record in records:
        if safety is None or record.height > safety.height:
            safety = SafetyRecord(height=record.height)
        elif record.height < safety.height:
            raise NodeFault(f"journal goes back from height {safety.height} to {record.height}")
        safety = _remember(safety, record)
    return safety


def _remember(safety: SafetyRecord, record: Record) -> SafetyRecord:
    if record.round < safety.round:
        raise NodeFault(
            f"journal of height {safety.height} goes back from round {safety.round} "
            f"to {record.round}"
        )
    safety = _in_round(safety, record.round)
    match record:
        case RoundAnnounced():
            return replace(safety, announced=True)
        case ProposalMade(block=block):
            return replace(_accept(safety, block), proposal=record)
        case PrepareVoted(block=block):
            return _accept(safety, block)
        case CommitVoted():
            return _lock(safety, record)


def _in_round(safety: SafetyRecord, round_number: int) -> SafetyRecord:
    """Votes of an earlier round are over, the lock is not."""
    if round_number == safety.round:
        return safety
    return SafetyRecord(height=safety.height, round=round_number, prepared=safety.prepared)


def _accept(safety: SafetyRecord, block: ProposedBlock) -> SafetyRecord:
    if safety.accepted is not None and safety.accepted.digest != block.digest:
        raise NodeFault(f"journal accepts two blocks in round {safety.round}")
    return replace(safety, accepted=block)


def _lock(safety: SafetyRecord, record: CommitVoted) -> SafetyRecord:
    if safety.accepted is None or safety.accepted.digest != record.digest:
        raise NodeFault(f"journal seals an unknown block in round {record.round}")
    lock = PreparedCertificate(round=record.round, block=safety.accepted, prepares=record.prepares)
    return replace(safety, committed=True, prepared=lock)
