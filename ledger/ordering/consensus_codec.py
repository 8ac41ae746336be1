"""Consensus messages and journal records to bytes and back (proto/ledger/wire/consensus.proto).

Decoding checks shape and bounds only. Signatures are `consensus_verifier`'s, block contents
`proposal_check`'s, and the protocol's rules the core's.
"""

from collections.abc import Iterable
from typing import TypeVar

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer

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
from ledger.crypto.hashing import block_header_der, sha256
from ledger.errors import InvalidMessage, Reason
from ledger.model.block import BlockHeader
from ledger.model.codec_block import (
    decode_consenter_metadata,
    decode_identifier_header,
    encode_consenter_metadata,
    encode_orderer_block_metadata,
    require_possible_count,
)
from ledger.model.codec_parsing import parse_message
from ledger.wire.consensus_pb2 import (
    BlockProposal,
    ConsensusMessage,
    ConsensusPayload,
    SignedConsensusPayload,
)

P = TypeVar("P", bound=Payload)

DIGEST_BYTES = 32

CONSENSUS_MESSAGE_BYTES_MAX = 8 * 1024 * 1024
VOTE_BYTES_MAX = 64 * 1024
JUSTIFICATION_ENTRIES_MAX = 200
"""Far above any validator set; the core compares with the real size."""


def block_digest(header: BlockHeader, last_config: int, consenter_metadata_raw: bytes) -> bytes:
    """The block id: SHA-256(DER header || OrdererBlockMetadata value with round 0)."""
    value = encode_orderer_block_metadata(last_config, consenter_metadata_raw)
    return sha256(block_header_der(header) + value)


# -- payloads: what is signed ---------------------------------------------------------------------


def encode_payload(payload: Payload, author: int) -> bytes:
    """The bytes an author signs (inside `ledger.consensus.messages.sign_bytes`)."""
    wire = ConsensusPayload(height=payload.height, round=payload.round, author=author)
    match payload:
        case Proposal():
            wire.type = ConsensusPayload.PROPOSAL
            wire.digest = payload.digest
        case Prepare():
            wire.type = ConsensusPayload.PREPARE
            wire.digest = payload.digest
        case Commit():
            wire.type = ConsensusPayload.COMMIT
            wire.digest = payload.digest
            wire.seal_identifier_header = payload.seal.identifier_header_raw
            wire.seal_signature = payload.seal.signature
        case RoundChange():
            wire.type = ConsensusPayload.ROUND_CHANGE
            if payload.prepared_round is not None and payload.prepared_digest is not None:
                wire.has_prepared = True
                wire.prepared_round = payload.prepared_round
                wire.prepared_digest = payload.prepared_digest
    return wire.SerializeToString(deterministic=True)


def decode_signed(wire: SignedConsensusPayload) -> Signed[Payload]:
    """A signed payload; its signature is not checked here."""
    payload, author = decode_payload(wire.payload)
    if encode_payload(payload, author) != wire.payload:
        raise InvalidMessage(Reason.MALFORMED, "a signed payload is not in its one encoding")
    return Signed(
        payload=payload,
        author=author,
        payload_raw=wire.payload,
        signature=wire.signature,
    )


def decode_payload(raw: bytes) -> tuple[Payload, int]:
    """A payload and its author, from the bytes that were signed."""
    fields = parse_message(ConsensusPayload, raw)
    return _payload(fields), fields.author


def _payload(fields: ConsensusPayload) -> Payload:
    height, round_ = fields.height, fields.round
    if fields.type == ConsensusPayload.ROUND_CHANGE:
        if not fields.has_prepared:
            return RoundChange(height, round_, None, None)
        _require_digest(fields.prepared_digest)
        return RoundChange(height, round_, fields.prepared_round, fields.prepared_digest)
    _require_digest(fields.digest)
    if fields.type == ConsensusPayload.PROPOSAL:
        return Proposal(height, round_, fields.digest)
    if fields.type == ConsensusPayload.PREPARE:
        return Prepare(height, round_, fields.digest)
    if fields.type == ConsensusPayload.COMMIT:
        return Commit(height, round_, fields.digest, _seal(fields))
    raise InvalidMessage(Reason.MALFORMED, f"unknown consensus message type {fields.type}")


def _require_digest(digest: bytes) -> None:
    if len(digest) != DIGEST_BYTES:
        raise InvalidMessage(Reason.MALFORMED, f"a block id has {DIGEST_BYTES} bytes")


def _seal(fields: ConsensusPayload) -> Seal:
    consenter_id, _nonce = decode_identifier_header(fields.seal_identifier_header)
    return Seal(consenter_id, fields.seal_identifier_header, fields.seal_signature)


# -- messages: signed payloads with their attachments ---------------------------------------------


def encode_message(message: Message) -> bytes:
    """A ConsensusMessage."""
    wire = ConsensusMessage()
    put_signed(wire.signed, message.signed)
    if isinstance(message, ProposalMessage):
        wire.block_proposal = encode_proposed_block(message.block)
        put_all(wire.round_changes, message.round_changes)
        put_all(wire.prepares, message.prepares)
    elif isinstance(message, RoundChangeMessage):
        if message.block is not None:
            wire.block_proposal = encode_proposed_block(message.block)
        put_all(wire.prepares, message.prepares)
    return wire.SerializeToString()


