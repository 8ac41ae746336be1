"""Timers, repeats, quotas, catching up, and evidence."""

import pytest

from ledger.consensus.effects import (
    PrepareIntent,
    Rebroadcast,
    ReportEvidence,
    RequestSync,
    RoundChangeIntent,
    SetTimer,
    TellStatus,
)
from ledger.consensus.events import TimerExpired, TimerKind, TransactionsWaiting
from ledger.consensus.limits import (
    FUTURE_BLOCKS_PER_AUTHOR,
    FUTURE_HEIGHTS,
    FUTURE_MESSAGES_PER_AUTHOR,
    KEPT_BLOCKS,
    MAX_ROUND,
    REPORTS_PER_AUTHOR,
)
from ledger.consensus.messages import (
    Prepare,
    PrepareMessage,
    Proposal,
    ProposalMessage,
    RoundChange,
    RoundChangeMessage,
)
from ledger.consensus.round_state import enter_round
from tests.support.unsigned_votes import NOW_MS, make_block, signed, tip_after
from tests.unit.consensus.scene import Scene, intents, only


@pytest.fixture
def scene():
    return Scene()


def repeat(scene):
    now = scene.state.now
    return scene.tell(TimerExpired(TimerKind.REBROADCAST, now.height, now.round))


def vote_at(height, author, round_number=0):
    return PrepareMessage(signed(Prepare(height, round_number, b"d" * 32), author))


# Timers


def test_a_timer_of_an_earlier_round_or_height_is_ignored(scene):
    scene.tell(TransactionsWaiting())
    scene.timeout()
    for height, round_number in ((1, 0), (0, 1), (2, 1)):
        assert scene.tell(TimerExpired(TimerKind.ROUND, height, round_number)) == []
    assert scene.state.now.round == 1


def test_a_timer_that_fires_after_the_block_was_committed_is_ignored(scene):
    scene.tell(TransactionsWaiting())
    scene.commit_durable(scene.block())
    assert scene.tell(TimerExpired(TimerKind.ROUND, 1, 0)) == []
    assert scene.tell(TimerExpired(TimerKind.ROUND, 2, 0)) == []


def test_a_jump_starts_the_timers_of_the_new_round(scene):
    scene.tell(TransactionsWaiting())
    fresh = scene.block("fresh", author=scene.proposer(3))
    timers = only(scene.receive(scene.justified(fresh, 3)), SetTimer)
    assert [(t.kind, t.round) for t in timers] == [
        (TimerKind.ROUND, 3),
        (TimerKind.REBROADCAST, 3),
    ]
    scene.tell(TimerExpired(TimerKind.ROUND, 1, 0))  # the old one was on its way
    assert scene.state.now.round == 3


def test_a_stuck_validator_repeats_its_own_messages_of_the_round(scene):
    block = scene.block()
    scene.receive(scene.proposal(block), *scene.prepares(block))
    effects = repeat(scene)
    [again] = only(effects, Rebroadcast)
    assert [type(m).__name__ for m in again.messages] == ["PrepareMessage", "CommitMessage"]
    assert all(m.signed.author == scene.own for m in again.messages)
    assert only(effects, SetTimer) == [SetTimer(TimerKind.REBROADCAST, 1, 0, 1000)]


def test_after_a_timeout_it_repeats_the_round_change_and_nothing_older(scene):
    scene.receive(scene.proposal(scene.block()))
    scene.timeout()
    [again] = only(repeat(scene), Rebroadcast)
    assert [type(m).__name__ for m in again.messages] == ["RoundChangeMessage"]


def test_rounds_end_at_the_limit_and_the_validator_stays_there(scene):
    scene.tell(TransactionsWaiting())
    enter_round(scene.state, MAX_ROUND)
    effects = scene.timeout()
    assert scene.state.now.round == MAX_ROUND
    assert intents(effects, RoundChangeIntent) == []
    assert only(effects, SetTimer)


# Memory


