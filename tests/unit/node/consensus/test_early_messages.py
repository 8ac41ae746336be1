"""Messages from validators that already follow a configuration this one does not know yet."""

from dataclasses import replace

import pytest

from ledger.consensus.limits import FUTURE_HEIGHTS
from ledger.consensus.messages import Message
from ledger.errors import InvalidMessage, Reason
from ledger.node.consensus.early_messages import (
    EARLY_BYTES_PER_SENDER_MAX,
    EARLY_MESSAGES_PER_SENDER_MAX,
    EarlyMessage,
    EarlyMessages,
    NotYetJudged,
)
from ledger.node.consensus.message_judge import MessageJudge
from ledger.ordering.consensus_codec import encode_message
from ledger.ordering.consensus_verifier import ConsensusVerifier
from tests.support.config_world import ConfigWorld


class Ahead(ConfigWorld):
    """A validator that has a configuration block with a fifth validator."""

    def __init__(self) -> None:
        super().__init__()
        joining = self.candidate(5)
        self.config_block = self.decided(
            self.ordered(self.update(self.with_consenters(*self.config.consenters, joining)))
        )
        self.committer.commit(self.committer.certified(self.config_block))


@pytest.fixture(scope="module")
def ahead() -> Ahead:
    return Ahead()


@pytest.fixture
def behind() -> ConfigWorld:
    return ConfigWorld()


def judge_of(world: ConfigWorld) -> MessageJudge:
    state = world.channel.state
    verifier = ConsensusVerifier(state.validators, state.domain, first_height=1)
    world.channel.subscribe(
        lambda new: verifier.begin(new.config_block + 1, new.validators, new.domain)
    )
    return MessageJudge(
        verifier,
        world.memory,
        limits=lambda: world.channel.state.block_limits,
        last_config=lambda: world.committer.last_config,
        check_config=world.check_config,
        next_height=lambda: world.tip.height + 1,
    )


def refusal(judge: MessageJudge, message: Message, sender: int) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as refused:
        judge.judge(encode_message(message), sender)
    return refused.value


def test_votes_and_proposals_under_a_set_to_come_are_judged_at_their_height(ahead, behind):
    judge = judge_of(behind)
    block = ahead.block(proposer=ahead.tip.validators[2])
    messages = [
        ahead.proposal(block),
        ahead.prepare(5, block),
        ahead.round_change(1, 1),
    ]
    for message in messages:
        refused = refusal(judge, message, message.signed.author)
        assert isinstance(refused, NotYetJudged)
        assert refused.height == 2
    assert judge.take_early() == [], "not before the block that makes them valid"
    behind.committer.commit(behind.committer.certified(ahead.config_block))
    early = judge.take_early()
    assert [kept.sender for kept in early] == [m.signed.author for m in messages]
    assert [judge.judge(kept.raw, kept.sender).signed for kept in early] == [
        message.signed for message in messages
    ]
    assert judge.take_early() == []


def test_what_is_bad_at_its_height_is_the_senders_fault(ahead, behind):
    judge = judge_of(behind)
    vote = ahead.round_change(1, 1)
    forged = replace(vote, signed=replace(vote.signed, signature=ahead.key(2).sign(b"x")))
    assert isinstance(refusal(judge, forged, 1), NotYetJudged)
    behind.committer.commit(behind.committer.certified(ahead.config_block))
    [kept] = judge.take_early()
    with pytest.raises(InvalidMessage) as refused:
        judge.judge(kept.raw, kept.sender)
    assert refused.value.reason is Reason.BAD_SIGNATURE


def test_a_bad_message_of_the_height_under_decision_is_refused_at_once(behind):
    judge = judge_of(behind)
    vote = behind.round_change(1, 1)
    forged = replace(vote, signed=replace(vote.signed, signature=behind.key(2).sign(b"x")))
    refused = refusal(judge, forged, 1)
    assert not isinstance(refused, NotYetJudged)
    assert refused.reason is Reason.BAD_SIGNATURE


def test_an_update_that_does_not_apply_is_its_proposers_fault(ahead, behind):
    """Fabric's peers halt at a configuration that does not apply; a liar may propose one."""
    judge = judge_of(behind)
    [applies] = ahead.config_block.entries
    good = behind.proposal(behind.block(applies))
    assert judge.judge(encode_message(good), 1) == good
    behind.committer.commit(behind.committer.certified(ahead.config_block))
    judge.forget_blocks()
    again = behind.proposal(behind.block(applies))
    refused = refusal(judge, again, 1)
    assert not isinstance(refused, NotYetJudged)
    assert refused.reason is Reason.CONFIG_OUTDATED


def test_an_update_of_a_later_height_waits_for_the_configuration_it_changes(ahead, behind):
    judge = judge_of(behind)
    entry = ahead.ordered(ahead.update(replace(ahead.config, block_interval_ms=77)))
    proposal = ahead.proposal(ahead.block(entry, proposer=ahead.tip.validators[2]))
    assert isinstance(refusal(judge, proposal, 1), NotYetJudged)
    behind.committer.commit(behind.committer.certified(ahead.config_block))
    [kept] = judge.take_early()
    assert judge.judge(kept.raw, kept.sender) == proposal


def test_each_sender_has_a_quota_of_its_own():
    early = EarlyMessages()
    for number in range(EARLY_MESSAGES_PER_SENDER_MAX + 3):
        early.keep(EarlyMessage(1, bytes([number]), 2), next_height=1)
    assert len(early) == EARLY_MESSAGES_PER_SENDER_MAX
    assert early.keep(EarlyMessage(2, b"x", 2), next_height=1)
    assert not early.keep(EarlyMessage(2, b"x", 2), next_height=1), "kept once"
    large = bytes(EARLY_BYTES_PER_SENDER_MAX)
    assert early.keep(EarlyMessage(3, large, 2), next_height=1)
    assert not early.keep(EarlyMessage(3, b"x", 2), next_height=1)


def test_heights_far_ahead_are_not_kept_and_old_ones_forgotten():
    early = EarlyMessages()
    assert not early.keep(EarlyMessage(1, b"x", 2 + FUTURE_HEIGHTS), next_height=1)
    assert early.keep(EarlyMessage(1, b"a", 2), next_height=1)
    assert early.keep(EarlyMessage(1, b"b", 3), next_height=1)
    assert [kept.raw for kept in early.release(3)] == [b"b"]
    assert len(early) == 0
