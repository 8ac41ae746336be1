"""Validates a sealed block and makes it durable; belongs to the consensus thread.

What is durable is announced afterwards: commit status, event streams and pools hear of a block
only when its batch is on disk.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ledger.consensus.events import Tip
from ledger.consensus.proposal_rules import check_follows
from ledger.crypto.hashing import block_hash
from ledger.crypto.merkle import merkle_root
from ledger.errors import InvalidMessage, NodeFault, Reason
from ledger.model.block import (
    SLOT_COMMIT_HASH,
    SLOT_SIGNATURES,
    SLOT_STATE_HASH,
    SLOT_TRANSACTIONS_FILTER,
    Block,
)
from ledger.model.codec_block import (
    consenter_metadata,
    decode_block_signatures,
    encode_commit_hash,
)
from ledger.node.membership.channel import CurrentChannel
from ledger.node.membership.signatures import SignaturesAt
from ledger.node.private_data.commit import PrivateCommit
from ledger.ordering.block_building import check_named_config
from ledger.ordering.envelopes import EnvelopeMemory
from ledger.ordering.seals import check_certificate, seals_only
from ledger.rpc.commit_notifier import CommittedTransaction
from ledger.storage.ledger_store import LedgerStore
from ledger.validation.block import Entry, validate_block
from ledger.validation.commit_hash import StateCommitment, commitment_after
from ledger.validation.context import BlockValidation, ValidationContext
from ledger.validation.outcome import outcome_hash
from ledger.validation.state_digest import state_hash


@dataclass(frozen=True, slots=True)
class CommittedBlock:
    """What the node announces after a commit."""

    block: Block
    validation: BlockValidation
    transactions: tuple[CommittedTransaction, ...]
    lacks_private: bool = False
    """Whether private data of the block has to be fetched from other members' peers."""


class Committer:
    """The only writer of the ledger store."""

    def __init__(
        self,
        *,
        store: LedgerStore,
        channel: CurrentChannel,
        context: Callable[[], ValidationContext],
        memory: EnvelopeMemory,
        private: PrivateCommit | None = None,
    ) -> None:
        """`context` is asked for each block: a configuration changes it.

        `private` keeps the values of private data; None for a node that keeps none.
        """
        self._store = store
        self._channel = channel
        self._context = context
        self._memory = memory
        self._private = private
        self._tip = self._stored_tip()

    @property
    def tip(self) -> Tip:
        """The newest committed block."""
        return self._tip

    @property
    def last_config(self) -> int:
        """Number of the newest configuration block."""
        return self._store.last_config_number()

    def commit(self, block: Block) -> CommittedBlock:
        """Validate and apply as one synced batch; `tip` is the block afterwards."""
        after, committed = self._apply(block)
        self._tip = self._tip_at(committed.block, after.commit_hash)
        return committed

    def certified(self, block: Block) -> Block:
        """A block that came by catch-up, with nothing in it that no validator vouches for.

        Import rules: a quorum of seals, our tip as parent, our validator set, our state, a later
        time, the entries that were sealed. Raises InvalidMessage, or NodeFault when a quorum
        sealed another state than ours.
        """
        metadata = check_certificate(block, self._channel.state.validators)
        check_follows(block.header, metadata, self._tip)
        if metadata.previous_commit_hash != self._tip.commit_hash:
            raise NodeFault(
                f"safety stop: a quorum sealed another state before block {block.number} "
                "than this peer holds"
            )
        if not block.entries or metadata.transactions_root != merkle_root(block.entries):
            raise InvalidMessage(Reason.MALFORMED, f"block {block.number}: Merkle root is wrong")
        signed = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
        check_named_config(
            metadata,
            signed.last_config_number,
            number=block.number,
            entries=block.entries,
            before=self.last_config,
        )
        return replace(block, metadata=(seals_only(signed), b"", b"", b"", b""))

    def _apply(self, block: Block) -> tuple[StateCommitment, CommittedBlock]:
        """(the commitment after the block, what to announce)."""
        envelopes = [self._memory.decode(raw) for raw in block.entries]
        context = self._context()
        registry = self._channel.state.registry
        signatures = SignaturesAt(context.signatures, registry, _block_time_ms(block))
        validation = validate_block(
            block_number=block.number,
            envelopes=envelopes,
            state=self._store,
            context=replace(context, signatures=signatures),
        )
        after = commitment_after(
            self._store.tip().commitment,
            genesis_hash=self._store.genesis_hash,
            block_number=block.number,
            codes=validation.codes,
            outcome=outcome_hash(block.number, block.entries, envelopes, validation.codes),
            updates=validation.updates,
            recorded=validation.recorded,
            state=self._store,
        )
        metadata = list(block.metadata)
        metadata[SLOT_TRANSACTIONS_FILTER] = bytes(validation.codes)
        metadata[SLOT_STATE_HASH] = encode_commit_hash(state_hash(after.digest))
        metadata[SLOT_COMMIT_HASH] = encode_commit_hash(after.commit_hash)
        stored = replace(block, metadata=_five(metadata))
        lacks_private = self._store_block(stored, envelopes, validation, after)
        if validation.is_config:
            self._channel.advance(stored)
        for raw in block.entries:
            self._memory.forget(raw)
        return after, CommittedBlock(
            stored, validation, _fates(block.number, validation), lacks_private
        )

    def _store_block(
        self,
        block: Block,
        entries: Sequence[Entry],
        validation: BlockValidation,
        after: StateCommitment,
    ) -> bool:
        """Whether private data of the block is lacking."""
        if self._private is None:
            self._store.commit(block, validation, after)
            return False
        part = self._private.of_block(block.number, entries, validation, self._store)
        self._store.commit(block, validation, after, part.writes)
        return part.lacks_any

    def _stored_tip(self) -> Tip:
        stored = self._store.tip()
        block = self._store.block(stored.number)
        assert block is not None, "the tip is readable"
        return self._tip_at(block, stored.commit_hash)

    def _tip_at(self, block: Block, commit_hash_after: bytes) -> Tip:
        state = self._channel.state
        return Tip(
            height=block.number,
            block_hash=block_hash(block.header),
            block_time_ms=_block_time_ms(block),
            commit_hash=commit_hash_after,
            validators=state.validators.ids,
            validator_set_hash=state.validators.set_hash,
            block_interval_ms=state.config.block_interval_ms,
        )


def _block_time_ms(block: Block) -> int:
    metadata = consenter_metadata(block)
    return 0 if metadata is None else metadata.block_time_ms


def _fates(number: int, validation: BlockValidation) -> tuple[CommittedTransaction, ...]:
    return tuple(
        CommittedTransaction(tx_id, code, number)
        for tx_id, code in zip(validation.tx_ids, validation.codes, strict=True)
        if tx_id
    )


def _five(slots: Sequence[bytes]) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    first, second, third, fourth, fifth = slots
    return (first, second, third, fourth, fifth)
