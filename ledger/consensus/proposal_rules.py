"""Which blocks and proposals a validator may prepare (docs/consensus.md, "A valid proposal").

Block contents (transactions, data hash, Merkle root, sizes, the digest itself) were judged by the
shell. Every check raises `InvalidMessage` with its reason and changes nothing.
"""

from ledger.consensus.events import Tip
from ledger.consensus.justification import check_proposal_justification
from ledger.consensus.limits import MAX_ROUND
from ledger.consensus.messages import ProposalMessage, ProposedBlock
from ledger.consensus.quorum import proposer_of
from ledger.errors import InvalidMessage, Reason
from ledger.model.block import BlockHeader, ConsenterMetadata


def check_block(block: ProposedBlock, tip: Tip) -> None:
    """The block can follow the tip under the tip's validator set; no clock involved."""
    if block.height != tip.height + 1:
        raise InvalidMessage(
            Reason.WRONG_HEIGHT, f"block {block.height}, expected {tip.height + 1}"
        )
    metadata = block.metadata
    check_follows(block.header, metadata, tip)
    if metadata.round != 0:
        raise InvalidMessage(Reason.MALFORMED, "a proposed block carries round 0")
    if metadata.proposer not in tip.validators:
        raise InvalidMessage(
            Reason.NOT_A_VALIDATOR, f"block author {metadata.proposer} is not a validator"
        )


def check_follows(header: BlockHeader, metadata: ConsenterMetadata, tip: Tip) -> None:
    """Parent, validator set and time are those of the block after `tip`, proposed or sealed."""
    if header.previous_hash != tip.block_hash:
        raise InvalidMessage(Reason.WRONG_PARENT, "the block does not follow our last block")
    if metadata.validator_set_hash != tip.validator_set_hash:
        raise InvalidMessage(Reason.WRONG_VALIDATOR_SET, "the block names another validator set")
    if metadata.block_time_ms <= tip.block_time_ms:
        raise InvalidMessage(
            Reason.TIMESTAMP_OUT_OF_WINDOW,
            f"block time {metadata.block_time_ms} is not after {tip.block_time_ms}",
        )


def check_commit_hash(block: ProposedBlock, tip: Tip) -> None:
    """The block votes for the state this node computed; anything else means one of us diverged."""
    if block.metadata.previous_commit_hash != tip.commit_hash:
        raise InvalidMessage(
            Reason.COMMIT_HASH_MISMATCH, "the block names another state after the last block"
        )


def check_fresh_block(
    block: ProposedBlock, *, author: int, now_ms: int, max_clock_skew_ms: int
) -> None:
    """A block proposed for the first time is its proposer's own and not from the future.

    A block proposed again keeps its time and author: judging it by a clock could stop it for ever.
    """
    if block.metadata.proposer != author:
        raise InvalidMessage(
            Reason.WRONG_PROPOSER, f"fresh block of {block.metadata.proposer} proposed by {author}"
        )
    ahead_ms = block.metadata.block_time_ms - now_ms
    if ahead_ms > max_clock_skew_ms:
        raise InvalidMessage(
            Reason.TIMESTAMP_OUT_OF_WINDOW,
            f"block time is {ahead_ms} ms ahead, {max_clock_skew_ms} ms are allowed",
        )


def check_proposal(
    message: ProposalMessage, *, tip: Tip, now_ms: int, max_clock_skew_ms: int
) -> None:
    """All rules for a proposal of the height after `tip`, except the state it votes for."""
    signed = message.signed
    proposal = signed.payload
    if not 0 <= proposal.round <= MAX_ROUND:
        raise InvalidMessage(Reason.ROUND_OUT_OF_BOUNDS, f"proposal in round {proposal.round}")
    expected = proposer_of(tip.validators, proposal.height, proposal.round)
    if signed.author != expected:
        raise InvalidMessage(
            Reason.WRONG_PROPOSER,
            f"{signed.author} proposed, it is the turn of {expected}",
        )
    if message.block.digest != proposal.digest:
        raise InvalidMessage(Reason.DIGEST_MISMATCH, "the block is not the one that was signed")
    check_block(message.block, tip)
    if check_proposal_justification(message, validators=tip.validators) is None:
        # The least time a block can have is never too far ahead: clocks that were wrong when the
        # tip was decided must not stop the chain until ours has reached them.
        check_fresh_block(
            message.block,
            author=signed.author,
            now_ms=max(now_ms, tip.block_time_ms + 1 - max_clock_skew_ms),
            max_clock_skew_ms=max_clock_skew_ms,
        )
