"""Checks that decoding makes first as well: each holds by itself too."""

from dataclasses import replace

import pytest

from ledger.errors import TransactionInvalid
from ledger.model.codes import ValidationCode as Code
from ledger.model.transaction import Envelope
from ledger.validation.envelope_checks import check_header, endorser_transaction
from ledger.validation.signatures import signatures_to_check
from tests.support.identities import UTILITY
from tests.support.ledger_world import LedgerWorld, decoded, market, put
from tests.unit.validation.test_codes import code_of, key_policy


@pytest.fixture(scope="module")
def world() -> LedgerWorld:
    return LedgerWorld()


@pytest.fixture
def envelope(world: LedgerWorld) -> Envelope:
    found = decoded(world.transaction())
    assert isinstance(found, Envelope)
    return found


def refusal(check, envelope: Envelope) -> Code:
    with pytest.raises(TransactionInvalid) as caught:
        check(envelope)
    return caught.value.code


def test_a_header_of_another_epoch(envelope):
    header = replace(envelope.header, channel=replace(envelope.header.channel, epoch=1))
    assert refusal(check_header, replace(envelope, header=header)) == Code.BAD_COMMON_HEADER


@pytest.mark.parametrize("field", ["nonce", "creator"])
def test_a_header_without_nonce_or_creator(envelope, field):
    header = replace(envelope.header, **{field: b""})
    assert refusal(check_header, replace(envelope, header=header)) == Code.BAD_COMMON_HEADER


def test_an_envelope_without_an_action(envelope):
    empty = replace(envelope, transaction=None)
    assert refusal(endorser_transaction, empty) == Code.NIL_TXACTION
    assert len(signatures_to_check(empty)) == 1, "the client's alone"


def test_an_action_under_another_header(envelope):
    other = replace(envelope.transaction, header_raw=b"another")
    found = refusal(endorser_transaction, replace(envelope, transaction=other))
    assert found == Code.INVALID_ENDORSER_TRANSACTION


def test_a_new_key_beside_keys_with_policies_of_their_own(world):
    """Where some keys have a policy, a key that does not exist yet has the chaincode's."""
    world.commit(world.transaction(market(writes=[put("a")])))
    world.commit(world.transaction(market(metadata=[key_policy(UTILITY)])))
    write = market(writes=[put("new")])
    assert code_of(world, world.transaction(write)) == Code.VALID
    lone = world.transaction(write, endorsers=world.nodes(1))
    assert code_of(world, lone) == Code.ENDORSEMENT_POLICY_FAILURE