def test_votes_far_ahead_of_the_round_are_not_kept(scene):
    window = 2 * 5 + 10
    block = scene.block()
    scene.receive(scene.prepare(2, block, window), scene.prepare(3, block, window + 1))
    assert len(scene.state.now.votes.prepares(window, block.digest)) == 1
    assert len(scene.state.now.votes.prepares(window + 1, block.digest)) == 0


def test_one_round_change_of_each_author_is_kept_however_many_come(scene):
    for round_number in range(1, 500):
        scene.receive(scene.round_change(2, round_number))
    kept = [scene.state.now.votes.round_changes_for(r) for r in range(1, 500)]
    assert [len(messages) for messages in kept if messages] == [1]


def test_a_future_height_keeps_a_quota_for_each_author(scene):
    for number in range(FUTURE_MESSAGES_PER_AUTHOR + 50):
        scene.receive(vote_at(2, 2, number))
    assert len(scene.state.future) == FUTURE_MESSAGES_PER_AUTHOR
    scene.receive(vote_at(2, 3))
    assert len(scene.state.future) == FUTURE_MESSAGES_PER_AUTHOR + 1


def test_of_these_few_may_carry_a_block(scene):
    tip = tip_after(scene.tip, scene.block())
    for number in range(FUTURE_BLOCKS_PER_AUTHOR + 3):
        block = make_block(tip=tip, proposer=3, entries=(b"%d" % number,), block_time_ms=NOW_MS)
        scene.receive(ProposalMessage(signed(Proposal(2, 0, block.digest), 3), block))
        change = signed(RoundChange(2, number + 1, 0, block.digest), 4)
        scene.receive(RoundChangeMessage(change, block, ()))
    assert len(scene.state.future) == 2 * FUTURE_BLOCKS_PER_AUTHOR


def test_the_same_early_message_is_kept_once(scene):
    scene.receive(vote_at(2, 2), vote_at(2, 2))
    assert len(scene.state.future) == 1


def test_heights_far_ahead_are_not_kept(scene):
    scene.receive(vote_at(1 + FUTURE_HEIGHTS, 2), vote_at(2 + FUTURE_HEIGHTS, 2))
    assert len(scene.state.future) == 1


def test_few_blocks_of_a_height_are_kept_and_the_locked_one_always(scene):
    locked = scene.block("locked")
    scene.receive(scene.proposal(locked))
    scene.prepared_own(locked)
    for round_number in range(1, 9):
        fresh = scene.block(f"{round_number}", author=scene.proposer(round_number))
        if scene.proposer(round_number) != scene.own:
            scene.receive(scene.justified(fresh, round_number))
    assert len(scene.state.now.blocks) == KEPT_BLOCKS
    assert locked.digest in scene.state.now.blocks


# Catching up


def test_an_early_proposal_is_taken_when_its_height_comes(scene):
    first = scene.block()
    next_tip = tip_after(scene.tip, first)
    second = make_block(tip=next_tip, proposer=3, entries=(b"second",), block_time_ms=NOW_MS + 1)
    early = ProposalMessage(signed(Proposal(2, 0, second.digest), 3), second)
    assert scene.receive(early) == []
    effects = scene.commit_durable(first)
    assert [i.payload.digest for i in intents(effects, PrepareIntent)] == [second.digest]


def test_a_vote_two_heights_ahead_asks_its_author_for_blocks_once(scene):
    assert scene.receive(vote_at(3, 4)) == [RequestSync(height=1, source=4)]
    assert scene.receive(vote_at(3, 4, 1)) == []
    assert scene.receive(vote_at(4, 4)) == [RequestSync(height=1, source=4)]


def test_a_stuck_validator_asks_again(scene):
    scene.tell(TransactionsWaiting())
    scene.receive(vote_at(2, 4))
    assert only(repeat(scene), RequestSync) == [RequestSync(height=1, source=4)]
    assert only(repeat(scene), RequestSync) == [RequestSync(height=1, source=4)]


def test_one_voter_at_the_next_height_is_no_reason_to_ask_but_f_plus_one_are(scene):
    assert scene.receive(vote_at(2, 4)) == []
    assert [e.source for e in only(scene.receive(vote_at(2, 5)), RequestSync)] == [4, 5]


