"""Decoders of the ledger's wire: transactions, proposals, blocks, policies."""

from dataclasses import replace

from ledger.crypto.policy_text import POLICY_TEXT_MAX, format_policy, parse_policy
from ledger.model.codec import decode_envelope, decode_request, require_well_formed_entry
from ledger.model.codec_action import (
    decode_proposal_response,
    decode_proposal_response_payload,
    encode_proposal_response,
    encode_proposal_response_payload,
)
from ledger.model.codec_block import (
    decode_block,
    decode_block_signatures,
    decode_commit_hash,
    decode_consenter_metadata,
    decode_identifier_header,
    encode_block,
)
from ledger.model.codec_filtered import filtered_block
from ledger.model.codec_header import decode_header, decode_identity
from ledger.model.codec_proposal import decode_signed_proposal
from ledger.model.codec_rwset import decode_read_write_set, encode_read_write_set
from ledger.model.config import CONFIG_BYTES_MAX
from ledger.model.config_codec import decode_config_block, decode_config_envelope
from ledger.model.policy import PolicyReference
from ledger.model.policy_codec import (
    decode_application_policy,
    decode_signature_policy,
    encode_application_policy,
    encode_signature_policy,
)
from ledger.ordering.pool import PoolLimits
from ledger.rpc.transport import MESSAGE_BYTES_MAX
from tests.fuzz import samples
from tests.fuzz.engine import Attempt, FuzzTarget, Shape
from tests.support.identities import CHANNEL_ID, THREE_OF_FOUR

TRANSACTION_BYTES_MAX = PoolLimits().transaction_bytes_max
HEADER_BYTES_MAX = 64 * 1024
BLOCK_BYTES_MAX = 1024 * 1024
"""A block may be as long as a message; blocks of that size cost more than fuzzing wants."""
assert BLOCK_BYTES_MAX < MESSAGE_BYTES_MAX

POLICY_TEXTS = (
    THREE_OF_FOUR,
    "AND('CoopMSP.member', OR('DsoMSP.admin', 'UtilityMSP.client'))",
    "OutOf(1, AND('A.peer'), OutOf(2, 'B.orderer', 'C.peer', \"D-1.x.member\"))",
)


def _entry(raw: bytes) -> None:
    require_well_formed_entry(raw)
    decode_envelope(raw)


def _filtered(raw: bytes) -> None:
    filtered_block(CHANNEL_ID, decode_block(raw)).SerializeToString()


def _headers(raw: bytes) -> None:
    middle = len(raw) // 2
    decode_header(raw[:middle], raw[middle:])
    decode_identity(raw)


def _header_seeds() -> list[bytes]:
    headers = [decode_envelope(raw).header for raw in samples.transactions()]
    return [h.channel_header_raw + h.signature_header_raw for h in headers]


def _block_slots(raw: bytes) -> None:
    for decode in (
        decode_block_signatures,
        decode_commit_hash,
        decode_consenter_metadata,
        decode_identifier_header,
    ):
        try:
            decode(raw)
        except Exception as error:
            error.add_note(f"in {decode.__name__}")
            raise


def _slot_seeds() -> list[bytes]:
    slots = [slot for block in samples.blocks() for slot in block.metadata if slot]
    inner = [decode_block_signatures(block.metadata[0]) for block in samples.blocks()[1:]]
    return [*slots, *(signed.consenter_metadata_raw for signed in inner)]


def _rwset(raw: bytes) -> None:
    """What was understood can be said again, and is then understood the same."""
    understood = decode_read_write_set(raw)
    assert decode_read_write_set(encode_read_write_set(understood)) == understood


def _response_payload(raw: bytes) -> None:
    """What was understood can be said again; said twice it means the same."""
    again = encode_proposal_response_payload(*decode_proposal_response_payload(raw))
    assert encode_proposal_response_payload(*decode_proposal_response_payload(again)) == again


def _response_payload_seeds() -> list[bytes]:
    decoded = [decode_envelope(raw).transaction for raw in samples.transactions()]
    return [one.proposal_response_payload_raw for one in decoded if one is not None]


def _proposal_response(raw: bytes) -> None:
    encode_proposal_response(decode_proposal_response(raw))


