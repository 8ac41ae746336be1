"""Blocks, block signatures, consenter metadata and filtered blocks."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvalidMessage, Reason
from ledger.model.block import (
    SLOT_COMMIT_HASH,
    SLOT_SIGNATURES,
    SLOT_TRANSACTIONS_FILTER,
    Block,
    BlockHeader,
    BlockSignature,
    BlockSignatures,
    ConsenterMetadata,
)
from ledger.model.codec_block import (
    decode_block,
    decode_block_signatures,
    decode_commit_hash,
    decode_consenter_metadata,
    decode_identifier_header,
    encode_block,
    encode_block_signatures,
    encode_commit_hash,
    encode_consenter_metadata,
    encode_identifier_header,
    encode_orderer_block_metadata,
)
from ledger.model.codec_filtered import filtered_block
from ledger.model.codes import HeaderType, ValidationCode
from ledger.wire import common_pb2, consensus_pb2
from tests.unit.model.fabric_blocks import block, block_bytes, envelope
from tests.unit.model.refusals import refusal
from tests.unit.model.wire_samples import GARBAGE

uint64 = st.integers(0, 2**64 - 1)
uint32 = st.integers(0, 2**32 - 1)
short = st.binary(max_size=20)
hashes = st.binary(min_size=32, max_size=32)
blocks = st.builds(
    Block,
    st.builds(BlockHeader, uint64, short, short),
    st.lists(short, max_size=3).map(tuple),
    st.tuples(short, short, short, short, short),
)
metadatas = st.builds(ConsenterMetadata, uint64, uint32, uint64, hashes, hashes, hashes)
METADATA = ConsenterMetadata(2, 3, 1_700_000_000_000, b"r" * 32, b"v" * 32, b"c" * 32)


@given(blocks)
def test_blocks_round_trip(original):
    assert decode_block(encode_block(original)) == original


@given(st.binary(max_size=200))
def test_random_bytes_are_decoded_or_malformed(raw):
    for decode in (
        decode_block,
        decode_block_signatures,
        decode_consenter_metadata,
        decode_identifier_header,
    ):
        assert refusal(decode, raw) in (None, Reason.MALFORMED)


@given(position=st.integers(0, 4000), replacement=st.binary(min_size=1, max_size=4))
def test_damaged_real_blocks_are_decoded_or_malformed(position, replacement):
    raw = block_bytes(7)
    position %= len(raw)
    damaged = raw[:position] + replacement + raw[position + len(replacement) :]
    answer = refusal(
        lambda raw: decode_block_signatures(decode_block(raw).metadata[SLOT_SIGNATURES]), damaged
    )
    assert answer in (None, Reason.MALFORMED)


def test_missing_metadata_slots_are_empty_and_a_sixth_is_malformed():
    wire = common_pb2.Block(
        header=common_pb2.BlockHeader(number=1),
        metadata=common_pb2.BlockMetadata(metadata=[b"signatures"]),
    )
    assert decode_block(wire.SerializeToString()).metadata == (b"signatures", b"", b"", b"", b"")
    wire.metadata.metadata.extend([b""] * 5)
    with pytest.raises(InvalidMessage) as caught:
        decode_block(wire.SerializeToString())
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("raw", [b"", GARBAGE])
def test_a_block_has_a_header(raw):
    with pytest.raises(InvalidMessage) as caught:
        decode_block(raw)
    assert caught.value.reason is Reason.MALFORMED


@given(
    last_config=uint64,
    metadata=metadatas,
    seals=st.lists(st.tuples(uint32, short, short), max_size=4),
)
def test_block_signatures_round_trip(last_config, metadata, seals):
    consenter_metadata_raw = encode_consenter_metadata(metadata)
    original = BlockSignatures(
        value_raw=encode_orderer_block_metadata(last_config, consenter_metadata_raw),
        last_config_number=last_config,
        consenter_metadata_raw=consenter_metadata_raw,
        signatures=tuple(
            BlockSignature(identifier, encode_identifier_header(identifier, b"n" + nonce), sig)
            for identifier, nonce, sig in seals
        ),
    )
    assert decode_block_signatures(encode_block_signatures(original)) == original


def test_a_raft_signature_keeps_its_signature_header():
    raft = BlockSignature(0, b"", b"signature", signature_header_raw=b"header")
    signed = BlockSignatures(encode_orderer_block_metadata(7, b""), 7, b"", (raft,))
    assert decode_block_signatures(encode_block_signatures(signed)) == signed


def test_block_zero_as_last_configuration_is_written_like_fabrics():
    assert encode_orderer_block_metadata(0, b"m").hex(" ") == "0a 00 12 01 6d"


@given(metadatas)
def test_consenter_metadata_round_trip(metadata):
    assert decode_consenter_metadata(encode_consenter_metadata(metadata)) == metadata


@pytest.mark.parametrize(
    "field", ["transactions_root", "validator_set_hash", "previous_commit_hash"]
)
def test_hashes_in_consenter_metadata_have_32_bytes(field):
    for wrong in (b"", b"h" * 31, b"h" * 33):
        with pytest.raises(InvalidMessage) as caught:
            decode_consenter_metadata(
                encode_consenter_metadata(replace(METADATA, **{field: wrong}))
            )
        assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("version", [0, 2])
def test_consenter_metadata_of_another_version_is_refused(version):
    wire = consensus_pb2.ConsenterMetadata.FromString(encode_consenter_metadata(METADATA))
    wire.version = version
    with pytest.raises(InvalidMessage, match=f"version {version}"):
        decode_consenter_metadata(wire.SerializeToString())


def test_a_filtered_block_names_ids_codes_and_events_without_payload():
    original = block(6)
    filtered = filtered_block("energy", original)
    assert (filtered.channel_id, filtered.number) == ("energy", 6)
    (transaction,) = filtered.filtered_transactions
    assert transaction.txid == envelope(6).tx_id
    assert transaction.type == HeaderType.ENDORSER_TRANSACTION
    assert transaction.tx_validation_code == ValidationCode.VALID
    (action,) = transaction.transaction_actions.chaincode_actions
    assert action.chaincode_event.event_name == "ev"
    assert action.chaincode_event.chaincode_id == "basic"
    assert action.chaincode_event.tx_id == envelope(6).tx_id
    assert action.chaincode_event.payload == b""


def test_a_filtered_block_keeps_the_place_and_code_of_what_it_cannot_read():
    original = block(6)
    metadata = list(original.metadata)
    metadata[SLOT_TRANSACTIONS_FILTER] = bytes((ValidationCode.NIL_ENVELOPE, 10))
    mixed = replace(original, entries=(b"", *original.entries), metadata=tuple(metadata))
    unreadable, refused = filtered_block("energy", mixed).filtered_transactions
    assert unreadable.tx_validation_code == ValidationCode.NIL_ENVELOPE
    assert unreadable.txid == ""
    assert refused.tx_validation_code == ValidationCode.ENDORSEMENT_POLICY_FAILURE
    assert refused.txid == envelope(6).tx_id


def test_a_filtered_genesis_block_has_a_config_transaction_without_actions():
    (transaction,) = filtered_block("energy", block(0)).filtered_transactions
    assert transaction.type == HeaderType.CONFIG
    assert transaction.WhichOneof("Data") is None


@given(hashes)
def test_commit_hashes_round_trip(commit_hash):
    assert decode_commit_hash(encode_commit_hash(commit_hash)) == commit_hash


def test_a_real_fabric_peers_commit_hash_is_read():
    commit_hashes = {decode_commit_hash(block(n).metadata[SLOT_COMMIT_HASH]) for n in range(1, 11)}
    assert len(commit_hashes) == 10
    assert all(len(commit_hash) == 32 for commit_hash in commit_hashes)
