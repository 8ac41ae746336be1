"""Blocks, their signatures, and our consenter metadata inside the signed value."""

from ledger.errors import InvalidMessage, Reason
from ledger.model.block import (
    METADATA_SLOTS,
    SLOT_SIGNATURES,
    Block,
    BlockHeader,
    BlockSignature,
    BlockSignatures,
    ConsenterMetadata,
)
from ledger.model.codec_parsing import parse_message
from ledger.model.config import CONSENTERS_MAX
from ledger.wire import common_pb2, consensus_pb2

BLOCK_TRANSACTIONS_MAX = 10_000
"""Entries of any block; a channel's own limit is lower (`BatchLimits`)."""
BLOCK_SIGNATURES_MAX = CONSENTERS_MAX
CONSENTER_METADATA_VERSION = 1
HASH_BYTES = 32
IDENTIFIER_HEADER_BYTES_MAX = 64
"""An id and 24 random bytes are half of it. Every seal of every block is kept for ever."""


def decode_block(raw: bytes) -> Block:
    """A block with unchecked hashes and signatures; raises InvalidMessage MALFORMED or OVERSIZED.

    Metadata slots left off at the end read as empty.
    """
    wire = parse_message(common_pb2.Block, raw)
    if not wire.HasField("header"):
        raise InvalidMessage(Reason.MALFORMED, "the block has no header")
    if len(wire.metadata.metadata) > METADATA_SLOTS:
        raise InvalidMessage(Reason.MALFORMED, f"{len(wire.metadata.metadata)} metadata slots")
    require_possible_count(len(wire.data.data))
    metadata = tuple(wire.metadata.metadata)
    padding = (b"",) * (METADATA_SLOTS - len(metadata))
    signatures, last_config, flags, orderer, commit_hash = metadata + padding
    return Block(
        header=BlockHeader(
            number=wire.header.number,
            previous_hash=wire.header.previous_hash,
            data_hash=wire.header.data_hash,
        ),
        entries=tuple(wire.data.data),
        metadata=(signatures, last_config, flags, orderer, commit_hash),
    )


def require_possible_count(transactions: int) -> None:
    """Raise InvalidMessage OVERSIZED for more transactions than any block has."""
    if transactions > BLOCK_TRANSACTIONS_MAX:
        raise InvalidMessage(Reason.OVERSIZED, f"a block of {transactions} transactions")


def encode_block(block: Block) -> bytes:
    """Block bytes as stored and delivered."""
    return common_pb2.Block(
        header=common_pb2.BlockHeader(
            number=block.header.number,
            previous_hash=block.header.previous_hash,
            data_hash=block.header.data_hash,
        ),
        data=common_pb2.BlockData(data=block.entries),
        metadata=common_pb2.BlockMetadata(metadata=block.metadata),
    ).SerializeToString()


# -- metadata slot 0: what consenters sign --------------------------------------------------------


def decode_block_signatures(slot_raw: bytes) -> BlockSignatures:
    """The signed value and its signatures, unchecked; raises InvalidMessage.

    `consenter_id` is 0 for a Raft signature, which has a signature header instead.
    """
    wire = parse_message(common_pb2.Metadata, slot_raw)
    if len(wire.signatures) > BLOCK_SIGNATURES_MAX:
        raise InvalidMessage(Reason.OVERSIZED, f"a block with {len(wire.signatures)} signatures")
    value = parse_message(common_pb2.OrdererBlockMetadata, wire.value)
    return BlockSignatures(
        value_raw=wire.value,
        last_config_number=value.last_config.index,
        consenter_metadata_raw=value.consenter_metadata,
        signatures=tuple([_signature(signature) for signature in wire.signatures]),
    )


def _signature(wire: common_pb2.MetadataSignature) -> BlockSignature:
    identifier_header_raw = wire.identifier_header
    consenter_id = 0
    if identifier_header_raw:
        consenter_id, _ = decode_identifier_header(identifier_header_raw)
    return BlockSignature(
        consenter_id=consenter_id,
        identifier_header_raw=identifier_header_raw,
        signature=wire.signature,
        signature_header_raw=wire.signature_header,
    )


