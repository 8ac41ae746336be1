"""Consensus journal records to bytes and back (`JournalRecord` in consensus.proto)."""

from google.protobuf.message import DecodeError

from ledger.consensus.messages import Prepare, RoundChange
from ledger.consensus.records import (
    CommitVoted,
    PrepareVoted,
    ProposalMade,
    Record,
    RoundAnnounced,
)
from ledger.errors import InvalidMessage, NodeFault
from ledger.ordering.consensus_codec import (
    decode_all,
    decode_proposed_block,
    encode_proposed_block,
    put_all,
)
from ledger.wire.consensus_pb2 import JournalRecord


def encode_record(record: Record) -> bytes:
    """The bytes to append to the journal."""
    wire = JournalRecord(height=record.height, round=record.round)
    match record:
        case ProposalMade():
            wire.kind = JournalRecord.PROPOSAL_MADE
            wire.block_proposal = encode_proposed_block(record.block)
            put_all(wire.round_changes, record.round_changes)
            put_all(wire.prepares, record.prepares)
        case PrepareVoted():
            wire.kind = JournalRecord.PREPARE_VOTED
            wire.block_proposal = encode_proposed_block(record.block)
        case CommitVoted():
            wire.kind = JournalRecord.COMMIT_VOTED
            wire.digest = record.digest
            put_all(wire.prepares, record.prepares)
        case RoundAnnounced():
            wire.kind = JournalRecord.ROUND_ANNOUNCED
    return wire.SerializeToString()


def decode_record(raw: bytes) -> Record:
    """A record read back; bytes that passed the journal's checksum and do not decode are ours."""
    try:
        wire = JournalRecord.FromString(raw)
        return _record(wire)
    except (DecodeError, InvalidMessage) as error:
        raise NodeFault(f"journal record cannot be decoded: {error}") from error


def _record(wire: JournalRecord) -> Record:
    height, round_ = wire.height, wire.round
    if wire.kind == JournalRecord.PROPOSAL_MADE:
        return ProposalMade(
            height,
            round_,
            decode_proposed_block(wire.block_proposal),
            decode_all(wire.round_changes, RoundChange),
            decode_all(wire.prepares, Prepare),
        )
    if wire.kind == JournalRecord.PREPARE_VOTED:
        return PrepareVoted(height, round_, decode_proposed_block(wire.block_proposal))
    if wire.kind == JournalRecord.COMMIT_VOTED:
        return CommitVoted(height, round_, wire.digest, decode_all(wire.prepares, Prepare))
    if wire.kind == JournalRecord.ROUND_ANNOUNCED:
        return RoundAnnounced(height, round_)
    raise NodeFault(f"journal record of unknown kind {wire.kind}")
