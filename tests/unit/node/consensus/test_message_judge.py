"""Form, signatures and contents are judged before the core sees a message."""

from dataclasses import replace

import pytest

from ledger.consensus.messages import CommitMessage, Message
from ledger.errors import InvalidMessage, Reason
from ledger.node.consensus.message_judge import MessageJudge, NoLongerJudged
from ledger.ordering import block_building
from ledger.ordering.consensus_codec import encode_message
from ledger.ordering.consensus_verifier import ConsensusVerifier
from ledger.ordering.pool import BlockLimits
from tests.support.validator_world import ValidatorWorld


@pytest.fixture(scope="module")
def world() -> ValidatorWorld:
    return ValidatorWorld()


@pytest.fixture
def judge(world: ValidatorWorld) -> MessageJudge:
    verifier = ConsensusVerifier(world.validators, world.domain)
    return MessageJudge(
        verifier,
        world.memory,
        limits=BlockLimits,
        last_config=lambda: 0,
        check_config=world.check_config,
    )


def refusal(judge: MessageJudge, message: Message) -> Reason:
    with pytest.raises(InvalidMessage) as refused:
        judge.judge(encode_message(message))
    return refused.value.reason


def test_a_seal_is_checked_as_soon_as_its_block_is_known(
    world: ValidatorWorld, judge: MessageJudge
) -> None:
    block = world.block()
    raw = encode_message(world.commit_vote(3, block))
    early = judge.judge(raw)
    assert isinstance(early, CommitMessage)
    assert not early.seal_verified
    judge.judge(encode_message(world.proposal(block)))
    verified = judge.judge(raw)
    assert isinstance(verified, CommitMessage)
    assert verified.seal_verified
    judge.forget_blocks()
    forgotten = judge.judge(raw)
    assert isinstance(forgotten, CommitMessage)
    assert not forgotten.seal_verified


def test_a_bad_seal_on_a_known_block_is_refused(
    world: ValidatorWorld, judge: MessageJudge
) -> None:
    block = world.block()
    judge.judge(encode_message(world.proposal(block)))
    payload = world.commit_vote(3, block).signed.payload
    wrong = replace(payload, seal=world.commit_vote(3, world.block()).signed.payload.seal)
    vote = CommitMessage(world.signed(wrong, 3), seal_verified=False)
    assert refusal(judge, vote) is Reason.BAD_SIGNATURE


def test_contents_are_judged_once_for_each_block(
    world: ValidatorWorld, judge: MessageJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[int] = []
    real = block_building.block_data_hash
    monkeypatch.setattr(
        block_building, "block_data_hash", lambda entries: (hashed.append(1), real(entries))[1]
    )
    block = world.block()
    hashed.clear()
    for message in (world.proposal(block), world.proposal(block), world.round_change(3, 1, block)):
        judge.judge(encode_message(message))
    assert len(hashed) == 1


@pytest.mark.parametrize("known", [True, False])
def test_entries_are_judged_even_if_the_digest_is_known(
    world: ValidatorWorld, judge: MessageJudge, known: bool
) -> None:
    block = world.block()
    if known:
        judge.judge(encode_message(world.proposal(block)))
    swapped = replace(block, entries=(world.transaction(),))
    assert refusal(judge, world.proposal(swapped)) is Reason.MALFORMED


def test_a_block_of_another_configuration(world: ValidatorWorld) -> None:
    verifier = ConsensusVerifier(world.validators, world.domain)
    ahead = MessageJudge(
        verifier,
        world.memory,
        limits=BlockLimits,
        last_config=lambda: 3,
        check_config=world.check_config,
    )
    assert refusal(ahead, world.proposal(world.block())) is Reason.MALFORMED


def test_a_decided_height_is_not_judged_by_the_configuration_of_now(
    world: ValidatorWorld,
) -> None:
    """Its author is only behind: the block names what was in force when it was decided."""
    behind = MessageJudge(
        ConsensusVerifier(world.validators, world.domain),
        world.memory,
        limits=BlockLimits,
        last_config=lambda: 1,
        check_config=world.check_config,
        next_height=lambda: 2,
    )
    proposal = world.proposal(world.block())
    assert behind.judge(encode_message(proposal)) == proposal


def test_a_height_whose_validators_are_forgotten_is_nobodys_fault(world: ValidatorWorld) -> None:
    """After a restart only the set in force is known; the signature may be of another set."""
    restarted = MessageJudge(
        ConsensusVerifier(world.validators, world.domain, first_height=2),
        world.memory,
        limits=BlockLimits,
        last_config=lambda: 1,
        check_config=world.check_config,
        next_height=lambda: 2,
    )
    with pytest.raises(NoLongerJudged):
        restarted.judge(encode_message(world.prepare(3, world.block())))
