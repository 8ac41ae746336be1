"""Which round changes count, and what they make a validator do."""

from dataclasses import replace

import pytest

from ledger.consensus.effects import (
    Persist,
    ProposalIntent,
    RequestBlock,
    RoundChangeIntent,
    SetTimer,
)
from ledger.consensus.events import BlockBuilt, TimerKind, TransactionsWaiting
from ledger.consensus.limits import MAX_ROUND
from ledger.consensus.messages import Prepare, RoundChange
from ledger.consensus.records import ProposalMade, RoundAnnounced
from ledger.errors import Reason
from tests.unit.consensus.scene import Lock, Scene, assert_refused, intents, only, signed


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def lock(scene):
    return scene.lock(scene.block())


def test_a_stranger_asks_for_a_round(scene):
    assert_refused(scene, scene.round_change(9, 1), Reason.NOT_A_VALIDATOR)


@pytest.mark.parametrize("round_number", [-1, 0, MAX_ROUND + 1, 10**9, 2**63])
def test_a_round_out_of_bounds(scene, round_number):
    assert_refused(scene, scene.round_change(2, round_number), Reason.ROUND_OUT_OF_BOUNDS)


@pytest.mark.parametrize("prepared_round", [-1, 3, 4])
def test_prepared_in_no_earlier_round(scene, lock, prepared_round):
    message = scene.round_change(2, 3, replace(lock, round=prepared_round))
    assert_refused(scene, message, Reason.ROUND_OUT_OF_BOUNDS)


@pytest.mark.parametrize(("prepared_round", "digest"), [(0, None), (None, b"d" * 32)])
def test_half_a_claim(scene, prepared_round, digest):
    payload = RoundChange(1, 1, prepared_round, digest)
    message = replace(scene.round_change(2, 1), signed=signed(payload, 2))
    assert_refused(scene, message, Reason.MALFORMED)


def test_attachments_without_a_claim(scene, lock):
    plain = scene.round_change(2, 1)
    assert_refused(scene, replace(plain, block=lock.block), Reason.NOT_JUSTIFIED)
    assert_refused(scene, replace(plain, prepares=lock.prepares), Reason.NOT_JUSTIFIED)


def test_a_claim_without_its_block(scene, lock):
    message = replace(scene.round_change(2, 1, lock), block=None)
    assert_refused(scene, message, Reason.NOT_JUSTIFIED)


def test_a_claim_with_another_block(scene, lock):
    message = replace(scene.round_change(2, 1, lock), block=scene.block("b"))
    assert_refused(scene, message, Reason.DIGEST_MISMATCH)


def test_a_claim_with_a_block_that_cannot_follow_our_tip(scene):
    block = scene.block(validator_set_hash=b"x" * 32)
    message = scene.round_change(2, 1, scene.lock(block))
    assert_refused(scene, message, Reason.WRONG_VALIDATOR_SET)


def test_a_claim_with_too_few_prepares(scene, lock):
    weak = Lock(lock.round, lock.block, lock.prepares[:-1])
    assert_refused(scene, scene.round_change(2, 1, weak), Reason.NOT_JUSTIFIED)


def test_a_claim_with_a_prepare_counted_twice(scene, lock):
    weak = Lock(lock.round, lock.block, (*lock.prepares[:-1], lock.prepares[0]))
    assert_refused(scene, scene.round_change(2, 1, weak), Reason.NOT_JUSTIFIED)


def test_a_claim_with_prepares_of_another_round(scene, lock):
    other = Lock(1, lock.block, lock.prepares)
    assert_refused(scene, scene.round_change(2, 2, other), Reason.NOT_JUSTIFIED)


def test_a_claim_with_prepares_for_another_block(scene, lock):
    odd = signed(Prepare(1, 0, scene.block("b").digest), 4)
    other = Lock(0, lock.block, (*lock.prepares[:-1], odd))
    assert_refused(scene, scene.round_change(2, 1, other), Reason.NOT_JUSTIFIED)


# Following the others


def test_one_validator_alone_moves_nobody(scene):
    scene.receive(scene.round_change(2, 400), scene.round_change(2, 900))
    assert scene.state.now.round == 0


def test_f_plus_one_validators_pull_a_third_to_the_lower_of_their_rounds(scene):
    scene.receive(scene.round_change(2, 900))
    effects = scene.receive(scene.round_change(3, 400))
    assert only(effects, Persist) == [Persist(RoundAnnounced(1, 400))]
    assert [i.payload.round for i in intents(effects, RoundChangeIntent)] == [400]


