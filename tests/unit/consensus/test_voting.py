"""The normal course of a height, and the five rules that carry the safety proof."""

from dataclasses import replace

import pytest

from ledger.consensus.effects import (
    CancelTimer,
    CommitBlock,
    CommitIntent,
    Halt,
    Persist,
    PrepareIntent,
    ProposalIntent,
    RequestBlock,
    RequestSync,
    RoundChangeIntent,
    SetTimer,
    SignAndSend,
    VerifySeals,
)
from ledger.consensus.events import (
    BlockBuilt,
    Started,
    TimerKind,
    TransactionsGone,
    TransactionsWaiting,
)
from ledger.consensus.records import CommitVoted, PrepareVoted, ProposalMade
from ledger.errors import Reason
from tests.unit.consensus.scene import Scene, assert_refused, intents, only


@pytest.fixture
def scene():
    return Scene()


def accepted(scene, name="a"):
    block = scene.block(name)
    scene.receive(scene.proposal(block))
    return block


# The normal course


def test_nothing_waits_so_nothing_happens(scene):
    assert scene.seen == []


def test_waiting_transactions_start_the_round_timer():
    scene = Scene(own=1)
    effects = scene.tell(TransactionsWaiting())
    assert effects == [
        SetTimer(TimerKind.ROUND, 1, 0, 2000),
        SetTimer(TimerKind.REBROADCAST, 1, 0, 1000),
    ]
    assert scene.tell(TransactionsWaiting()) == []


def test_a_configured_pause_between_blocks_lengthens_round_0_only():
    scene = Scene(own=1)
    scene.tip = replace(scene.tip, block_interval_ms=5000)
    scene.restart()
    assert scene.tell(TransactionsWaiting())[0].duration_ms == 7000
    assert only(scene.timeout(), SetTimer)[0].duration_ms == 4000


def test_the_proposer_asks_for_a_block_and_proposes_it():
    scene = Scene(own=2)
    assert only(scene.tell(TransactionsWaiting()), RequestBlock) == [RequestBlock(1, 0)]
    assert only(scene.tell(TransactionsWaiting()), RequestBlock) == []
    block = scene.block()
    effects = scene.tell(BlockBuilt(1, 0, block))
    assert effects[0] == Persist(ProposalMade(1, 0, block, (), ()))
    assert [type(e.intent) for e in effects if isinstance(e, SignAndSend)] == [
        ProposalIntent,
        PrepareIntent,
    ]


def test_transactions_that_are_gone_stop_the_clock(scene):
    scene.tell(TransactionsWaiting())
    assert {e.kind for e in scene.tell(TransactionsGone())} == set(TimerKind)
    assert scene.timeout() == []
    assert only(scene.tell(TransactionsWaiting()), SetTimer)


def test_the_clock_goes_on_when_a_proposal_is_on_the_table(scene):
    accepted(scene)
    assert scene.tell(TransactionsGone()) == []


def test_a_block_is_decided_in_three_steps(scene):
    block = scene.block()
    effects = scene.receive(scene.proposal(block))
    assert intents(effects, PrepareIntent)
    effects = scene.receive(*scene.prepares(block))
    assert intents(effects, CommitIntent) == [CommitIntent(0, block)]
    effects = scene.receive(*scene.commits(block))
    [commit] = only(effects, CommitBlock)
    assert (commit.block, commit.round) == (block, 0)
    assert [c.signed.author for c in commit.commits] == [1, 2, 3, 4]
    assert {e.kind for e in only(effects, CancelTimer)} == set(TimerKind)


def test_votes_that_come_before_the_proposal_are_kept(scene):
    block = scene.block()
    assert scene.receive(*scene.prepares(block)) == []
    assert intents(scene.receive(scene.proposal(block)), CommitIntent)


def test_seals_that_come_before_the_block_are_verified_when_it_comes(scene):
    block = scene.block()
    early = [scene.commit(v, block, verified=False) for v in (2, 3, 4)]
    scene.receive(*early, *scene.prepares(block))
    effects = scene.receive(scene.proposal(block))
    assert only(effects, VerifySeals) == [VerifySeals(block, tuple(early))]
    assert only(effects, CommitBlock) == []
    good = [scene.commit(v, block) for v in (2, 3, 4)]
    assert only(scene.receive(*good), CommitBlock)


def test_a_commit_of_another_validators_seal_is_refused(scene):
    block = accepted(scene)
    foreign = scene.commit(3, block)
    stolen = type(foreign)(scene.commit(2, block).signed, seal_verified=True)
    mixed = type(stolen.signed)(foreign.signed.payload, 2, b"", b"")
    assert_refused(scene, type(foreign)(mixed, seal_verified=True), Reason.BAD_SIGNATURE)


