"""Commit seals: Fabric's v3 block signature, made and checked over the block as it is carried."""

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from ledger.consensus.messages import ProposedBlock, Seal
from ledger.consensus.quorum import quorum
from ledger.crypto.hashing import block_data_hash, block_signature_message
from ledger.crypto.signing import Signer, verify_signature
from ledger.errors import InvalidMessage, Reason
from ledger.model.block import (
    METADATA_SLOTS,
    SLOT_SIGNATURES,
    Block,
    BlockSignature,
    BlockSignatures,
    ConsenterMetadata,
)
from ledger.model.codec_block import (
    decode_block_signatures,
    decode_consenter_metadata,
    encode_block_signatures,
    encode_consenter_metadata,
    encode_identifier_header,
    encode_orderer_block_metadata,
)
from ledger.ordering.validator_set import ValidatorSet

SEAL_NONCE_BYTES = 24


def metadata_value(block: ProposedBlock, round_: int) -> bytes:
    """OrdererBlockMetadata bytes of a block committed in `round_`: what every seal signs first."""
    fields = block.metadata
    metadata = ConsenterMetadata(
        round=round_,
        proposer=fields.proposer,
        block_time_ms=fields.block_time_ms,
        transactions_root=fields.transactions_root,
        validator_set_hash=fields.validator_set_hash,
        previous_commit_hash=fields.previous_commit_hash,
        config_before=fields.config_before,
    )
    return encode_orderer_block_metadata(block.last_config, encode_consenter_metadata(metadata))


def make_seal(
    signer: Signer, consenter_id: int, nonce: bytes, block: ProposedBlock, round_: int
) -> Seal:
    """Sign a block for a round; the nonce is the caller's randomness (24 bytes)."""
    header_raw = encode_identifier_header(consenter_id, nonce)
    message = block_signature_message(metadata_value(block, round_), header_raw, block.header)
    return Seal(consenter_id, header_raw, signer.sign(message))


def check_seal(seal: Seal, key: EllipticCurvePublicKey, block: ProposedBlock, round_: int) -> None:
    """Raise InvalidMessage unless the seal is good for this block and round."""
    message = block_signature_message(
        metadata_value(block, round_), seal.identifier_header_raw, block.header
    )
    verify_signature(key, message, seal.signature)


def sealed_block(block: ProposedBlock, round_: int, seals: tuple[Seal, ...]) -> Block:
    """The block as stored, before validation fills in the transactions' flags."""
    signatures = BlockSignatures(
        value_raw=metadata_value(block, round_),
        last_config_number=block.last_config,
        consenter_metadata_raw=b"",
        signatures=tuple(
            BlockSignature(seal.consenter_id, seal.identifier_header_raw, seal.signature)
            for seal in seals
        ),
    )
    metadata = [b""] * METADATA_SLOTS
    metadata[SLOT_SIGNATURES] = encode_block_signatures(signatures)
    return Block(
        header=block.header,
        entries=block.entries,
        metadata=(metadata[0], metadata[1], metadata[2], metadata[3], metadata[4]),
    )


def seals_only(signed: BlockSignatures) -> bytes:
    """Metadata slot 0 without fields that no seal covers and nobody reads."""
    seals = tuple(replace(seal, signature_header_raw=b"") for seal in signed.signatures)
    return encode_block_signatures(replace(signed, signatures=seals))


def check_certificate(block: Block, validators: ValidatorSet) -> ConsenterMetadata:
    """Raise InvalidMessage unless a quorum of `validators` sealed exactly this block.

    Counts signers, never signatures. Holds for any path a block comes in by: catch-up, snapshot,
    restored backup. Returns the signed consenter metadata.
    """
    if block_data_hash(block.entries) != block.header.data_hash:
        raise InvalidMessage(Reason.MALFORMED, f"block {block.number}: data hash does not match")
    return check_seals(block, validators)


def check_seals(block: Block, validators: ValidatorSet) -> ConsenterMetadata:
    """`check_certificate` for a block of which only header and seals are at hand."""
    signed = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
    if len(signed.signatures) > len(validators.ids):
        raise InvalidMessage(
            Reason.OVERSIZED,
            f"block {block.number}: {len(signed.signatures)} seals of {len(validators.ids)}",
        )
    signers: set[int] = set()
    for signature in signed.signatures:
        key = validators.keys.get(signature.consenter_id)
        if key is None:
            raise InvalidMessage(
                Reason.NOT_A_VALIDATOR,
                f"block {block.number}: consenter {signature.consenter_id} is not in the set",
            )
        message = block_signature_message(
            signed.value_raw, signature.identifier_header_raw, block.header
        )
        verify_signature(key, message, signature.signature)
        signers.add(signature.consenter_id)
    needed = quorum(len(validators.ids))
    if len(signers) < needed:
        raise InvalidMessage(
            Reason.POLICY_NOT_SATISFIED,
            f"block {block.number}: {len(signers)} of {needed} needed seals",
        )
    return decode_consenter_metadata(signed.consenter_metadata_raw)
