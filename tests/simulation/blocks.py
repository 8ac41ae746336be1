"""Blocks and certificates of the simulated ledger: real model types, cheap signatures.

A signature here is the fact that an object was made by its author's node: nobody else constructs
`Signed(author=...)`. So the simulation checks what the core does with genuine messages; signature
checks have their own tests.
"""

from dataclasses import dataclass

from ledger.consensus.events import Tip
from ledger.consensus.messages import CommitMessage, ProposedBlock
from ledger.consensus.quorum import quorum
from ledger.crypto.hashing import sha256
from ledger.model.block import BlockHeader, ConsenterMetadata

GENESIS_TIME_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class SealedBlock:
    """What a node's disk holds for one height."""

    block: ProposedBlock
    round: int
    commits: tuple[CommitMessage, ...]


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


def is_certified(sealed: SealedBlock, tip: Tip) -> bool:
    """The import rules a node applies to a block from catch-up, written apart from the core."""
    block = sealed.block
    if block.height != tip.height + 1 or block.header.previous_hash != tip.block_hash:
        return False
    signers = {
        commit.signed.author
        for commit in sealed.commits
        if (commit.signed.payload.height, commit.signed.payload.round)
        == (block.height, sealed.round)
        and commit.signed.payload.digest == block.digest
        and commit.signed.author in tip.validators
    }
    return len(signers) >= quorum(len(tip.validators))