@pytest.mark.parametrize("round_number", [-1, 10**9, 2**63])
def test_votes_in_impossible_rounds_are_refused(scene, round_number):
    block = accepted(scene)
    assert_refused(scene, scene.prepare(2, block, round_number), Reason.ROUND_OUT_OF_BOUNDS)
    assert_refused(scene, scene.commit(2, block, round_number), Reason.ROUND_OUT_OF_BOUNDS)


def test_votes_of_strangers_are_refused(scene):
    block = accepted(scene)
    assert_refused(scene, scene.prepare(9, block), Reason.NOT_A_VALIDATOR)
    assert_refused(scene, scene.commit(9, block), Reason.NOT_A_VALIDATOR)


# Rule 1: one prepare and one commit in a round


def test_a_second_proposal_in_the_round_is_not_prepared(scene):
    accepted(scene, "a")
    effects = scene.receive(scene.proposal(scene.block("b")))
    assert intents(effects, PrepareIntent) == []


def test_the_same_proposal_again_is_not_prepared_again(scene):
    block = accepted(scene)
    assert scene.receive(scene.proposal(block)) == []


def test_more_prepares_do_not_make_a_second_commit(scene):
    block = accepted(scene)
    scene.receive(*scene.prepares(block))
    assert scene.receive(scene.prepare(5, block)) == []


def test_a_vote_is_durable_before_it_is_signed(scene):
    block = scene.block()
    effects = scene.receive(scene.proposal(block), *scene.prepares(block))
    steps = [e for e in effects if isinstance(e, (Persist, SignAndSend))]
    assert steps[0] == Persist(PrepareVoted(1, 0, block))
    assert type(steps[1].intent) is PrepareIntent
    assert type(steps[2].record) is CommitVoted
    assert len(steps[2].record.prepares) == scene.quorum
    assert type(steps[3].intent) is CommitIntent


# Rule 2: no vote below the announced round


def test_after_a_round_change_the_old_round_gets_no_vote(scene):
    block = scene.block()
    scene.tell(TransactionsWaiting())
    scene.timeout()
    assert scene.receive(scene.proposal(block), *scene.prepares(block)) == []


def test_after_a_round_change_an_accepted_proposal_gets_no_commit(scene):
    block = accepted(scene)
    scene.timeout()
    assert scene.receive(*scene.prepares(block)) == []
    assert scene.state.now.prepared is None


# Rule 3 (the lock) has its own file, test_locks.py


# Rule 4: a commit only after a quorum of prepares, also for the own count


def test_no_commit_with_one_prepare_less_than_a_quorum(scene):
    block = accepted(scene)
    assert intents(scene.receive(*scene.prepares(block, count=2)), CommitIntent) == []


def test_the_same_prepare_twice_counts_once(scene):
    block = accepted(scene)
    votes = scene.prepares(block, count=2)
    assert intents(scene.receive(*votes, *votes, *votes), CommitIntent) == []


def test_prepares_for_another_block_do_not_count(scene):
    accepted(scene, "a")
    assert intents(scene.receive(*scene.prepares(scene.block("b"))), CommitIntent) == []


def test_prepares_of_another_round_do_not_count(scene):
    block = accepted(scene)
    assert intents(scene.receive(*scene.prepares(block, 1)), CommitIntent) == []


def test_the_own_commit_is_not_counted_before_it_is_made(scene):
    block = accepted(scene)
    effects = scene.receive(*scene.commits(block, count=3))
    assert only(effects, CommitBlock) == []
    assert only(scene.receive(scene.commit(5, block)), CommitBlock)


def test_the_same_commit_twice_counts_once(scene):
    block = accepted(scene)
    votes = scene.commits(block, count=3)
    assert only(scene.receive(*votes, *votes), CommitBlock) == []


def test_commits_of_different_rounds_never_add_up(scene):
    block = accepted(scene)
    scene.receive(scene.commit(2, block, 0), scene.commit(3, block, 0))
    effects = scene.receive(scene.commit(4, block, 1), scene.commit(5, block, 1))
    assert only(effects, CommitBlock) == []


# Rule 5: the justification decides, not the own lock


def test_a_justified_proposal_is_prepared_against_the_own_lock(scene):
    mine = accepted(scene, "a")
    scene.prepared_own(mine)
    other = scene.block("b", author=scene.proposer(1))
    effects = scene.receive(scene.justified(other, 1))
    assert [i.payload.digest for i in intents(effects, PrepareIntent)] == [other.digest]


# Around the decision


def test_while_a_block_is_committed_nothing_is_voted(scene):
    block = accepted(scene)
    scene.receive(*scene.commits(block, count=4))
    assert scene.receive(*scene.prepares(block), scene.commit(5, block)) == []
    assert scene.timeout() == []
    assert scene.tell(TransactionsWaiting()) == []


def test_while_a_block_is_committed_no_later_round_is_joined(scene):
    block = accepted(scene)
    scene.receive(*scene.commits(block, count=4))
    fresh = scene.block("fresh", author=scene.proposer(3))
    assert scene.receive(scene.justified(fresh, 3)) == []
    assert scene.receive(*(scene.round_change(v, 7) for v in (2, 3, 4))) == []
    assert scene.state.now.round == 0


