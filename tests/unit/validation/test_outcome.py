"""The outcome: a leaf for each code and write, blinded, the same for whoever reads the block."""

import pytest

from ledger.audit import outcome as audit
from ledger.crypto.merkle import merkle_root
from ledger.model.codec import decode_entry
from ledger.model.codes import ValidationCode as Code
from ledger.receipts.statement import TransactionStatement, WriteStatement, read_statement
from ledger.validation.outcome import outcome_hash, outcome_leaves, outcome_of_root
from tests.support.ledger_world import CHAINCODE, LedgerWorld, delete, market, put


@pytest.fixture(scope="module")
def world():
    return LedgerWorld()


@pytest.fixture(scope="module")
def raw(world):
    return [
        world.transaction(market(writes=[put("a", b"1"), put("b", b"2"), delete("c")])),
        world.transaction(market(writes=[put("a", b"3")])),
        b"no envelope",
    ]


def leaves_of(raw, codes, number=7):
    return outcome_leaves(number, raw, [decode_entry(one) for one in raw], codes)


def hash_of(raw, codes, number=7):
    return outcome_hash(number, raw, [decode_entry(one) for one in raw], codes)


def test_a_valid_transaction_has_its_code_and_every_write(raw):
    codes = (Code.VALID, Code.MVCC_READ_CONFLICT, Code.NIL_ENVELOPE)
    found = [read_statement(element) for _, element in leaves_of(raw, codes)]
    first, a, b, c, second = found
    assert isinstance(first, TransactionStatement)
    assert (first.position.block_number, first.position.tx_number, first.code) == (7, 0, 0)
    assert [(one.namespace, one.key, one.value) for one in (a, b, c)] == [
        (CHAINCODE, "a", b"1"),
        (CHAINCODE, "b", b"2"),
        (CHAINCODE, "c", b""),
    ]
    assert all(isinstance(one, WriteStatement) for one in (a, b, c))
    assert (second.position.tx_number, second.code) == (1, Code.MVCC_READ_CONFLICT)


@pytest.mark.parametrize("code", [Code.BAD_CREATOR_SIGNATURE, Code.DUPLICATE_TXID])
def test_nothing_is_said_of_what_anybody_could_have_sent(raw, code):
    assert leaves_of(raw, (code, code, Code.NIL_ENVELOPE)) == []
    empty = outcome_of_root(0, merkle_root([]))
    assert hash_of(raw, (code, code, Code.NIL_ENVELOPE)) == empty


def test_code_order_height_and_number_of_leaves_matter(raw):
    codes = (Code.VALID, Code.VALID, Code.NIL_ENVELOPE)
    found = {
        hash_of(raw, codes),
        hash_of(raw, codes, number=8),
        hash_of([raw[1], raw[0], raw[2]], codes),
        hash_of(raw, (Code.VALID, Code.MVCC_READ_CONFLICT, Code.NIL_ENVELOPE)),
    }
    assert len(found) == 4
    assert outcome_of_root(1, bytes(32)) != outcome_of_root(2, bytes(32))


def test_equal_writes_of_two_transactions_are_blinded_differently(world):
    pair = [world.transaction(market(writes=[put("a", b"1")])) for _ in range(2)]
    blindings = {blinding for blinding, _ in leaves_of(pair, (Code.VALID, Code.VALID))}
    assert len(blindings) == 4


@pytest.mark.parametrize(
    "codes",
    [
        (Code.VALID, Code.VALID, Code.NIL_ENVELOPE),
        (Code.MVCC_READ_CONFLICT, Code.VALID, Code.BAD_PAYLOAD),
        (Code.BAD_CREATOR_SIGNATURE, Code.ENDORSEMENT_POLICY_FAILURE, Code.NIL_ENVELOPE),
    ],
)
def test_the_independent_reading_agrees(raw, codes):
    assert audit.outcome_hash(7, raw, bytes(codes)) == hash_of(raw, codes)


@pytest.mark.parametrize(
    "element", [b"", b"X", b"T", b"W\0\0\0\1", b"T\0\0\0\1a" + bytes(14), b"W" + bytes(25)]
)
def test_what_is_no_statement_is_refused(element):
    with pytest.raises(ValueError):
        read_statement(element)
