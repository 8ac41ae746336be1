"""Proposals, their answers and the transaction made of both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto.hashing import proposal_hash, transaction_id
from ledger.crypto.proposal import build_proposal
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import (
    decode_envelope,
    encode_envelope,
    prepared_transaction_payload,
    require_well_formed_entry,
)
from ledger.model.codec_action import (
    decode_proposal_response,
    decode_proposal_response_payload,
    encode_proposal_response,
    encode_proposal_response_payload,
)
from ledger.model.codec_header import decode_identity, encode_identity
from ledger.model.codec_proposal import (
    decode_proposal,
    decode_signed_proposal,
    encode_signed_proposal,
    strip_transient,
)
from ledger.model.codes import HeaderType, ValidationCode
from ledger.model.rwset import KeyWrite, NamespaceReadWriteSet, ReadWriteSet
from ledger.model.transaction import (
    ChaincodeAction,
    ChaincodeEvent,
    ChaincodeResponse,
    Endorsement,
    ProposalResponse,
    SignedProposal,
)
from ledger.wire import common_pb2, protos_pb2
from tests.unit.model.refusals import refusal
from tests.unit.model.wire_samples import CREATOR, GARBAGE

NONCE = bytes(range(24))
TIMESTAMP_NS = 1_700_000_000_123_456_789


def proposal_bytes(**changes) -> bytes:
    arguments = {
        "channel_id": "energy",
        "chaincode_name": "market",
        "args": [b"place_offer", b"\xff"],
        "creator": CREATOR,
        "nonce": NONCE,
        "timestamp_ns": TIMESTAMP_NS,
        "transient": {"b": b"2", "a": b"1"},
    }
    _, raw = build_proposal(**{**arguments, **changes})
    return raw


def signed(proposal_raw: bytes) -> SignedProposal:
    return decode_proposal(proposal_raw, b"sig")


def action(*, event: ChaincodeEvent | None = None) -> ChaincodeAction:
    namespace = NamespaceReadWriteSet("market", writes=(KeyWrite("key", b"value"),))
    return ChaincodeAction(
        results=ReadWriteSet((namespace,)),
        response=ChaincodeResponse(200, "ok", b"offer-1"),
        event=event,
        chaincode_name="market",
        chaincode_version="1.0",
    )


def test_a_proposal_is_decoded_as_built():
    proposal = signed(proposal_bytes(is_init=True))
    assert proposal.signature == b"sig"
    assert proposal.proposal_raw == proposal_bytes(is_init=True)
    assert proposal.raw == encode_signed_proposal(proposal.proposal_raw, b"sig")
    assert proposal == decode_signed_proposal(proposal.raw)
    assert (proposal.chaincode_name, proposal.args) == ("market", (b"place_offer", b"\xff"))
    assert proposal.is_init
    assert proposal.transient == {"a": b"1", "b": b"2"}
    assert proposal.tx_id == transaction_id(NONCE, CREATOR)
    channel = proposal.header.channel
    assert (channel.type, channel.channel_id, channel.timestamp_ns) == (
        HeaderType.ENDORSER_TRANSACTION, "energy", TIMESTAMP_NS,
    )  # fmt: skip


def test_transient_data_is_not_in_the_stripped_payload_nor_in_the_hash():
    secret, other = signed(proposal_bytes()), signed(proposal_bytes(transient={"a": b"other"}))
    assert secret.payload_raw != other.payload_raw
    stripped = strip_transient(secret.payload_raw)
    assert stripped == strip_transient(other.payload_raw) == strip_transient(stripped)
    parsed = protos_pb2.ChaincodeProposalPayload.FromString(stripped)
    assert parsed.input
    assert not parsed.TransientMap


def test_equal_proposals_encode_equal_whatever_the_order_of_transient_data():
    names = [f"name{number}" for number in range(30)]
    forward = proposal_bytes(transient=dict.fromkeys(names, b"x"))
    assert forward == proposal_bytes(transient=dict.fromkeys(reversed(names), b"x"))


def with_header(**changes) -> bytes:
    """A signed proposal whose channel header is changed."""
    proposal = protos_pb2.Proposal.FromString(proposal_bytes())
    header = common_pb2.Header.FromString(proposal.header)
    channel = common_pb2.ChannelHeader.FromString(header.channel_header)
    for name, value in changes.items():
        setattr(channel, name, value)
    header.channel_header = channel.SerializeToString()
    proposal.header = header.SerializeToString()
    return encode_signed_proposal(proposal.SerializeToString(), b"sig")


def with_parts(**changes) -> bytes:
    """A signed proposal whose header or payload bytes are replaced."""
    proposal = protos_pb2.Proposal.FromString(proposal_bytes())
    for name, value in changes.items():
        setattr(proposal, name, value)
    return encode_signed_proposal(proposal.SerializeToString(), b"sig")


def payload_of(invocation: bytes) -> bytes:
    return protos_pb2.ChaincodeProposalPayload(input=invocation).SerializeToString()


def extension(name: str) -> bytes:
    return protos_pb2.ChaincodeHeaderExtension(
        chaincode_id=protos_pb2.ChaincodeID(name=name)
    ).SerializeToString()


BROKEN = {
    "empty": b"",
    "garbage": GARBAGE,
    "proposal is garbage": encode_signed_proposal(GARBAGE, b"sig"),
    "header is garbage": with_parts(header=GARBAGE),
    "header is empty": with_parts(header=b""),
    "extension is garbage": with_header(extension=GARBAGE),
    "no chaincode": with_header(extension=b""),
    "another chaincode in the header": with_header(extension=extension("other")),
    "type config": with_header(type=HeaderType.CONFIG),
    "epoch 1": with_header(epoch=1),
    "no nonce": encode_signed_proposal(proposal_bytes(nonce=b""), b"sig"),
    "no creator": encode_signed_proposal(proposal_bytes(creator=b""), b"sig"),
    "payload is garbage": with_parts(payload=GARBAGE),
    "payload is empty": with_parts(payload=b""),
    "invocation is garbage": with_parts(payload=payload_of(GARBAGE)),
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
def test_broken_proposals_are_malformed(raw):
    with pytest.raises(InvalidMessage) as caught:
        decode_signed_proposal(raw)
    assert caught.value.reason is Reason.MALFORMED


@given(st.binary(max_size=200))
def test_random_bytes_raise_the_agreed_errors_only(raw):
    assert refusal(decode_signed_proposal, raw) is Reason.MALFORMED
    for decode in (strip_transient, decode_proposal_response, decode_identity):
        assert refusal(decode, raw) in (None, Reason.MALFORMED)
    answer = refusal(decode_proposal_response_payload, raw)
    assert answer is None or isinstance(answer, ValidationCode)


@given(position=st.integers(0, 2000), replacement=st.binary(min_size=1, max_size=4))
def test_damaged_proposals_raise_the_agreed_error_only(position, replacement):
    raw = encode_signed_proposal(proposal_bytes(), b"sig")
    position %= len(raw)
    damaged = raw[:position] + replacement + raw[position + len(replacement) :]
    assert refusal(decode_signed_proposal, damaged) in (None, Reason.MALFORMED)


responses = st.builds(
    ChaincodeResponse, st.integers(-(2**31), 2**31 - 1), st.text(max_size=9), st.binary(max_size=9)
)
events = st.builds(
    ChaincodeEvent, st.text(max_size=9), st.text(max_size=9), st.text(max_size=9), st.binary()
).filter(lambda event: event != ChaincodeEvent("", "", "", b""))


@given(response=responses, event=st.none() | events, name=st.text(max_size=9))
def test_actions_round_trip(response, event, name):
    original = ChaincodeAction(
        results=ReadWriteSet(),
        response=response,
        event=event,
        chaincode_name=name,
        chaincode_version="1.0",
    )
    raw = encode_proposal_response_payload(b"h" * 32, original)
    assert decode_proposal_response_payload(raw) == (b"h" * 32, original)


@given(
    response=responses,
    payload=st.binary(max_size=20),
    endorsement=st.none() | st.builds(Endorsement, st.binary(max_size=9), st.binary(max_size=9)),
)
def test_proposal_responses_round_trip(response, payload, endorsement):
    original = ProposalResponse(response, payload, endorsement)
    assert decode_proposal_response(encode_proposal_response(original)) == original


@given(mspid=st.text(max_size=20), pem=st.binary(max_size=40))
def test_identities_round_trip(mspid, pem):
    assert decode_identity(encode_identity(mspid, pem)) == (mspid, pem)


def test_the_prepared_transaction_keeps_what_was_signed_and_agreed():
    proposal = signed(proposal_bytes())
    stripped = strip_transient(proposal.payload_raw)
    agreed_hash = proposal_hash(
        proposal.header.channel_header_raw, proposal.header.signature_header_raw, stripped
    )
    event = ChaincodeEvent("market", proposal.tx_id, "offer", b"1")
    result = encode_proposal_response_payload(agreed_hash, action(event=event))
    endorsements = (Endorsement(b"peer1", b"sig1"), Endorsement(b"peer2", b"sig2"))

    payload = prepared_transaction_payload(proposal, result, endorsements)
    raw = encode_envelope(payload, b"signature of the client")
    require_well_formed_entry(raw)
    envelope = decode_envelope(raw)

    assert envelope.payload_raw == payload
    assert envelope.header == proposal.header
    transaction = envelope.transaction
    assert transaction is not None
    assert transaction.header_raw == proposal.header.signature_header_raw
    assert transaction.proposal_payload_raw == stripped
    assert transaction.proposal_response_payload_raw == result
    assert transaction.proposal_hash == agreed_hash
    assert transaction.action == action(event=event)
    assert transaction.endorsements == endorsements
    assert transaction.args == proposal.args


def test_a_prepared_transaction_is_in_protobufs_own_encoding_even_when_large():
    """Payload is put together by hand around the header's bytes; lengths of 1 to 3 bytes."""
    for size in (0, 100, 200, 20_000, 3_000_000):
        proposal = signed(proposal_bytes(args=[b"place_offer", bytes(size)]))
        payload = prepared_transaction_payload(proposal, b"result", ())
        parsed = common_pb2.Payload.FromString(payload)
        assert parsed.SerializeToString() == payload
        assert parsed.header.SerializeToString() == proposal.header_raw
