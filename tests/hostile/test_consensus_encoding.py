"""Row 2: a consensus message has one encoding; anything beside it is refused, not skipped."""

import pytest

from ledger.errors import InvalidMessage, Reason
from ledger.ordering.consensus_codec import decode_message, encode_message
from ledger.wire.consensus_pb2 import ConsensusMessage, ConsensusPayload
from tests.support.validator_world import ValidatorWorld

UNKNOWN_FIELD = b"\xf8\x07\x01"
"""Field 127, number 1."""


@pytest.fixture(scope="module")
def messages():
    world = ValidatorWorld()
    block = world.block()
    return {
        "proposal": encode_message(world.proposal(block)),
        "prepare": encode_message(world.prepare(2, block)),
        "commit": encode_message(world.commit_vote(2, block)),
        "round change": encode_message(world.round_change(2, 1)),
        "round change with a lock": encode_message(world.round_change(2, 1, block)),
    }


KINDS = ["proposal", "prepare", "commit", "round change", "round change with a lock"]
with_every_kind = pytest.mark.parametrize("kind", KINDS)


def refused(raw: bytes) -> None:
    with pytest.raises(InvalidMessage) as caught:
        decode_message(raw)
    assert caught.value.reason is Reason.MALFORMED


@with_every_kind
def test_the_message_itself_passes(messages, kind):
    assert encode_message(decode_message(messages[kind])) == messages[kind]


@with_every_kind
def test_an_unknown_field_is_refused_wherever_it_stands(messages, kind):
    raw = messages[kind]
    refused(raw + UNKNOWN_FIELD)
    for part in ("signed", "payload", "block"):
        wire = ConsensusMessage.FromString(raw)
        if part == "signed":
            wire.signed.MergeFromString(UNKNOWN_FIELD)
        elif part == "payload":
            wire.signed.payload += UNKNOWN_FIELD
        elif wire.block_proposal:
            wire.block_proposal += UNKNOWN_FIELD
        else:
            continue
        refused(wire.SerializeToString())


@with_every_kind
def test_a_field_given_twice_or_in_more_bytes_than_it_needs_is_refused(messages, kind):
    wire = ConsensusMessage.FromString(messages[kind])
    payload = wire.signed.payload
    height = b"\x10\x01"
    assert height in payload
    for other in (payload + height, payload.replace(height, b"\x10\x81\x00", 1)):
        wire.signed.payload = other
        refused(wire.SerializeToString())


def test_fields_of_another_kind_are_refused(messages):
    wire = ConsensusMessage.FromString(messages["prepare"])
    payload = ConsensusPayload.FromString(wire.signed.payload)
    payload.prepared_round = 3
    wire.signed.payload = payload.SerializeToString()
    refused(wire.SerializeToString())


@pytest.mark.parametrize("kind", ["prepare", "commit"])
def test_a_vote_carries_nothing_else(messages, kind):
    locked = ConsensusMessage.FromString(messages["round change with a lock"])
    for name in ("block_proposal", "prepares"):
        wire = ConsensusMessage.FromString(messages[kind])
        extra = ConsensusMessage()
        if name == "block_proposal":
            extra.block_proposal = locked.block_proposal
        else:
            extra.prepares.extend(locked.prepares)
        wire.MergeFrom(extra)
        refused(wire.SerializeToString())


@pytest.mark.parametrize("kind", ["prepare", "commit", "round change"])
def test_only_a_proposal_carries_round_changes(messages, kind):
    wire = ConsensusMessage.FromString(messages[kind])
    wire.round_changes.add().CopyFrom(wire.signed)
    refused(wire.SerializeToString())
