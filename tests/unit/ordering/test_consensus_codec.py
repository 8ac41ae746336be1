"""Consensus messages and journal records survive the wire; anything else is refused by name."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.consensus.messages import Message
from ledger.consensus.records import (
    CommitVoted,
    PrepareVoted,
    ProposalMade,
    Record,
    RoundAnnounced,
)
from ledger.errors import InvalidMessage, NodeFault, Reason
from ledger.model.codec_block import IDENTIFIER_HEADER_BYTES_MAX, encode_identifier_header
from ledger.ordering import consensus_codec
from ledger.ordering.consensus_codec import (
    decode_message,
    decode_proposed_block,
    encode_message,
    encode_proposed_block,
)
from ledger.ordering.journal_codec import decode_record, encode_record
from ledger.wire.consensus_pb2 import ConsensusMessage, ConsensusPayload
from tests.support.validator_world import VALIDATOR_IDS, ValidatorWorld

WORLD = ValidatorWorld()
BLOCK = WORLD.block()
LOCKED = tuple(WORLD.round_change(i, 1, BLOCK).signed for i in (1, 2, 3))
PREPARES = tuple(WORLD.prepare(i, BLOCK).signed for i in VALIDATOR_IDS[:3])

MESSAGES: dict[str, Message] = {
    "proposal": WORLD.proposal(BLOCK),
    "justified proposal": WORLD.proposal(BLOCK, 1, round_changes=LOCKED, prepares=PREPARES),
    "prepare": WORLD.prepare(2, BLOCK),
    "commit": WORLD.commit_vote(3, BLOCK),
    "round change": WORLD.round_change(4, 2),
    "locked round change": WORLD.round_change(4, 2, BLOCK),
}
RECORDS: dict[str, Record] = {
    "proposal": ProposalMade(1, 0, BLOCK, (), ()),
    "justified": ProposalMade(1, 1, BLOCK, LOCKED, PREPARES),
    "prepare": PrepareVoted(1, 3, BLOCK),
    "commit": CommitVoted(1, 3, BLOCK.digest, PREPARES),
    "round": RoundAnnounced(1, 4),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_survives_the_wire(name: str) -> None:
    assert decode_message(encode_message(MESSAGES[name])) == MESSAGES[name]


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_survives_the_journal(name: str) -> None:
    assert decode_record(encode_record(RECORDS[name])) == RECORDS[name]


def test_a_block_keeps_its_digest() -> None:
    assert decode_proposed_block(encode_proposed_block(BLOCK)) == BLOCK


def test_metadata_has_one_encoding_and_round_0() -> None:
    later = replace(BLOCK, metadata=replace(BLOCK.metadata, round=1))
    with pytest.raises(InvalidMessage):
        decode_proposed_block(encode_proposed_block(later))


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_decode(raw: bytes) -> None:
    """Nothing but InvalidMessage comes out."""
    try:
        message = decode_message(raw)
    except InvalidMessage:
        return
    assert decode_message(encode_message(message)) == message


@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_damaged_messages_are_refused_or_decode(name: str, data: st.DataObject) -> None:
    raw = bytearray(encode_message(MESSAGES[name]))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for damaged in (bytes(raw), bytes(raw[:cut])):
        try:
            decode_message(damaged)
        except InvalidMessage as refused:
            assert refused.reason is Reason.MALFORMED  # noqa: PT017 - decoding may also succeed


@given(st.binary(max_size=100))
def test_damaged_records_stop_the_node(raw: bytes) -> None:
    """They passed the journal's checksum: if they do not decode, this node wrote them wrong."""
    try:
        decode_record(b"\x08\x7f" + raw)
    except NodeFault:
        return
    pytest.fail("a record of an unknown kind was accepted")


def test_oversized_messages_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = encode_message(MESSAGES["proposal"])
    monkeypatch.setattr(consensus_codec, "CONSENSUS_MESSAGE_BYTES_MAX", len(raw) - 1)
    with pytest.raises(InvalidMessage) as refused:
        decode_message(raw)
    assert refused.value.reason is Reason.OVERSIZED


def test_a_vote_may_not_carry_luggage() -> None:
    wire = ConsensusMessage.FromString(encode_message(MESSAGES["prepare"]))
    wire.block_proposal = bytes(consensus_codec.VOTE_BYTES_MAX)
    with pytest.raises(InvalidMessage) as refused:
        decode_message(wire.SerializeToString())
    assert refused.value.reason is Reason.OVERSIZED


def signed_again(message: Message, **fields: bytes) -> bytes:
    """A message with other fields in the payload that its author signs."""
    wire = ConsensusMessage.FromString(encode_message(message))
    payload = ConsensusPayload.FromString(wire.signed.payload)
    for name, value in fields.items():
        setattr(payload, name, value)
    wire.signed.payload = payload.SerializeToString(deterministic=True)
    return wire.SerializeToString()


def test_a_liar_cannot_bloat_what_others_keep() -> None:
    """Evidence keeps two payloads, and blocks keep every seal's header for ever."""
    huge = encode_identifier_header(3, bytes(IDENTIFIER_HEADER_BYTES_MAX))
    for raw in (
        signed_again(MESSAGES["locked round change"], prepared_digest=bytes(1_000_000)),
        signed_again(MESSAGES["commit"], seal_identifier_header=huge),
    ):
        with pytest.raises(InvalidMessage) as refused:
            decode_message(raw)
        assert refused.value.reason is Reason.MALFORMED


def test_huge_justifications_are_refused_before_any_signature() -> None:
    wire = ConsensusMessage.FromString(encode_message(MESSAGES["justified proposal"]))
    for _ in range(consensus_codec.JUSTIFICATION_ENTRIES_MAX):
        wire.prepares.add().CopyFrom(wire.prepares[0])
    with pytest.raises(InvalidMessage) as refused:
        decode_message(wire.SerializeToString())
    assert refused.value.reason is Reason.OVERSIZED


def test_kinds_are_not_mixed_up() -> None:
    wire = ConsensusMessage.FromString(encode_message(MESSAGES["justified proposal"]))
    del wire.round_changes[:]
    wire.round_changes.add().CopyFrom(wire.prepares[0])
    with pytest.raises(InvalidMessage):
        decode_message(wire.SerializeToString())


@pytest.mark.parametrize("kind", [0, 5, 1_000_000])
def test_unknown_kinds_are_refused(kind: int) -> None:
    payload = ConsensusPayload(height=1, digest=bytes(32), author=1)
    payload.type = kind
    wire = ConsensusMessage()
    wire.signed.payload = payload.SerializeToString()
    with pytest.raises(InvalidMessage):
        decode_message(wire.SerializeToString())
