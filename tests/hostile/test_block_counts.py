"""Row 4: how much a block and its certificate hold is counted before anything is built from it."""

import pytest

from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_block import (
    BLOCK_SIGNATURES_MAX,
    BLOCK_TRANSACTIONS_MAX,
    decode_block,
    decode_block_signatures,
)
from ledger.ordering.consensus_codec import decode_proposed_block, encode_proposed_block
from ledger.wire.common_pb2 import Block, Metadata
from ledger.wire.consensus_pb2 import BlockProposal
from tests.support.validator_world import ValidatorWorld


def oversized(decode, raw: bytes) -> None:
    with pytest.raises(InvalidMessage) as caught:
        decode(raw)
    assert caught.value.reason is Reason.OVERSIZED


def test_transactions_of_a_block():
    wire = Block()
    wire.header.SetInParent()
    wire.data.data.extend([b""] * BLOCK_TRANSACTIONS_MAX)
    assert len(decode_block(wire.SerializeToString()).entries) == BLOCK_TRANSACTIONS_MAX
    wire.data.data.append(b"")
    oversized(decode_block, wire.SerializeToString())


def test_transactions_of_a_proposed_block():
    raw = encode_proposed_block(ValidatorWorld().block(b"x"))
    wire = BlockProposal.FromString(raw)
    wire.entries.extend([b""] * BLOCK_TRANSACTIONS_MAX)
    oversized(decode_proposed_block, wire.SerializeToString())


def test_signatures_of_a_block():
    wire = Metadata()
    for _ in range(BLOCK_SIGNATURES_MAX):
        wire.signatures.add()
    decode_block_signatures(wire.SerializeToString())
    wire.signatures.add()
    oversized(decode_block_signatures, wire.SerializeToString())