def encode_block_signatures(signatures: BlockSignatures) -> bytes:
    """Metadata slot 0, from the value as signed and the signatures' raw headers."""
    return common_pb2.Metadata(
        value=signatures.value_raw,
        signatures=[
            common_pb2.MetadataSignature(
                signature_header=signature.signature_header_raw,
                signature=signature.signature,
                identifier_header=signature.identifier_header_raw,
            )
            for signature in signatures.signatures
        ],
    ).SerializeToString()


def encode_commit_hash(commit_hash: bytes) -> bytes:
    """Metadata slot 4, and slot 3 with the state hash: a Metadata message with the hash."""
    return common_pb2.Metadata(value=commit_hash).SerializeToString()


def decode_commit_hash(slot_raw: bytes) -> bytes:
    """Inverse of `encode_commit_hash`; raises InvalidMessage MALFORMED."""
    return parse_message(common_pb2.Metadata, slot_raw).value


def encode_orderer_block_metadata(last_config: int, consenter_metadata_raw: bytes) -> bytes:
    """The signed value.

    `last_config` is the number of the newest configuration block, which may be the block itself.
    """
    return common_pb2.OrdererBlockMetadata(
        last_config=common_pb2.LastConfig(index=last_config),
        consenter_metadata=consenter_metadata_raw,
    ).SerializeToString()


def encode_identifier_header(consenter_id: int, nonce: bytes) -> bytes:
    """Which consenter signs, and 24 random bytes of its own."""
    return common_pb2.IdentifierHeader(identifier=consenter_id, nonce=nonce).SerializeToString()


def decode_identifier_header(raw: bytes) -> tuple[int, bytes]:
    """(consenter id, nonce); raises InvalidMessage MALFORMED."""
    if len(raw) > IDENTIFIER_HEADER_BYTES_MAX:
        raise InvalidMessage(
            Reason.MALFORMED,
            f"an identifier header of {len(raw)} bytes, at most {IDENTIFIER_HEADER_BYTES_MAX}",
        )
    wire = parse_message(common_pb2.IdentifierHeader, raw)
    return wire.identifier, wire.nonce


# -- our part of the signed value -----------------------------------------------------------------


def encode_consenter_metadata(metadata: ConsenterMetadata) -> bytes:
    """ConsenterMetadata bytes, the one encoding of these values."""
    return consensus_pb2.ConsenterMetadata(
        version=CONSENTER_METADATA_VERSION,
        round=metadata.round,
        proposer=metadata.proposer,
        block_time_ms=metadata.block_time_ms,
        transactions_root=metadata.transactions_root,
        validator_set_hash=metadata.validator_set_hash,
        previous_commit_hash=metadata.previous_commit_hash,
        config_before=metadata.config_before,
    ).SerializeToString()


def decode_consenter_metadata(raw: bytes) -> ConsenterMetadata:
    """Raises InvalidMessage MALFORMED, also for another version or a hash not of 32 bytes."""
    wire = parse_message(consensus_pb2.ConsenterMetadata, raw)
    if wire.version != CONSENTER_METADATA_VERSION:
        raise InvalidMessage(
            Reason.MALFORMED, f"consenter metadata of unknown version {wire.version}"
        )
    hashes = (wire.transactions_root, wire.validator_set_hash, wire.previous_commit_hash)
    if any(len(value) != HASH_BYTES for value in hashes):
        raise InvalidMessage(Reason.MALFORMED, "a hash in the consenter metadata is not 32 bytes")
    return ConsenterMetadata(
        round=wire.round,
        proposer=wire.proposer,
        block_time_ms=wire.block_time_ms,
        transactions_root=wire.transactions_root,
        validator_set_hash=wire.validator_set_hash,
        previous_commit_hash=wire.previous_commit_hash,
        config_before=wire.config_before,
    )


def decode_signed_value(raw: bytes) -> ConsenterMetadata:
    """Our part of the value that seals sign (OrdererBlockMetadata); raises InvalidMessage."""
    value = parse_message(common_pb2.OrdererBlockMetadata, raw)
    return decode_consenter_metadata(value.consenter_metadata)


def consenter_metadata(block: Block) -> ConsenterMetadata | None:
    """What the seals of a block also signed; None for the genesis block, which has no seals."""
    if block.number == 0:
        return None
    # The seals stay unread: there are many, and the signed value stands beside them.
    signed = parse_message(common_pb2.Metadata, block.metadata[SLOT_SIGNATURES])
    return decode_signed_value(signed.value)