def decode_message(raw: bytes) -> Message:
    """A message with unchecked signatures; raises InvalidMessage MALFORMED or OVERSIZED.

    It must be in the one encoding its sender gave it: no unknown field, nothing that its kind
    does not carry.
    """
    if len(raw) > CONSENSUS_MESSAGE_BYTES_MAX:
        raise InvalidMessage(Reason.OVERSIZED, f"consensus message of {len(raw)} bytes")
    wire = parse_message(ConsensusMessage, raw)
    if max(len(wire.round_changes), len(wire.prepares)) > JUSTIFICATION_ENTRIES_MAX:
        raise InvalidMessage(Reason.OVERSIZED, "too many entries in a justification")
    _require_one_encoding(wire, raw)
    signed = decode_signed(wire.signed)
    if not isinstance(signed.payload, Proposal) and wire.round_changes:
        raise InvalidMessage(Reason.MALFORMED, "only a proposal carries round changes")
    match signed.payload:
        case Proposal():
            return ProposalMessage(
                signed=_typed(signed, Proposal),
                block=decode_proposed_block(wire.block_proposal),
                round_changes=decode_all(wire.round_changes, RoundChange),
                prepares=decode_all(wire.prepares, Prepare),
            )
        case RoundChange():
            block = decode_proposed_block(wire.block_proposal) if wire.block_proposal else None
            return RoundChangeMessage(
                signed=_typed(signed, RoundChange),
                block=block,
                prepares=decode_all(wire.prepares, Prepare),
            )
    if len(raw) > VOTE_BYTES_MAX:
        raise InvalidMessage(Reason.OVERSIZED, f"vote of {len(raw)} bytes")
    if wire.block_proposal or wire.prepares:
        raise InvalidMessage(Reason.MALFORMED, "a vote carries nothing else")
    if isinstance(signed.payload, Prepare):
        return PrepareMessage(_typed(signed, Prepare))
    return CommitMessage(_typed(signed, Commit), seal_verified=False)


# -- blocks under decision ------------------------------------------------------------------------


def encode_proposed_block(block: ProposedBlock) -> bytes:
    """A BlockProposal."""
    wire = BlockProposal(
        entries=block.entries,
        last_config=block.last_config,
        consenter_metadata=encode_consenter_metadata(block.metadata),
    )
    wire.header.number = block.header.number
    wire.header.previous_hash = block.header.previous_hash
    wire.header.data_hash = block.header.data_hash
    return wire.SerializeToString()


def decode_proposed_block(raw: bytes) -> ProposedBlock:
    """A block with its recomputed digest; raises InvalidMessage MALFORMED or OVERSIZED."""
    wire = parse_message(BlockProposal, raw)
    require_possible_count(len(wire.entries))
    _require_one_encoding(wire, raw)
    header = BlockHeader(wire.header.number, wire.header.previous_hash, wire.header.data_hash)
    metadata = decode_consenter_metadata(wire.consenter_metadata)
    if metadata.round != 0 or encode_consenter_metadata(metadata) != wire.consenter_metadata:
        raise InvalidMessage(Reason.MALFORMED, "consenter metadata is not in its one encoding")
    return ProposedBlock(
        header=header,
        entries=tuple(wire.entries),
        last_config=wire.last_config,
        metadata=metadata,
        digest=block_digest(header, wire.last_config, wire.consenter_metadata),
    )


def _require_one_encoding(wire: ConsensusMessage | BlockProposal, raw: bytes) -> None:
    """Two byte strings for one message would let a liar tell nodes apart by what they skip."""
    wire.DiscardUnknownFields()
    if wire.SerializeToString() != raw:
        raise InvalidMessage(
            Reason.MALFORMED, f"the {wire.DESCRIPTOR.name} is not in its one encoding"
        )


# -- shared by messages and journal records -------------------------------------------------------


def put_signed(wire: SignedConsensusPayload, signed: Signed[Payload]) -> None:
    """Fill a wire message with the bytes that were signed."""
    wire.payload = signed.payload_raw
    wire.signature = signed.signature


def put_all(
    field: RepeatedCompositeFieldContainer[SignedConsensusPayload],
    items: Iterable[Signed[Payload]],
) -> None:
    """Append signed payloads to a repeated field."""
    for item in items:
        put_signed(field.add(), item)


def decode_all(wires: Iterable[SignedConsensusPayload], kind: type[P]) -> tuple[Signed[P], ...]:
    """Signed payloads that must all be of one kind."""
    return tuple(_typed(decode_signed(wire), kind) for wire in wires)


def _typed(signed: Signed[Payload], kind: type[P]) -> Signed[P]:
    if not isinstance(signed.payload, kind):
        raise InvalidMessage(Reason.MALFORMED, f"a {kind.__name__} is expected here")
    return signed  # type: ignore[return-value]  # narrowed just above
