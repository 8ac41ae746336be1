"""Every signed part of a consensus message is verified, whoever brings it."""

from dataclasses import replace

import pytest

from ledger.consensus.messages import Message, Signed
from ledger.errors import InvalidMessage, Reason
from ledger.ordering.consensus_verifier import ConsensusVerifier
from ledger.ordering.seals import make_seal
from tests.support.validator_world import NONCE, VALIDATOR_IDS, ValidatorWorld


@pytest.fixture(scope="module")
def world() -> ValidatorWorld:
    return ValidatorWorld()


@pytest.fixture
def verifier(world: ValidatorWorld) -> ConsensusVerifier:
    return ConsensusVerifier(world.validators, world.domain)


def refusal(verifier: ConsensusVerifier, message: Message) -> Reason:
    with pytest.raises(InvalidMessage) as refused:
        verifier.check(message)
    return refused.value.reason


def forged(signed: Signed) -> Signed:
    """Another author's signature under the same payload."""
    return replace(signed, payload_raw=signed.payload_raw + b"\x98\x06\x01")


def test_good_messages_pass_and_pass_again(
    world: ValidatorWorld, verifier: ConsensusVerifier
) -> None:
    block = world.block()
    locked = tuple(world.round_change(i, 1, block).signed for i in (1, 2, 3))
    prepares = tuple(world.prepare(i, block).signed for i in (1, 2, 3))
    for message in (
        world.proposal(block),
        world.proposal(block, 1, round_changes=locked, prepares=prepares),
        world.prepare(2, block),
        world.commit_vote(3, block),
        world.round_change(4, 1, block),
    ):
        verifier.check(message)
        verifier.check(message)


def test_each_signed_part_is_checked(world: ValidatorWorld, verifier: ConsensusVerifier) -> None:
    block = world.block()
    changes = tuple(world.round_change(i, 1, block).signed for i in (1, 2, 3))
    prepares = tuple(world.prepare(i, block).signed for i in (1, 2, 3))
    good = world.proposal(block, 1, round_changes=changes, prepares=prepares)
    lock = world.round_change(4, 1, block)
    tampered: list[Message] = [replace(good, signed=forged(good.signed))]
    for index in range(3):
        parts = list(changes)
        parts[index] = forged(parts[index])
        tampered.append(replace(good, round_changes=tuple(parts)))
        votes = list(prepares)
        votes[index] = forged(votes[index])
        tampered.append(replace(good, prepares=tuple(votes)))
        tampered.append(replace(lock, prepares=tuple(votes)))
    assert {refusal(verifier, message) for message in tampered} == {Reason.BAD_SIGNATURE}
    verifier.check(good)


def test_a_signature_remembered_for_one_author_is_not_good_for_another(
    world: ValidatorWorld, verifier: ConsensusVerifier
) -> None:
    """The author is inside the signed bytes: it cannot be changed without them."""
    mine = world.prepare(2, world.block())
    verifier.check(mine)
    posing = world.signed(mine.signed.payload, 3)
    stolen = replace(posing, signature=mine.signed.signature)
    assert refusal(verifier, replace(mine, signed=stolen)) is Reason.BAD_SIGNATURE


def test_strangers_are_refused(world: ValidatorWorld, verifier: ConsensusVerifier) -> None:
    vote = world.prepare(2, world.block())
    unknown = replace(vote, signed=replace(vote.signed, author=9))
    assert refusal(verifier, unknown) is Reason.NOT_A_VALIDATOR


@pytest.mark.parametrize(
    "change",
    [
        {"channel_id": "other"},
        {"network_id": "other"},
        {"genesis_hash": b"g" * 32},
        {"validator_set_hash": b"s" * 32},
    ],
)
def test_a_vote_means_nothing_in_another_domain(
    world: ValidatorWorld, change: dict[str, object]
) -> None:
    elsewhere = ConsensusVerifier(world.validators, replace(world.domain, **change))
    assert refusal(elsewhere, world.prepare(2, world.block())) is Reason.BAD_SIGNATURE


def test_a_certificate_larger_than_the_set_is_refused_unverified(
    world: ValidatorWorld, verifier: ConsensusVerifier
) -> None:
    block = world.block()
    change = forged(world.round_change(1, 1).signed)
    flood = world.proposal(block, 1, round_changes=(change,) * 20)
    assert refusal(verifier, flood) is Reason.OVERSIZED


def test_what_is_attached_to_anothers_proposal_counts_against_its_sender(
    world: ValidatorWorld, verifier: ConsensusVerifier
) -> None:
    """Refused before the core, which would blame the author: enough of that bars a validator."""
    block = world.block()
    good = world.proposal(block, 1, round_changes=(world.round_change(1, 1).signed,))
    flood = replace(good, round_changes=good.round_changes * (len(VALIDATOR_IDS) + 1))
    assert refusal(verifier, flood) is Reason.OVERSIZED


def test_a_seal_must_be_the_authors_over_this_block_and_round(
    world: ValidatorWorld, verifier: ConsensusVerifier
) -> None:
    block = world.block()
    vote = world.commit_vote(2, block)
    assert verifier.check_seal(vote, block).seal_verified
    payload = vote.signed.payload
    wrong = (
        make_seal(world.key(2), 2, NONCE, block, 1),
        make_seal(world.key(2), 2, NONCE, world.block(), 0),
        make_seal(world.key(3), 2, NONCE, block, 0),
        make_seal(world.key(3), 3, NONCE, block, 0),
    )
    for seal in wrong:
        sealed = replace(vote, signed=replace(vote.signed, payload=replace(payload, seal=seal)))
        with pytest.raises(InvalidMessage) as refused:
            verifier.check_seal(sealed, block)
        assert refused.value.reason is Reason.BAD_SIGNATURE