def _policy(raw: bytes) -> None:
    policy = decode_application_policy(raw)
    assert decode_application_policy(encode_application_policy(policy)) == policy
    decode_signature_policy(raw)


def _policy_seeds() -> list[bytes]:
    parsed = [parse_policy(text) for text in POLICY_TEXTS]
    return [
        *map(encode_signature_policy, parsed),
        *map(encode_application_policy, parsed),
        encode_application_policy(PolicyReference("/Channel/Application/Endorsement")),
    ]


def _policy_text(raw: bytes) -> None:
    policy = parse_policy(raw.decode("utf-8", "replace"))
    assert parse_policy(format_policy(policy)).rule is not None


def _config_block() -> Attempt:
    genesis = samples.world().consortium.genesis

    def attempt(raw: bytes) -> None:
        decode_config_envelope(raw)
        decode_config_block(replace(genesis, entries=(raw,)))

    return attempt


def _responses() -> list[bytes]:
    from ledger.wire import protos_pb2  # noqa: PLC0415 - only to build a sample

    response = protos_pb2.ProposalResponse(version=1, payload=_response_payload_seeds()[0])
    response.response.status = 200
    response.endorsement.endorser = samples.world().client.serialized
    response.endorsement.signature = b"signature"
    return [response.SerializeToString()]


TARGETS = (
    FuzzTarget(
        "transaction",
        "an envelope on its way into a pool or out of a block",
        samples.transactions,
        lambda: _entry,
        TRANSACTION_BYTES_MAX,
    ),
    FuzzTarget(
        "signed-request",
        "the envelope of a block stream's request",
        samples.transactions,
        lambda: decode_request,
        TRANSACTION_BYTES_MAX,
    ),
    FuzzTarget(
        "headers",
        "channel and signature header",
        _header_seeds,
        lambda: _headers,
        HEADER_BYTES_MAX,
    ),
    FuzzTarget(
        "signed-proposal",
        "a client's proposal",
        lambda: [proposal.raw for proposal in samples.proposals()],
        lambda: decode_signed_proposal,
        2 * TRANSACTION_BYTES_MAX,
    ),
    FuzzTarget(
        "read-write-set",
        "what a transaction read and writes",
        lambda: [encode_read_write_set(one) for one in samples.read_write_sets()],
        lambda: _rwset,
        TRANSACTION_BYTES_MAX,
    ),
    FuzzTarget(
        "response-payload",
        "what endorsers sign",
        _response_payload_seeds,
        lambda: _response_payload,
        TRANSACTION_BYTES_MAX,
    ),
    FuzzTarget(
        "proposal-response",
        "another endorser's answer",
        _responses,
        lambda: _proposal_response,
        TRANSACTION_BYTES_MAX,
    ),
    FuzzTarget(
        "block",
        "a block, encoded again",
        samples.block_bytes,
        lambda: lambda raw: encode_block(decode_block(raw)),
        BLOCK_BYTES_MAX,
    ),
    FuzzTarget(
        "filtered-block",
        "a block as filtered streams send it",
        samples.block_bytes,
        lambda: _filtered,
        BLOCK_BYTES_MAX,
    ),
    FuzzTarget(
        "block-metadata",
        "the slots of a block's metadata",
        _slot_seeds,
        lambda: _block_slots,
        HEADER_BYTES_MAX,
    ),
    FuzzTarget(
        "channel-config",
        "a configuration envelope",
        lambda: [samples.world().consortium.genesis.entries[0]],
        _config_block,
        CONFIG_BYTES_MAX,
    ),
    FuzzTarget(
        "policy", "policies as chaincode definitions carry them", _policy_seeds, lambda: _policy,
        TRANSACTION_BYTES_MAX,
    ),
    FuzzTarget(
        "policy-text",
        "policies as people write them",
        lambda: [text.encode() for text in POLICY_TEXTS],
        lambda: _policy_text,
        POLICY_TEXT_MAX,
        shape=Shape.TEXT,
        dictionary=("AND(", "OR(", "OutOf(", "'A.peer'", "'B.admin'", ",", ")", "1", "0", "'"),
    ),
)  # fmt: skip