def test_a_jump_goes_as_far_as_f_plus_one_have_gone(scene):
    scene.receive(scene.round_change(2, 1))
    scene.receive(scene.round_change(3, 5))
    assert scene.state.now.round == 1
    scene.receive(scene.round_change(4, 9))
    assert scene.state.now.round == 5


def test_rounds_below_the_own_one_pull_nobody(scene):
    scene.tell(TransactionsWaiting())
    scene.receive(scene.round_change(2, 3), scene.round_change(3, 3))
    assert scene.receive(scene.round_change(4, 1), scene.round_change(5, 2)) == []
    assert scene.state.now.round == 3


def test_who_is_ahead_alone_waits_for_the_others(scene):
    """With timers at their cap it would stay one round ahead for ever: no quorum would meet."""
    scene.tell(TransactionsWaiting())
    assert intents(scene.timeout(), RoundChangeIntent)
    again = scene.timeout()
    assert intents(again, RoundChangeIntent) == []
    assert [e.kind for e in only(again, SetTimer)] == [TimerKind.ROUND, TimerKind.REBROADCAST]
    assert scene.state.now.round == 1


def test_a_quorum_in_the_round_starts_its_time_anew_once(scene):
    scene.tell(TransactionsWaiting())
    scene.timeout()
    assert only(scene.others_follow(), SetTimer)
    assert only(scene.receive(scene.round_change(5, 1)), SetTimer) == []
    assert intents(scene.timeout(), RoundChangeIntent)
    assert scene.state.now.round == 2


def test_an_accepted_proposal_shows_that_a_quorum_is_in_its_round(scene):
    scene.receive(scene.justified(scene.block("fresh", author=scene.proposer(3)), 3))
    assert intents(scene.timeout(), RoundChangeIntent)
    assert scene.state.now.round == 4


# Proposing in a later round: validator 3 is the proposer of round 1


def test_a_quorum_without_locks_lets_the_proposer_ask_for_a_fresh_block():
    scene = Scene(own=3)
    scene.receive(*(scene.round_change(v, 1) for v in (1, 2)))
    effects = scene.receive(scene.round_change(4, 1))
    assert only(effects, RequestBlock) == [RequestBlock(1, 1)]
    block = scene.block(author=3)
    [proposal] = intents(scene.tell(BlockBuilt(1, 1, block)), ProposalIntent)
    assert proposal.block == block
    assert {s.author for s in proposal.round_changes} == {1, 2, 3, 4}
    assert proposal.prepares == ()


def test_a_quorum_with_locks_makes_the_proposer_repeat_the_highest(lock):
    scene = Scene(own=4)  # proposer of round 2
    higher = scene.lock(scene.block("b"), 1)
    scene.receive(scene.round_change(1, 2, lock), scene.round_change(2, 2, higher))
    effects = scene.receive(scene.round_change(3, 2))
    [proposal] = intents(effects, ProposalIntent)
    assert proposal.block == higher.block
    assert proposal.prepares == higher.prepares
    assert only(effects, RequestBlock) == []
    first = next(effect for effect in effects if not isinstance(effect, SetTimer))
    assert type(first) is Persist
    assert type(first.record) is ProposalMade


def test_its_own_lock_counts_among_them():
    scene = Scene(own=3)
    block = scene.block()
    scene.receive(scene.proposal(block))
    scene.prepared_own(block)
    scene.timeout()
    scene.receive(scene.round_change(1, 1), scene.round_change(2, 1))
    [proposal] = intents(scene.receive(scene.round_change(4, 1)), ProposalIntent)
    assert proposal.block == block


def test_one_less_than_a_quorum_lets_nobody_propose():
    scene = Scene(own=3)
    effects = scene.receive(*(scene.round_change(v, 1) for v in (1, 2)))
    assert intents(effects, ProposalIntent) == []
    assert only(effects, RequestBlock) == []


def test_who_is_not_the_proposer_of_the_round_does_not_propose():
    scene = Scene(own=5)
    effects = scene.receive(*(scene.round_change(v, 1) for v in (1, 2, 3, 4)))
    assert intents(effects, ProposalIntent) == []
    assert only(effects, RequestBlock) == []


def test_a_proposer_proposes_once_in_a_round():
    scene = Scene(own=3)
    scene.receive(*(scene.round_change(v, 1) for v in (1, 2, 4)))
    assert intents(scene.tell(BlockBuilt(1, 1, scene.block("a", author=3))), ProposalIntent)
    assert scene.tell(BlockBuilt(1, 1, scene.block("b", author=3))) == []
    assert scene.receive(scene.round_change(5, 1)) == []
