"""Envelopes: what is decoded, and which code each broken part gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidMessage, Reason, TransactionInvalid
from ledger.model.codec import (
    decode_envelope,
    decode_request,
    encode_envelope,
    encode_request_payload,
    require_well_formed_entry,
)
from ledger.model.codes import HeaderType, ValidationCode
from ledger.model.transaction import Endorsement
from ledger.wire import common_pb2, protos_pb2, rwset_pb2
from tests.unit.model.fabric_blocks import block, envelope
from tests.unit.model.refusals import refusal
from tests.unit.model.wire_samples import CREATOR, GARBAGE, TransactionParts

NOT_UTF8 = b"\x0a\x02\xc3\x28"
"""Field 1 of two bytes that are no text."""


def signature_header(creator: bytes = CREATOR, nonce: bytes = b"n" * 24) -> bytes:
    return common_pb2.SignatureHeader(creator=creator, nonce=nonce).SerializeToString()


def typed(header_type: int) -> common_pb2.ChannelHeader:
    return common_pb2.ChannelHeader(type=header_type, channel_id="energy")


def with_epoch(epoch: int) -> common_pb2.ChannelHeader:
    header = TransactionParts().channel
    header.epoch = epoch
    return header


def with_extension(extension: bytes) -> common_pb2.ChannelHeader:
    header = TransactionParts().channel
    header.extension = extension
    return header


def namespace_of(rwset: bytes = b"", hashed: bytes | None = None) -> bytes:
    collections = []
    if hashed is not None:
        collections.append(rwset_pb2.CollectionHashedReadWriteSet(hashed_rwset=hashed))
    namespace = rwset_pb2.NsReadWriteSet(
        namespace="market", rwset=rwset, collection_hashed_rwset=collections
    )
    return rwset_pb2.TxReadWriteSet(ns_rwset=[namespace]).SerializeToString()


BROKEN = {
    "header missing": (TransactionParts(with_header=False), "BAD_COMMON_HEADER"),
    "payload is garbage": (TransactionParts(payload_raw=GARBAGE), "BAD_PAYLOAD"),
    "payload is empty": (TransactionParts(payload_raw=b""), "BAD_COMMON_HEADER"),
    "channel header is garbage": (TransactionParts(channel_raw=GARBAGE), "BAD_CHANNEL_HEADER"),
    "channel is no text": (
        TransactionParts(channel_raw=b"\x22\x02\xc3\x28"), "BAD_CHANNEL_HEADER",
    ),
    "signature header is garbage": (TransactionParts(signer_raw=GARBAGE), "BAD_COMMON_HEADER"),
    "no creator": (TransactionParts(signer_raw=signature_header(b"")), "BAD_COMMON_HEADER"),
    "no nonce": (TransactionParts(signer_raw=signature_header(nonce=b"")), "BAD_COMMON_HEADER"),
    "epoch 1": (TransactionParts(channel=with_epoch(1)), "BAD_COMMON_HEADER"),
    "extension is garbage": (
        TransactionParts(channel=with_extension(GARBAGE)), "BAD_HEADER_EXTENSION",
    ),
    "type 99": (TransactionParts(channel=typed(99)), "UNKNOWN_TX_TYPE"),
    "type -1": (TransactionParts(channel=typed(-1)), "UNKNOWN_TX_TYPE"),
    "message": (TransactionParts(channel=typed(HeaderType.MESSAGE)), "UNSUPPORTED_TX_PAYLOAD"),
    "config update": (
        TransactionParts(channel=typed(HeaderType.CONFIG_UPDATE)), "UNSUPPORTED_TX_PAYLOAD",
    ),
    "orderer transaction": (
        TransactionParts(channel=typed(HeaderType.ORDERER_TRANSACTION)), "UNSUPPORTED_TX_PAYLOAD",
    ),
    "seek": (
        TransactionParts(channel=typed(HeaderType.DELIVER_SEEK_INFO)), "UNSUPPORTED_TX_PAYLOAD",
    ),
    "chaincode package": (
        TransactionParts(channel=typed(HeaderType.CHAINCODE_PACKAGE)), "UNSUPPORTED_TX_PAYLOAD",
    ),
    "transaction is garbage": (TransactionParts(data_raw=GARBAGE), "INVALID_ENDORSER_TRANSACTION"),
    "no transaction": (TransactionParts(data_raw=b""), "INVALID_ENDORSER_TRANSACTION"),
    "two actions": (TransactionParts(action_count=2), "INVALID_ENDORSER_TRANSACTION"),
    "other header in the action": (
        TransactionParts(action_header_raw=signature_header(nonce=b"other")),
        "INVALID_ENDORSER_TRANSACTION",
    ),
    "action is garbage": (
        TransactionParts(action_payload_raw=GARBAGE), "INVALID_ENDORSER_TRANSACTION",
    ),
    "proposal payload is garbage": (
        TransactionParts(proposal_payload_raw=GARBAGE), "INVALID_ENDORSER_TRANSACTION",
    ),
    "invocation is garbage": (
        TransactionParts(invocation_raw=GARBAGE), "INVALID_ENDORSER_TRANSACTION",
    ),
    "action without endorsed part": (TransactionParts(with_endorsed_action=False), "NIL_TXACTION"),
    "action is empty": (TransactionParts(action_payload_raw=b""), "NIL_TXACTION"),
    "response payload is garbage": (
        TransactionParts(response_payload_raw=GARBAGE), "BAD_RESPONSE_PAYLOAD",
    ),
    "response payload is empty": (
        TransactionParts(response_payload_raw=b""), "BAD_RESPONSE_PAYLOAD",
    ),
    "chaincode action is garbage": (
        TransactionParts(chaincode_action_raw=GARBAGE), "BAD_RESPONSE_PAYLOAD",
    ),
    "event is garbage": (TransactionParts(event_raw=GARBAGE), "INVALID_OTHER_REASON"),
    "results are garbage": (TransactionParts(results_raw=GARBAGE), "BAD_RWSET"),
    "unknown data model": (TransactionParts(results_raw=b"\x08\x01"), "BAD_RWSET"),
    "key-value set is garbage": (TransactionParts(results_raw=namespace_of(GARBAGE)), "BAD_RWSET"),
    "key is no text": (
        TransactionParts(results_raw=namespace_of(b"\x0a\x04" + NOT_UTF8)), "BAD_RWSET",
    ),
    "hashed set is garbage": (
        TransactionParts(results_raw=namespace_of(hashed=GARBAGE)), "BAD_RWSET",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("parts", "code"), BROKEN.values(), ids=BROKEN.keys())
def test_each_broken_part_has_its_code(parts, code):
    with pytest.raises(TransactionInvalid) as caught:
        decode_envelope(parts.envelope())
    assert caught.value.code is ValidationCode[code]
    assert caught.value.detail


def test_empty_entry_and_no_envelope():
    with pytest.raises(TransactionInvalid) as caught:
        decode_envelope(b"")
    assert caught.value.code is ValidationCode.NIL_ENVELOPE
    with pytest.raises(TransactionInvalid) as caught:
        decode_envelope(GARBAGE)
    assert caught.value.code is ValidationCode.INVALID_OTHER_REASON


def test_an_unbroken_transaction():
    parts = TransactionParts(
        event_raw=protos_pb2.ChaincodeEvent(
            chaincode_id="market", tx_id="ab" * 32, event_name="offer", payload=b"1"
        ).SerializeToString()
    )
    decoded = decode_envelope(parts.envelope())
    assert decoded.raw == parts.envelope()
    assert decoded.payload_raw == parts.payload()
    assert decoded.signature == b"sig"
    assert decoded.header.creator == CREATOR
    assert decoded.header.nonce == b"n" * 24
    assert decoded.header.channel_header_raw == parts.channel.SerializeToString()
    assert decoded.header.signature_header_raw == parts.signer_raw
    assert decoded.header.channel.channel_id == "energy"
    assert decoded.header.channel.chaincode_name == "market"
    assert decoded.tx_id == "ab" * 32
    transaction = decoded.transaction
    assert transaction is not None
    assert transaction.chaincode_name == "market"
    assert transaction.args == (b"place_offer", b"1000")
    assert transaction.proposal_hash == b"h" * 32
    assert transaction.endorsements == (Endorsement(CREATOR, b"sig"),)
    assert transaction.proposal_response_payload_raw == parts.response_payload()
    assert transaction.action.chaincode_version == "1.0"
    assert transaction.action.response.payload == b"done"
    assert transaction.action.event is not None
    assert transaction.action.event.name == "offer"


def test_the_genesis_configuration_needs_no_creator():
    genesis = envelope(0)
    assert genesis.header.channel.type == HeaderType.CONFIG
    assert genesis.header.creator == b""
    assert genesis.transaction is None
    assert genesis.data_raw


@given(st.binary(max_size=200))
def test_random_bytes_raise_the_agreed_errors_only(raw):
    assert isinstance(refusal(decode_envelope, raw), ValidationCode)
    assert refusal(decode_request, raw) in (None, Reason.MALFORMED)
    assert refusal(require_well_formed_entry, raw) in (None, Reason.MALFORMED)


REAL_ENTRIES = [block(number).entries[0] for number in (2, 7, 8)]


@given(
    raw=st.sampled_from(REAL_ENTRIES),
    position=st.integers(0, 4000),
    replacement=st.binary(min_size=1, max_size=4),
)
def test_damaged_real_transactions_raise_the_agreed_error_only(raw, position, replacement):
    position %= len(raw)
    damaged = raw[:position] + replacement + raw[position + len(replacement) :]
    answer = refusal(decode_envelope, damaged)
    assert answer is None or answer in set(ValidationCode) - {ValidationCode.VALID}


@given(raw=st.sampled_from(REAL_ENTRIES), length=st.integers(0, 4000))
def test_cut_real_transactions_are_no_envelopes(raw, length):
    with pytest.raises(TransactionInvalid):
        decode_envelope(raw[: length % len(raw)])


def test_a_request_needs_no_nonce_as_official_clients_send_none():
    payload = encode_request_payload(
        header_type=HeaderType.DELIVER_SEEK_INFO,
        channel_id="energy",
        creator=CREATOR,
        nonce=b"",
        timestamp_ns=1_700_000_000_123_456_789,
        data=b"seek",
        tls_cert_hash=b"t" * 32,
    )
    request = decode_request(encode_envelope(payload, b"sig"))
    assert request.payload_raw == payload
    assert request.data_raw == b"seek"
    assert request.transaction is None
    channel = request.header.channel
    assert channel.type == HeaderType.DELIVER_SEEK_INFO
    assert channel.timestamp_ns == 1_700_000_000_123_456_789
    assert channel.tls_cert_hash == b"t" * 32


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        encode_envelope(b"payload", b""),
        encode_envelope(b"", b"sig"),
        b"\x12\x03sig\x0a\x07payload",
        encode_envelope(b"payload", b"sig") + b"\x18\x01",
        encode_envelope(b"payload", b"sig") + b"\x12\x03gis",
        b"\x0a\x87\x00payload\x12\x03sig",
    ],
    ids=[
        "empty",
        "no signature",
        "no payload",
        "fields swapped",
        "unknown field",
        "field twice",
        "long varint",
    ],
)
def test_entries_that_fabric_would_refuse_a_block_for(raw):
    with pytest.raises(InvalidMessage) as caught:
        require_well_formed_entry(raw)
    assert caught.value.reason is Reason.MALFORMED


@given(payload=st.binary(min_size=1, max_size=300), signature=st.binary(min_size=1))
def test_entries_we_make_are_well_formed(payload, signature):
    require_well_formed_entry(encode_envelope(payload, signature))
