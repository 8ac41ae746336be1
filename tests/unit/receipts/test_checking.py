"""A receipt proves what it says to whoever trusts the validators, and nothing else passes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto.hashing import sha256
from ledger.model.block import BlockHeader
from ledger.model.codes import ValidationCode
from ledger.model.rwset import Version
from ledger.receipts.checking import check_receipt
from ledger.receipts.making import make_receipt
from ledger.receipts.receipt import RECEIPT_BYTES_MAX, decode_receipt, encode_receipt
from ledger.receipts.refusals import NotProvable, Problem, ReceiptRefused, Step
from ledger.receipts.trust import trusted_from_blocks
from ledger.validation.outcome import write_element
from tests.support.receipt_world import (
    FORGERIES,
    HOUR,
    LINE_KEY,
    NEIGHBOUR,
    ReceiptWorld,
    settlement_line,
    strangers,
)


@pytest.fixture(scope="module")
def world():
    return ReceiptWorld()


def refused(raw, trusted) -> tuple[str, str]:
    with pytest.raises(ReceiptRefused) as error:
        check_receipt(raw, trusted)
    return str(error.value.step), str(error.value.problem)


def test_a_settlement_is_proven(world):
    proven = check_receipt(encode_receipt(world.receipt()), world.trusted)
    assert proven.transaction.code == ValidationCode.VALID
    assert proven.transaction.tx_id
    assert (proven.write.key, proven.write.value) == (LINE_KEY, settlement_line("VAL-0001"))
    assert proven.block_number == 1
    assert proven.block_hash == world.block(2).header.previous_hash
    assert [signer for signer, _ in proven.sealed_by] == [1, 2, 3]
    assert (proven.validators, proven.is_newer_than_trust) == (4, True)


def test_a_refused_transaction_is_proven_refused(world):
    proven = check_receipt(encode_receipt(world.receipt(2, None)), world.trusted)
    assert proven.transaction.code == ValidationCode.MVCC_READ_CONFLICT
    assert proven.write is None


def test_it_is_small_and_says_nothing_of_the_neighbour(world):
    raw = encode_receipt(world.receipt())
    assert len(raw) < 2_500
    assert NEIGHBOUR.encode() not in raw
    assert settlement_line(NEIGHBOUR) not in raw


def test_a_neighbours_line_cannot_be_found_by_guessing(world):
    """Hashes in the path are blinded: the right guess cannot be told from a wrong one."""

    guess = write_element(
        "market", f"line~{NEIGHBOUR}~{HOUR}", Version(1, 0), settlement_line(NEIGHBOUR)
    )
    own = world.receipt().leaves[1]
    hashes = {sha256(b"\0" + known + guess) for known in (b"", bytes(32), own.blinding)}
    assert not hashes & {part for leaf in world.receipt().leaves for part in leaf.path}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forgery_is_refused_naming_the_step(world, what):
    forge, step, problem = FORGERIES[what]
    assert refused(encode_receipt(forge(world)), world.trusted) == (step, problem)


def test_one_altered_byte_anywhere_is_refused(world):
    raw = encode_receipt(world.receipt())
    for at in range(len(raw)):
        for change in (0x01, 0x80):
            altered = raw[:at] + bytes([raw[at] ^ change]) + raw[at + 1 :]
            refused(altered, world.trusted)


def test_every_other_length_is_refused(world):
    raw = encode_receipt(world.receipt())
    for size in range(len(raw)):
        assert refused(raw[:size], world.trusted)[0] == "file"
    assert refused(raw + b"\0", world.trusted) == (Step.FILE, Problem.MORE_AFTER_THE_END)
    assert refused(bytes(RECEIPT_BYTES_MAX + 1), world.trusted) == (Step.FILE, Problem.OVERSIZED)


@given(raw=st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_are_refused_or_read_back_the_same(raw):
    mark = b"GRIDLEDGER RECEIPT\x01"
    for one in (raw, mark + raw):
        try:
            again = encode_receipt(decode_receipt(one))
        except ReceiptRefused:
            continue
        assert again == one


def test_another_ledger_of_the_same_validators_is_another_chain(world):
    """The seals of a ledger begun anew with the same keys are good, and prove nothing here."""
    receipt = replace(world.receipt(), genesis_hash=bytes(31) + b"\1")
    elsewhere = replace(world.trusted, genesis_hash=receipt.genesis_hash)
    assert refused(encode_receipt(world.receipt()), elsewhere) == (Step.CHAIN, "OTHER_CHAIN")
    assert refused(encode_receipt(receipt), elsewhere) == (Step.STATE_COMMITMENT, "OTHER_STATE")


def test_another_community_is_refused(world):

    other = trusted_from_blocks(strangers().genesis)
    assert refused(encode_receipt(world.receipt()), other) == (Step.CHAIN, "OTHER_CHAIN")


def test_a_set_that_has_left_cannot_seal_later_blocks(world):
    (founding,) = world.trusted.sets
    following = replace(founding, from_block=2, set_hash=bytes(32))
    trusted = replace(world.trusted, sets=(founding, following))
    found = refused(encode_receipt(world.receipt()), trusted)
    assert found == (Step.VALIDATORS, Problem.OLD_VALIDATORS)


def test_a_set_that_came_later_cannot_seal_earlier_blocks(world):
    (founding,) = world.trusted.sets
    trusted = replace(world.trusted, sets=(replace(founding, from_block=3),))
    found = refused(encode_receipt(world.receipt()), trusted)
    assert found == (Step.VALIDATORS, Problem.OLD_VALIDATORS)


def test_a_header_of_another_block_is_not_what_was_sealed(world):
    receipt = world.receipt()
    header = receipt.sealing_header
    for changed in (
        BlockHeader(3, header.previous_hash, header.data_hash),
        BlockHeader(2, bytes(32), header.data_hash),
        BlockHeader(2, header.previous_hash, bytes(32)),
    ):
        forged = replace(receipt, sealing_header=changed)
        assert refused(encode_receipt(forged), world.trusted) == (Step.SEALS, Problem.BAD_SEAL)


def test_what_cannot_be_proven_is_said(world):
    with pytest.raises(NotProvable, match="did not write"):
        world.receipt(0, "line~VAL-0009~2026-01-01T14")
    with pytest.raises(NotProvable, match="no proof"):
        world.receipt(7, None)

    with pytest.raises(NotProvable, match="does not seal"):
        make_receipt(world.block(1), world.block(1), genesis_hash=bytes(32), index=0)
