"""Who may vouch for a snapshot: followed from the genesis block, never believed.

The genesis block names the first validators. Each later configuration counts only if the
validators before it sealed it and its administrators signed it, as when it was committed.
"""

from collections.abc import Iterator

from ledger.crypto.hashing import block_hash
from ledger.crypto.merkle import merkle_root
from ledger.crypto.msp import MspRegistry
from ledger.crypto.signing import verify_signature
from ledger.errors import InvalidMessage, NodeFault, TransactionInvalid
from ledger.model.block import SLOT_TRANSACTIONS_FILTER, Block, ConsenterMetadata
from ledger.model.codec import decode_envelope
from ledger.model.codes import ValidationCode
from ledger.model.config import VALIDATORS_MIN
from ledger.model.config_codec import decode_config_block
from ledger.model.state import VersionedValue
from ledger.node.membership.channel import ChannelState, channel_state
from ledger.node.membership.signatures import SignaturesAt
from ledger.ordering.seals import check_certificate, check_seals
from ledger.storage.snapshot_errors import SnapshotProblem, SnapshotRefused
from ledger.validation.block import validate_block
from ledger.validation.config_transaction import check_config_transaction
from ledger.validation.context import ValidationContext


class TrustChain:
    """The channel's configuration while the blocks of a snapshot are read."""

    def __init__(self, genesis: Block) -> None:
        """`genesis` comes from the operator; raises NodeFault when it is no genesis block."""
        try:
            founders = len(decode_config_block(genesis).consenters)
            self._validators_min = min(VALIDATORS_MIN, founders)
            self._genesis_hash = block_hash(genesis.header)
            self._state = self._read(genesis)
        except InvalidMessage as error:
            raise NodeFault(f"the genesis block cannot be used: {error}") from error

    @property
    def state(self) -> ChannelState:
        """In force after the blocks so far."""
        return self._state

    def follow(self, block: Block) -> None:
        """A block with a configuration takes effect; raises SnapshotRefused."""
        if block.number <= self._state.config_block:
            raise SnapshotRefused(
                SnapshotProblem.OUT_OF_ORDER,
                f"configuration block {block.number} after {self._state.config_block}",
            )
        metadata = self.check_sealed(block)
        if block.metadata[SLOT_TRANSACTIONS_FILTER] != bytes([ValidationCode.VALID]):
            raise _bad_configuration(block, "its code is not VALID")
        try:
            envelope = decode_envelope(block.entries[0])
            validation = validate_block(
                block_number=block.number,
                envelopes=[envelope],
                state=_NoState(),
                context=self._context(metadata.block_time_ms),
            )
            if not validation.is_config:
                raise _bad_configuration(block, validation.details[0] or "it is none")
            self._state = self._read(block)
        except (InvalidMessage, TransactionInvalid, IndexError) as error:
            raise _bad_configuration(block, str(error)) from error

    def check_sealed(self, block: Block) -> ConsenterMetadata:
        """What a quorum signed with a whole block; raises SnapshotRefused."""
        try:
            metadata = check_certificate(block, self._state.validators)
        except InvalidMessage as error:
            raise SnapshotRefused(SnapshotProblem.BAD_SEALS, str(error)) from error
        # The data hash does not say where one entry ends and the next begins.
        if not block.entries or metadata.transactions_root != merkle_root(block.entries):
            raise SnapshotRefused(
                SnapshotProblem.BAD_BLOCK, f"block {block.number}: Merkle root is wrong"
            )
        return self._require_in_force(block, metadata)

    def check_header_sealed(self, block: Block) -> ConsenterMetadata:
        """What a quorum signed with a block of which only header and seals are there."""
        try:
            metadata = check_seals(block, self._state.validators)
        except InvalidMessage as error:
            raise SnapshotRefused(SnapshotProblem.BAD_SEALS, str(error)) from error
        return self._require_in_force(block, metadata)

    def _require_in_force(self, block: Block, metadata: ConsenterMetadata) -> ConsenterMetadata:
        if metadata.config_before != self._state.config_block:
            raise SnapshotRefused(
                SnapshotProblem.BAD_CONFIGURATION,
                f"block {block.number} was sealed under the configuration of block"
                f" {metadata.config_before}, the snapshot has that of"
                f" {self._state.config_block}",
            )
        if metadata.validator_set_hash != self._state.validators.set_hash:
            raise SnapshotRefused(
                SnapshotProblem.BAD_SEALS, f"block {block.number} names another validator set"
            )
        return metadata

    def _read(self, block: Block) -> ChannelState:
        return channel_state(
            block, genesis_hash=self._genesis_hash, validators_min=self._validators_min
        )

    def _context(self, block_time_ms: int) -> ValidationContext:
        state = self._state
        checker = _RegistrySignatures(state.registry)
        return ValidationContext(
            channel_id=state.config.channel_id,
            signatures=SignaturesAt(checker, state.registry, block_time_ms),
            policies=state.policies,
            definition=lambda _: None,
            # A configuration that was used once cannot be used again: its versions have moved on.
            is_recorded=lambda _: False,
            check_config=lambda envelope, signatures: check_config_transaction(
                envelope, state.in_force, signatures
            ),
        )


class _NoState:
    """A StateReader of nothing: configurations do not depend on the world state."""

    def get_state(self, namespace: str, key: str) -> VersionedValue | None:
        return None

    def range_state(
        self, namespace: str, start_key: str, end_key: str
    ) -> Iterator[tuple[str, VersionedValue]]:
        return iter(())

    def has_metadata(self, namespace: str) -> bool:
        return False


class _RegistrySignatures:
    """Signatures of the channel's members."""

    def __init__(self, registry: MspRegistry) -> None:
        self._registry = registry

    def verify(self, identity: bytes, message: bytes, signature: bytes) -> bool:
        try:
            verify_signature(self._registry.identity(identity).public_key, message, signature)
        except InvalidMessage:
            return False
        return True


def _bad_configuration(block: Block, detail: str) -> SnapshotRefused:
    return SnapshotRefused(
        SnapshotProblem.BAD_CONFIGURATION, f"configuration block {block.number}: {detail}"
    )
