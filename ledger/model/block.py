"""Fabric's block as frozen data, and what QBFT adds inside its signed metadata."""

from dataclasses import dataclass

METADATA_SLOTS = 5
(
    SLOT_SIGNATURES,
    SLOT_LAST_CONFIG,
    SLOT_TRANSACTIONS_FILTER,
    SLOT_STATE_HASH,  # unused by Fabric since its version 2
    SLOT_COMMIT_HASH,
) = range(METADATA_SLOTS)


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """`number` from 0; hashes are SHA-256; `previous_hash` is empty in the genesis block."""

    number: int
    previous_hash: bytes
    data_hash: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """A block as stored and delivered. `entries` are Envelope bytes; metadata has 5 slots."""

    header: BlockHeader
    entries: tuple[bytes, ...]
    metadata: tuple[bytes, bytes, bytes, bytes, bytes]

    @property
    def number(self) -> int:
        """Block height."""
        return self.header.number


@dataclass(frozen=True, slots=True)
class ConsenterMetadata:
    """What a commit seal also votes on (our `consenter_metadata`, docs/consensus.md).

    `round` is the round whose seals committed the block; `proposer` is the consenter id of the
    author of the block, kept when another proposer proposes it again in a later round.
    """

    round: int
    proposer: int
    block_time_ms: int
    transactions_root: bytes
    """Merkle root (RFC 6962 tree) over the entries."""
    validator_set_hash: bytes
    previous_commit_hash: bytes
    """Commit hash after the previous block: flags and state changes, chained."""
    config_before: int = 0
    """Number of the newest configuration block before this one."""


@dataclass(frozen=True, slots=True)
class BlockSignature:
    """One consenter's signature over metadata value || identifier_header || DER block header.

    Raft-ordered Fabric blocks carry `signature_header_raw` instead of an identifier header.
    """

    consenter_id: int
    identifier_header_raw: bytes
    signature: bytes
    signature_header_raw: bytes = b""


@dataclass(frozen=True, slots=True)
class BlockSignatures:
    """Metadata slot 0: the signed value (OrdererBlockMetadata bytes) and its signatures."""

    value_raw: bytes
    last_config_number: int
    consenter_metadata_raw: bytes
    signatures: tuple[BlockSignature, ...]