def test_commits_that_complete_an_earlier_round_still_decide(scene):
    block = accepted(scene)
    scene.timeout()
    [commit] = only(scene.receive(*scene.commits(block, 0, count=4)), CommitBlock)
    assert (commit.block, commit.round) == (block, 0)


def test_a_quorum_on_a_block_never_seen_asks_for_it_once(scene):
    block = scene.block()
    votes = [scene.commit(v, block, verified=False) for v in (2, 3, 4, 5)]
    assert only(scene.receive(*votes), RequestSync) == [RequestSync(1, 2)]


def test_everyone_who_sealed_a_block_never_seen_was_asked_once(scene):
    block = scene.block()
    votes = [scene.commit(v, block, verified=False) for v in (2, 3, 4, 5)]
    scene.receive(*votes)
    asked = [only(scene.receive(vote), RequestSync) for vote in votes * 2]
    sources = [effect.source for effects in asked for effect in effects]
    assert sources == [3, 4, 5], "2 was asked first; a repeat timer begins anew"


def test_a_quorum_on_another_state_stops_the_node(scene):
    block = scene.block(previous_commit_hash=b"x" * 32)
    scene.receive(scene.proposal(block))
    effects = scene.receive(*scene.commits(block, count=4))
    assert [type(e) for e in effects] == [Halt]
    assert "another state" in effects[0].reason
    assert scene.tell(TransactionsWaiting()) == []


def test_one_seal_less_than_a_quorum_on_another_state_does_not_stop_the_node(scene):
    block = scene.block(previous_commit_hash=b"x" * 32)
    scene.receive(scene.proposal(block))
    assert scene.receive(*scene.commits(block, count=3)) == []


def test_unverified_seals_on_another_state_do_not_stop_the_node(scene):
    block = scene.block(previous_commit_hash=b"x" * 32)
    scene.receive(scene.proposal(block))
    effects = scene.receive(*(scene.commit(v, block, verified=False) for v in (2, 3, 4, 5)))
    assert {type(e) for e in effects} == {VerifySeals}


def test_an_observer_follows_without_a_word():
    scene = Scene(own=9)
    block = scene.block()
    scene.tell(TransactionsWaiting())
    scene.receive(scene.proposal(block), *scene.prepares(block, count=4))
    scene.timeout()
    assert only(scene.receive(*scene.commits(block, count=4)), CommitBlock)
    assert only(scene.seen, SignAndSend) == []
    assert scene.journal == []


def test_an_observer_follows_a_jump_without_a_word():
    scene = Scene(own=9)
    scene.tell(TransactionsWaiting())
    scene.receive(*(scene.round_change(v, 7) for v in (2, 3)))
    assert scene.state.now.round == 7
    assert only(scene.seen, SignAndSend) == []


def test_transactions_that_come_in_a_later_round_ask_for_no_block():
    scene = Scene(own=3)  # proposer of round 1
    scene.tell(TransactionsWaiting())
    scene.timeout()
    assert only(scene.tell(TransactionsWaiting()), RequestBlock) == []


def test_a_core_is_started_once(scene):
    with pytest.raises(AssertionError, match="Started comes once"):
        scene.tell(Started(scene.tip))


def test_a_single_validator_decides_alone():
    scene = Scene(own=1, validators=1)
    scene.tell(TransactionsWaiting())
    block = scene.block()
    assert only(scene.tell(BlockBuilt(1, 0, block)), CommitBlock)


def test_a_block_built_on_an_old_tip_is_not_proposed():
    scene = Scene(own=2)
    scene.tell(TransactionsWaiting())
    stale = scene.block(previous_commit_hash=b"x" * 32)
    effects = scene.tell(BlockBuilt(1, 0, stale))
    assert [e.error.reason for e in effects] == [Reason.COMMIT_HASH_MISMATCH]
    assert only(scene.tell(TransactionsWaiting()), RequestBlock), "it may ask again"


def test_a_block_built_too_late_is_not_proposed():
    scene = Scene(own=2)
    scene.tell(TransactionsWaiting())
    scene.timeout()
    assert scene.tell(BlockBuilt(1, 0, scene.block())) == []


def test_a_proposal_in_our_name_that_we_did_not_make_is_refused():
    scene = Scene(own=2)
    assert_refused(scene, scene.proposal(scene.block()), Reason.EQUIVOCATION)


def test_the_round_change_after_a_timeout_is_durable_first(scene):
    scene.tell(TransactionsWaiting())
    effects = scene.timeout()
    kinds = [type(e) for e in effects]
    assert kinds.index(Persist) < kinds.index(SignAndSend)
    assert [i.payload.round for i in intents(effects, RoundChangeIntent)] == [1]
