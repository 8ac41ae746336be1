"""Building a block from waiting transactions, and judging the contents of someone else's."""

from collections.abc import Sequence

from ledger.consensus.events import Tip
from ledger.consensus.messages import ProposedBlock
from ledger.crypto.hashing import block_data_hash
from ledger.crypto.merkle import merkle_root
from ledger.errors import InvalidMessage, Reason, TransactionInvalid
from ledger.model.block import BlockHeader, ConsenterMetadata
from ledger.model.codec import carries_config, require_well_formed_entry
from ledger.model.codec_block import encode_consenter_metadata
from ledger.ordering.consensus_codec import block_digest
from ledger.ordering.envelopes import EnvelopeMemory
from ledger.ordering.pool import BlockLimits


def build_block(
    *, tip: Tip, proposer: int, entries: tuple[bytes, ...], last_config: int, now_ms: int
) -> ProposedBlock:
    """A block on top of `tip`; its time is the proposer's clock, always after the parent's.

    `last_config` is the number of the newest configuration block.
    """
    header = BlockHeader(
        number=tip.height + 1,
        previous_hash=tip.block_hash,
        data_hash=block_data_hash(entries),
    )
    metadata = ConsenterMetadata(
        round=0,
        proposer=proposer,
        block_time_ms=max(now_ms, tip.block_time_ms + 1),
        transactions_root=merkle_root(entries),
        validator_set_hash=tip.validator_set_hash,
        previous_commit_hash=tip.commit_hash,
        config_before=last_config,
    )
    named = named_config(header.number, entries, config_before=last_config)
    digest = block_digest(header, named, encode_consenter_metadata(metadata))
    return ProposedBlock(header, entries, named, metadata, digest)


def named_config(number: int, entries: Sequence[bytes], *, config_before: int) -> int:
    """The `last_config` of a block: as in Fabric a configuration block names itself."""
    return number if carries_config(entries) else config_before


def check_named_config(
    metadata: ConsenterMetadata, named: int, *, number: int, entries: Sequence[bytes], before: int
) -> None:
    """A block names the newest configuration before it (`before`) and with it; pure.

    `named` is its `last_config`.
    """
    if (metadata.config_before, named) != (
        before,
        named_config(number, entries, config_before=before),
    ):
        raise InvalidMessage(Reason.MALFORMED, f"block {number} names another configuration block")


def check_contents(block: ProposedBlock, limits: BlockLimits, memory: EnvelopeMemory) -> None:
    """Raise InvalidMessage unless hashes, limits and every entry's form are right.

    What a transaction does is not judged here: an invalid one stays in the block with its code.
    Bytes that are no envelope at all are the proposer's fault, and so is a repeated entry.
    """
    entries = block.entries
    _check_limits(entries, limits)
    if block_data_hash(entries) != block.header.data_hash:
        raise InvalidMessage(Reason.MALFORMED, "the data hash is not of these entries")
    if merkle_root(entries) != block.metadata.transactions_root:
        raise InvalidMessage(Reason.MALFORMED, "the Merkle root is not of these entries")
    if len(set(entries)) != len(entries):
        raise InvalidMessage(Reason.REPLAYED, "an entry stands twice in the block")
    for raw in entries:
        require_well_formed_entry(raw)
        decoded = memory.decode(raw)
        if isinstance(decoded, TransactionInvalid):
            raise InvalidMessage(Reason.MALFORMED, f"an entry is no transaction: {decoded.detail}")
        if decoded.is_config and len(entries) > 1:
            raise InvalidMessage(Reason.MALFORMED, "a configuration is not alone in its block")


def _check_limits(entries: tuple[bytes, ...], limits: BlockLimits) -> None:
    if not entries:
        raise InvalidMessage(Reason.MALFORMED, "a block without transactions")
    if len(entries) > limits.transactions_max:
        raise InvalidMessage(Reason.OVERSIZED, f"{len(entries)} transactions in one block")
    if max(map(len, entries)) > limits.transaction_bytes_max:
        raise InvalidMessage(Reason.OVERSIZED, f"a transaction of {max(map(len, entries))} bytes")
    size = sum(map(len, entries))
    if size > limits.absolute_bytes_max or (size > limits.bytes_max and len(entries) > 1):
        raise InvalidMessage(Reason.OVERSIZED, f"{size} bytes of transactions in one block")
