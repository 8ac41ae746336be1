"""What validators say to each other: messages, frames, blocks to import."""

from ledger.consensus.messages import Message, sign_bytes
from ledger.errors import InvalidMessage
from ledger.model.codec_block import decode_block
from ledger.model.codec_parsing import parse_message
from ledger.node.consensus.message_judge import MessageJudge
from ledger.ordering.consensus_codec import (
    VOTE_BYTES_MAX,
    decode_message,
    decode_payload,
    decode_proposed_block,
    encode_message,
    encode_proposed_block,
)
from ledger.ordering.consensus_verifier import ConsensusVerifier
from ledger.ordering.pool import BlockLimits
from ledger.rpc.frames import decode_frame
from ledger.wire.consensus_pb2 import ConsensusMessage, SignedConsensusPayload
from ledger.wire.validator_pb2 import (
    AckEntry,
    BlockRequest,
    BlockResponse,
    EndorseRequest,
    EndorseResult,
    Frame,
    Item,
    Status,
    TransactionBatch,
    TransactionBatchResult,
)
from tests.fuzz import samples
from tests.fuzz.engine import Attempt, FuzzTarget
from tests.support.identities import CHANNEL_ID
from tests.support.validator_world import VALIDATOR_IDS

MESSAGE_BYTES_MAX = 256 * 1024
"""Consensus messages may be 8 MiB; blocks of that size cost more than fuzzing wants."""


def _message(raw: bytes) -> None:
    """What was understood can be said again, and is then understood the same."""
    understood = decode_message(raw)
    assert decode_message(encode_message(understood)) == understood


def _payload_seeds() -> list[bytes]:
    wires = [ConsensusMessage.FromString(raw) for raw in samples.consensus_messages()]
    return [wire.signed.payload for wire in wires]


def _proposed_block(raw: bytes) -> None:
    block = decode_proposed_block(raw)
    assert decode_proposed_block(encode_proposed_block(block)) == block


def _proposed_block_seeds() -> list[bytes]:
    wires = [ConsensusMessage.FromString(raw) for raw in samples.consensus_messages()]
    return [wire.block_proposal for wire in wires if wire.block_proposal]


def _judge() -> MessageJudge:
    here = samples.world()
    verifier = ConsensusVerifier(here.validators, here.domain)
    return MessageJudge(
        verifier,
        here.memory,
        limits=BlockLimits,
        last_config=lambda: 0,
        check_config=here.check_config,
    )


def _judging_signed() -> Attempt:
    """As if every validator lied: each part is signed again by the author it names."""
    judge = _judge()

    def attempt(raw: bytes) -> Message:
        wire = parse_message(ConsensusMessage, raw)
        for part in (wire.signed, *wire.round_changes[:8], *wire.prepares[:8]):
            _sign(part)
        return judge.judge(wire.SerializeToString())

    return attempt


def _sign(part: SignedConsensusPayload) -> None:
    here = samples.world()
    try:
        _, author = decode_payload(part.payload)
    except InvalidMessage:
        return
    if author in VALIDATOR_IDS:
        part.signature = here.key(author).sign(sign_bytes(here.domain, part.payload))


def _frames() -> list[bytes]:
    here = samples.proposals()[0]
    items = (
        *(Item(consensus_message=raw) for raw in samples.consensus_messages()),
        Item(transactions=TransactionBatch(batch_id=7, envelopes=samples.transactions()[:3])),
        Item(
            transactions_result=TransactionBatchResult(
                batch_id=7, entries=[AckEntry(accepted=True), AckEntry(reason="OVERLOADED")]
            )
        ),
        Item(
            endorse_request=EndorseRequest(
                request_id=3, signed_proposal=here.raw, channel_id=CHANNEL_ID, height_min=2
            )
        ),
        Item(endorse_result=EndorseResult(request_id=3, reason="MALFORMED", detail="no")),
        Item(block_request=BlockRequest(from_number=1, to_number=9)),
        Item(block_response=BlockResponse(blocks=samples.block_bytes()[1:3])),
        Item(status=Status(height=3, block_hash=b"b" * 32, commit_hash=b"c" * 32)),
    )
    return [
        *(Frame(items=[item]).SerializeToString() for item in items),
        Frame(items=items).SerializeToString(),
    ]


def _frame(raw: bytes) -> None:
    """As the stream services read it."""
    for item in decode_frame(raw).items:
        item.WhichOneof("kind")
        item.ByteSize()


def _importing() -> Attempt:
    committer = samples.world().committer
    return lambda raw: committer.certified(decode_block(raw))


TARGETS = (
    FuzzTarget(
        "consensus-message",
        "the five messages of consensus, encoded again",
        samples.consensus_messages,
        lambda: _message,
        MESSAGE_BYTES_MAX,
    ),
    FuzzTarget(
        "consensus-payload",
        "what an author signs",
        _payload_seeds,
        lambda: decode_payload,
        VOTE_BYTES_MAX,
    ),
    FuzzTarget(
        "proposed-block",
        "a block under decision",
        _proposed_block_seeds,
        lambda: _proposed_block,
        MESSAGE_BYTES_MAX,
    ),
    FuzzTarget(
        "message-judge",
        "everything before the core, signatures as they come",
        samples.consensus_messages,
        lambda: _judge().judge,
        MESSAGE_BYTES_MAX,
    ),
    FuzzTarget(
        "message-judge-signed",
        "everything before the core, each part signed by whom it names",
        samples.consensus_messages,
        _judging_signed,
        MESSAGE_BYTES_MAX,
    ),
    FuzzTarget(
        "validator-frame",
        "a frame of a validator stream",
        _frames,
        lambda: _frame,
        MESSAGE_BYTES_MAX,
    ),
    FuzzTarget(
        "block-import",
        "a block from another validator, up to its certificate",
        samples.block_bytes,
        _importing,
        MESSAGE_BYTES_MAX,
    ),
)
