"""Blocks and votes for scenes of the core alone: real model types, cheap digests, no signatures.

The core never sees a signature, so here the author's name is one: whoever speaks for an honest
validator lets its core speak first, and only liars are spoken for by hand.
"""

from ledger.consensus import effects as fx
from ledger.consensus.events import Tip
from ledger.consensus.messages import (
    Commit,
    CommitMessage,
    Message,
    Payload,
    Prepare,
    PrepareMessage,
    Proposal,
    ProposalMessage,
    ProposedBlock,
    RoundChange,
    RoundChangeMessage,
    Seal,
    Signed,
)
from ledger.crypto.hashing import sha256
from ledger.model.block import BlockHeader, ConsenterMetadata

GENESIS_TIME_MS = 1_000_000
NOW_MS = GENESIS_TIME_MS + 10_000


def header_hash(header: BlockHeader) -> bytes:
    return sha256(header.number.to_bytes(8, "big") + header.previous_hash + header.data_hash)


def make_block(
    *, tip: Tip, proposer: int, entries: tuple[bytes, ...], block_time_ms: int
) -> ProposedBlock:
    data_hash = sha256(b"".join(len(e).to_bytes(4, "big") + e for e in entries))
    header = BlockHeader(tip.height + 1, tip.block_hash, data_hash)
    metadata = ConsenterMetadata(
        round=0,
        proposer=proposer,
        block_time_ms=max(block_time_ms, tip.block_time_ms + 1),
        transactions_root=data_hash,
        validator_set_hash=tip.validator_set_hash,
        previous_commit_hash=tip.commit_hash,
    )
    digest = sha256(
        header_hash(header)
        + proposer.to_bytes(4, "big")
        + metadata.block_time_ms.to_bytes(8, "big")
        + metadata.previous_commit_hash
    )
    return ProposedBlock(header, entries, 0, metadata, digest)


def genesis_tip(validators: tuple[int, ...]) -> Tip:
    return Tip(
        height=0,
        block_hash=sha256(b"genesis"),
        block_time_ms=GENESIS_TIME_MS,
        commit_hash=sha256(b"state after genesis"),
        validators=validators,
        validator_set_hash=sha256(bytes(validators)),
    )


def tip_after(tip: Tip, block: ProposedBlock) -> Tip:
    """The state here is just the chain of blocks applied to it."""
    return Tip(
        height=block.height,
        block_hash=header_hash(block.header),
        block_time_ms=block.metadata.block_time_ms,
        commit_hash=sha256(tip.commit_hash + block.digest),
        validators=tip.validators,
        validator_set_hash=tip.validator_set_hash,
    )


# -- votes ----------------------------------------------------------------------------------------


def signed(payload: Payload, author: int) -> Signed:
    return Signed(payload, author, b"", b"")


def sign(intent: fx.Intent, author: int) -> Message:
    """What a shell makes of an intent."""
    match intent:
        case fx.ProposalIntent(payload, block, round_changes, prepares):
            return ProposalMessage(signed(payload, author), block, round_changes, prepares)
        case fx.PrepareIntent(payload):
            return PrepareMessage(signed(payload, author))
        case fx.CommitIntent(round_number, block):
            return commit(block, round_number, author)
        case fx.RoundChangeIntent(payload, block, prepares):
            return RoundChangeMessage(signed(payload, author), block, prepares)


def proposal(
    block: ProposedBlock,
    round_number: int,
    author: int,
    round_changes: tuple[Signed, ...] = (),
    prepares: tuple[Signed, ...] = (),
) -> ProposalMessage:
    payload = Proposal(block.height, round_number, block.digest)
    return ProposalMessage(signed(payload, author), block, tuple(round_changes), tuple(prepares))


def prepare(block: ProposedBlock, round_number: int, author: int) -> PrepareMessage:
    return PrepareMessage(signed(Prepare(block.height, round_number, block.digest), author))


def commit(
    block: ProposedBlock, round_number: int, author: int, *, seal_verified: bool = True
) -> CommitMessage:
    payload = Commit(block.height, round_number, block.digest, Seal(author, b"", b""))
    return CommitMessage(signed(payload, author), seal_verified=seal_verified)


def round_change(round_number: int, author: int, *, height: int = 1) -> RoundChangeMessage:
    """One that claims no lock."""
    return RoundChangeMessage(signed(RoundChange(height, round_number, None, None), author))


def locked_round_change(
    round_number: int,
    author: int,
    block: ProposedBlock,
    prepared_round: int,
    prepares: tuple[Signed, ...],
) -> RoundChangeMessage:
    """One that claims a lock, true or not."""
    payload = RoundChange(block.height, round_number, prepared_round, block.digest)
    return RoundChangeMessage(signed(payload, author), block, tuple(prepares))