def test_blocks_from_catch_up_move_the_height_whatever_the_round(scene):
    scene.receive(scene.proposal(scene.block("a")))
    scene.timeout()
    scene.commit_durable(scene.block("b"))
    assert (scene.state.now.height, scene.state.now.round) == (2, 0)


def test_while_a_block_is_written_nobody_is_asked_for_later_ones(scene):
    block = scene.block()
    scene.receive(scene.proposal(block), *scene.commits(block, count=4))
    assert scene.receive(*(vote_at(3, author) for author in (2, 3, 4))) == []
    asked = [e for e in scene.commit_durable(block) if isinstance(e, RequestSync)]
    assert asked == [], "their votes are for the next height but one, and kept"


def test_own_messages_of_a_past_height_tell_nobody_anything(scene):
    change = scene.round_change(1, 1)
    scene.commit_durable(scene.block())
    assert scene.receive(change) == []


def test_commits_far_from_the_round_are_not_kept(scene):
    block = scene.block()
    scene.receive(scene.proposal(block))
    far = scene.state.now.votes.window + 1
    assert scene.receive(*(scene.commit(v, block, far) for v in (2, 3, 4, 5))) == []
    assert scene.state.now.votes.commit_rounds() == ()


def test_an_old_commit_notice_changes_nothing(scene):
    genesis = scene.tip
    scene.commit_durable(scene.block("a"))
    scene.tip = genesis
    assert scene.commit_durable(scene.block("b")) == []
    assert scene.state.now.height == 2


def test_a_straggler_is_told_our_height(scene):
    late = scene.round_change(3, 1)
    votes = scene.prepares(scene.block())
    scene.commit_durable(scene.block())
    assert scene.receive(*votes) == [], "the rest of a full set of votes is no straggler"
    assert scene.receive(late) == [TellStatus(3)]
    scene.commit_durable(scene.block("second"))
    assert scene.receive(votes[0]) == [TellStatus(2)]


# Evidence


def test_two_proposals_of_one_round_are_evidence_once(scene):
    first, second, third = (scene.proposal(scene.block(name)) for name in "abc")
    scene.receive(first)
    assert scene.receive(second) == [ReportEvidence(2, first.signed, second.signed)]
    assert scene.receive(second, third) == []


def test_two_prepares_are_evidence_and_only_the_first_counts(scene):
    a, b = scene.block("a"), scene.block("b")
    first, second = scene.prepare(3, a), scene.prepare(3, b)
    scene.receive(first)
    assert scene.receive(second) == [ReportEvidence(3, first.signed, second.signed)]
    assert scene.state.now.votes.prepares(0, b.digest) == ()


def test_two_commits_are_evidence(scene):
    first, second = scene.commit(3, scene.block("a")), scene.commit(3, scene.block("b"))
    scene.receive(first)
    assert scene.receive(second) == [ReportEvidence(3, first.signed, second.signed)]


def test_two_round_changes_to_one_round_are_evidence(scene):
    first = scene.round_change(3, 2)
    second = scene.round_change(3, 2, scene.lock(scene.block()))
    scene.receive(first)
    assert scene.receive(second) == [ReportEvidence(3, first.signed, second.signed)]


def test_an_author_is_reported_only_so_often_and_others_still_are(scene):
    reported = [
        effect
        for round_ in range(1, 2 * REPORTS_PER_AUTHOR)
        for vote in (
            scene.round_change(3, round_),
            scene.round_change(3, round_, scene.lock(scene.block())),
        )
        for effect in scene.receive(vote)
        if isinstance(effect, ReportEvidence)
    ]
    assert len(reported) == REPORTS_PER_AUTHOR
    assert len(scene.state.now.reported) == len(reported)
    first = scene.round_change(4, 2)
    second = scene.round_change(4, 2, scene.lock(scene.block()))
    scene.receive(first)
    assert scene.receive(second) == [ReportEvidence(4, first.signed, second.signed)]


def test_votes_for_different_blocks_in_different_rounds_are_no_offence(scene):
    votes = [scene.prepare(3, scene.block("a"), 0), scene.prepare(3, scene.block("b"), 1)]
    assert scene.receive(*votes) == []
