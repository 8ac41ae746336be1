"""Receipts of a ledger whose validators change: each height has its own set."""

from dataclasses import replace

import pytest

from ledger.receipts.checking import check_receipt
from ledger.receipts.making import make_receipt
from ledger.receipts.receipt import encode_receipt
from ledger.receipts.refusals import Problem, ReceiptRefused, Step
from ledger.receipts.trust import decode_trust, encode_trust, fingerprint, trusted_from_blocks
from tests.support.config_world import ConfigWorld
from tests.support.ledger_world import CHAINCODE, market, put

JOINS, LEAVES = 2, 4
"""Numbers of the configuration blocks."""


@pytest.fixture(scope="module")
def world() -> ConfigWorld:
    """Four validators become five, then the first one leaves; a write in between and after."""
    world = ConfigWorld()
    world.follow(world.transaction(market(writes=[put("a", b"1")])))
    world.reconfigure(world.with_consenters(*world.config.consenters, world.candidate(5)))
    world.follow(world.transaction(market(writes=[put("b", b"2")])), signers=(2, 3, 4, 5))
    _, *staying = world.config.consenters
    world.reconfigure(
        world.with_consenters(*staying, removed_consenter_id=1), signers=(2, 3, 4, 5)
    )
    for number in range(2):
        entry = world.transaction(market(writes=[put("c", b"%d" % number)]))
        world.follow(entry, signers=(3, 4, 5))
    return world


def block(world, number):
    found = world.store.block(number)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def trusted(world):
    later = [block(world, number) for number in (JOINS, LEAVES)]
    tip = world.store.tip().number
    return trusted_from_blocks(world.consortium.genesis, later, as_of_block=tip)


def receipt_of(world, number, key):
    written = None if key is None else (CHAINCODE, key)
    made = make_receipt(
        block(world, number),
        block(world, number + 1),
        genesis_hash=world.store.genesis_hash,
        index=0,
        written=written,
    )
    return encode_receipt(made)


@pytest.mark.parametrize(
    ("number", "key", "validators"),
    [(1, "a", 4), (JOINS, None, 5), (3, "b", 5), (LEAVES, None, 4), (5, "c", 4)],
)
def test_a_receipt_is_checked_by_the_set_of_its_height(world, trusted, number, key, validators):
    proven = check_receipt(receipt_of(world, number, key), trusted)
    assert (proven.block_number, proven.validators) == (number, validators)
    assert not proven.is_newer_than_trust


def refusal(raw, trusted):
    with pytest.raises(ReceiptRefused) as caught:
        check_receipt(raw, trusted)
    return caught.value.step, caught.value.problem


def test_a_list_that_ends_before_does_not_know_the_later_validators(world, trusted):
    old = replace(trusted, sets=trusted.sets[:1], as_of_block=1)
    assert check_receipt(receipt_of(world, 1, "a"), old).is_newer_than_trust
    found = refusal(receipt_of(world, 3, "b"), old)
    assert found == (Step.VALIDATORS, Problem.UNKNOWN_VALIDATORS)


def test_the_founding_set_has_no_say_after_it_was_replaced(world, trusted):
    """Its seals over an early block are none over a later one, whatever a list says first."""
    moved = replace(trusted.sets[0], from_block=4)
    wrong = replace(trusted, sets=(trusted.sets[1], moved, *trusted.sets[2:]))
    found = refusal(receipt_of(world, 3, "b"), wrong)
    assert found == (Step.VALIDATORS, Problem.OLD_VALIDATORS)


def test_the_list_follows_every_set_and_keeps_its_form(world, trusted):
    assert [one.from_block for one in trusted.sets] == [1, JOINS + 1, LEAVES + 1]
    assert [len(one.validators) for one in trusted.sets] == [4, 5, 4]
    again = decode_trust(encode_trust(trusted))
    assert fingerprint(again) == fingerprint(trusted)
    assert fingerprint(replace(trusted, as_of_block=99)) == fingerprint(trusted)
