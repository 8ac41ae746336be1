"""What makes a proposal invalid: the eight rules, each with those who break it."""

from dataclasses import replace

import pytest

from ledger.consensus.effects import PrepareIntent
from ledger.consensus.limits import MAX_CLOCK_SKEW_MS, MAX_ROUND
from ledger.consensus.messages import Prepare, Proposal, RoundChange
from ledger.errors import Reason
from tests.unit.consensus.scene import NOW_MS, Scene, assert_refused, intents, signed


@pytest.fixture
def scene():
    return Scene()


def prepares_for(scene, proposal):
    return [i.payload for i in intents(scene.receive(proposal), PrepareIntent)]


def test_a_correct_proposal_is_prepared(scene):
    block = scene.block()
    assert prepares_for(scene, scene.proposal(block)) == [Prepare(1, 0, block.digest)]


# Rule 1: right height, author and round


def test_someone_else_than_the_proposer_of_the_round_proposes(scene):
    impostor = scene.proposal(scene.block(author=4), author=4)
    assert_refused(scene, impostor, Reason.WRONG_PROPOSER)


def test_someone_who_is_no_validator_proposes(scene):
    stranger = scene.proposal(scene.block(author=9), author=9)
    assert_refused(scene, stranger, Reason.NOT_A_VALIDATOR)


@pytest.mark.parametrize("round_number", [-1, MAX_ROUND + 1, 2**31, 2**63])
def test_a_round_out_of_bounds(scene, round_number):
    proposal = scene.proposal(scene.block(), round_number)
    if round_number < 0:
        assert scene.receive(proposal) == []  # below the current round: merely late
    else:
        assert_refused(scene, proposal, Reason.ROUND_OUT_OF_BOUNDS)


# Rule 2: the block is the signed one and follows our last block


def test_the_block_is_not_the_one_that_was_signed(scene):
    swapped = scene.proposal(scene.block("a"), digest=scene.block("b").digest)
    assert_refused(scene, swapped, Reason.DIGEST_MISMATCH)


def test_the_block_has_another_number(scene):
    block = scene.block()
    wrong = replace(block, header=replace(block.header, number=2))
    proposal = scene.proposal(block)
    assert_refused(scene, replace(proposal, block=wrong), Reason.WRONG_HEIGHT)


def test_the_block_follows_another_parent(scene):
    block = scene.block()
    wrong = replace(block, header=replace(block.header, previous_hash=b"x" * 32))
    assert_refused(scene, scene.proposal(wrong), Reason.WRONG_PARENT)


def test_the_block_names_another_validator_set(scene):
    wrong = scene.block(validator_set_hash=b"x" * 32)
    assert_refused(scene, scene.proposal(wrong), Reason.WRONG_VALIDATOR_SET)


def test_the_proposed_block_already_carries_a_round(scene):
    assert_refused(scene, scene.proposal(scene.block(round=1)), Reason.MALFORMED)


@pytest.mark.parametrize("late_ms", [0, 1])
def test_the_block_is_not_later_than_its_parent(scene, late_ms):
    wrong = scene.block(block_time_ms=scene.tip.block_time_ms - late_ms)
    assert_refused(scene, scene.proposal(wrong), Reason.TIMESTAMP_OUT_OF_WINDOW)


def test_a_fresh_block_may_be_ahead_of_the_clock_by_the_allowed_skew_only(scene):
    ahead = scene.block(block_time_ms=NOW_MS + MAX_CLOCK_SKEW_MS + 1)
    assert_refused(scene, scene.proposal(ahead), Reason.TIMESTAMP_OUT_OF_WINDOW)
    just = scene.block(block_time_ms=NOW_MS + MAX_CLOCK_SKEW_MS)
    assert prepares_for(scene, scene.proposal(just))


def test_a_fresh_block_names_another_author_than_its_proposer(scene):
    wrong = scene.proposal(scene.block(proposer=4))
    assert_refused(scene, wrong, Reason.WRONG_PROPOSER)


def test_a_block_names_an_author_who_is_no_validator(scene):
    wrong = scene.proposal(scene.block(proposer=9))
    assert_refused(scene, wrong, Reason.NOT_A_VALIDATOR)


# Rule 3: round 0 has no justification


def test_round_0_with_round_changes(scene):
    wrong = scene.proposal(scene.block(), round_changes=scene.certificate(1))
    assert_refused(scene, wrong, Reason.NOT_JUSTIFIED)


def test_round_0_with_prepares(scene):
    block = scene.block()
    wrong = scene.proposal(block, prepares=scene.lock(block).prepares)
    assert_refused(scene, wrong, Reason.NOT_JUSTIFIED)


# Rule 4: a later round needs a quorum of round changes to exactly it


def later(scene, **changes):
    """A proposal of a fresh block in round 1 that is correct but for the changes."""
    correct = scene.justified(scene.block(author=scene.proposer(1)), 1)
    return replace(correct, **changes)


def test_a_justified_later_round_is_prepared(scene):
    proposal = later(scene)
    assert prepares_for(scene, proposal) == [Prepare(1, 1, proposal.block.digest)]
    assert scene.state.now.round == 1


def test_a_later_round_without_justification(scene):
    assert_refused(scene, later(scene, round_changes=()), Reason.NOT_JUSTIFIED)


def test_one_round_change_less_than_a_quorum(scene):
    few = scene.certificate(1, count=scene.quorum - 1)
    assert_refused(scene, later(scene, round_changes=few), Reason.NOT_JUSTIFIED)


def test_the_same_author_fills_the_quorum_twice(scene):
    certificate = scene.certificate(1)
    padded = (*certificate[:-1], certificate[0])
    assert_refused(scene, later(scene, round_changes=padded), Reason.NOT_JUSTIFIED)


def test_an_author_with_two_different_round_changes_fills_the_quorum(scene):
    certificate = scene.certificate(1)
    second = scene.round_change(1, 1, scene.lock(scene.block())).signed
    padded = (*certificate[:-1], second)
    assert_refused(scene, later(scene, round_changes=padded), Reason.NOT_JUSTIFIED)


def test_more_round_changes_than_validators(scene):
    many = scene.certificate(1) * 2
    assert_refused(scene, later(scene, round_changes=many), Reason.OVERSIZED)


def test_a_stranger_fills_the_quorum(scene):
    stranger = scene.round_change(9, 1).signed
    padded = (*scene.certificate(1)[:-1], stranger)
    assert_refused(scene, later(scene, round_changes=padded), Reason.NOT_A_VALIDATOR)


@pytest.mark.parametrize("other_round", [2, 3])
def test_a_round_change_to_another_round_fills_the_quorum(scene, other_round):
    other = scene.round_change(4, other_round).signed
    padded = (*scene.certificate(1)[:-1], other)
    assert_refused(scene, later(scene, round_changes=padded), Reason.NOT_JUSTIFIED)


def test_a_round_change_of_another_height_fills_the_quorum(scene):
    other = signed(RoundChange(7, 1, None, None), 4)
    padded = (*scene.certificate(1)[:-1], other)
    assert_refused(scene, later(scene, round_changes=padded), Reason.NOT_JUSTIFIED)


@pytest.mark.parametrize(("prepared_round", "prepared_digest"), [(0, None), (None, b"d" * 32)])
def test_prepared_round_and_digest_are_not_both_there(scene, prepared_round, prepared_digest):
    half = signed(RoundChange(1, 1, prepared_round, prepared_digest), 4)
    padded = (*scene.certificate(1)[:-1], half)
    assert_refused(scene, later(scene, round_changes=padded), Reason.MALFORMED)


@pytest.mark.parametrize("prepared_round", [-1, 1, 2])
def test_prepared_in_no_earlier_round(scene, prepared_round):
    odd = signed(RoundChange(1, 1, prepared_round, b"d" * 32), 4)
    padded = (*scene.certificate(1)[:-1], odd)
    assert_refused(scene, later(scene, round_changes=padded), Reason.ROUND_OUT_OF_BOUNDS)


# Rule 5: one block per prepared round


def test_two_blocks_claimed_prepared_in_one_round(scene):
    a, b = scene.lock(scene.block("a")), scene.lock(scene.block("b"))
    certificate = scene.certificate(1, {1: a, 2: b})
    wrong = scene.proposal(a.block, 1, round_changes=certificate, prepares=a.prepares)
    assert_refused(scene, wrong, Reason.NOT_JUSTIFIED)


# Rule 6: nothing prepared, so a fresh block of this proposer and no prepares


def test_prepares_although_nothing_is_prepared(scene):
    block = scene.block(author=scene.proposer(1))
    wrong = later(scene, prepares=scene.lock(block).prepares)
    assert_refused(scene, wrong, Reason.NOT_JUSTIFIED)


def test_somebody_elses_block_although_nothing_is_prepared(scene):
    foreign = scene.justified(scene.block(author=scene.proposer(0)), 1)
    assert_refused(scene, foreign, Reason.WRONG_PROPOSER)


# Rule 7: something prepared, so its block again, proved by its prepares


def again(scene, lock, round_number=2, **changes):
    certificate = scene.certificate(round_number, {3: lock})
    correct = scene.proposal(
        lock.block, round_number, round_changes=certificate, prepares=lock.prepares
    )
    return replace(correct, **changes)


def test_a_prepared_block_is_proposed_again_with_its_first_author_and_time(scene):
    proposal = again(scene, scene.lock(scene.block()))
    assert proposal.block.metadata.proposer != proposal.signed.author
    a_day_ago_ms = NOW_MS - 86_400_000  # the clock does not judge a block proposed again
    effects = scene.receive(proposal, now_ms=a_day_ago_ms)
    assert [i.payload.round for i in intents(effects, PrepareIntent)] == [2]


def test_a_fresh_block_although_one_is_prepared(scene):
    lock = scene.lock(scene.block("a"))
    fresh = scene.block("b", author=scene.proposer(2))
    payload = Proposal(1, 2, fresh.digest)
    wrong = again(scene, lock, signed=signed(payload, scene.proposer(2)), block=fresh)
    assert_refused(scene, wrong, Reason.NOT_JUSTIFIED)


def test_a_lower_prepared_block_although_a_higher_one_is_known(scene):
    low, high = scene.lock(scene.block("a"), 0), scene.lock(scene.block("b"), 1)
    certificate = scene.certificate(2, {1: low, 2: high})
    wrong = scene.proposal(low.block, 2, round_changes=certificate, prepares=low.prepares)
    assert_refused(scene, wrong, Reason.NOT_JUSTIFIED)
    right = scene.proposal(high.block, 2, round_changes=certificate, prepares=high.prepares)
    assert prepares_for(scene, right)


def test_prepared_without_its_prepares(scene):
    wrong = again(scene, scene.lock(scene.block()), prepares=())
    assert_refused(scene, wrong, Reason.NOT_JUSTIFIED)


def test_one_prepare_less_than_a_quorum(scene):
    lock = scene.lock(scene.block())
    wrong = again(scene, lock, prepares=lock.prepares[:-1])
    assert_refused(scene, wrong, Reason.NOT_JUSTIFIED)


def test_the_same_prepare_twice(scene):
    lock = scene.lock(scene.block())
    padded = (*lock.prepares[:-1], lock.prepares[0])
    assert_refused(scene, again(scene, lock, prepares=padded), Reason.NOT_JUSTIFIED)


@pytest.mark.parametrize(
    ("author", "height", "round_number", "same_block", "reason"),
    [
        (9, 1, 0, True, Reason.NOT_A_VALIDATOR),
        (5, 2, 0, True, Reason.NOT_JUSTIFIED),
        (5, 1, 1, True, Reason.NOT_JUSTIFIED),
        (5, 1, 0, False, Reason.NOT_JUSTIFIED),
    ],
    ids=["of a stranger", "of another height", "of another round", "for another block"],
)
def test_one_prepare_of_the_quorum_is(scene, author, height, round_number, same_block, reason):
    lock = scene.lock(scene.block())
    digest = lock.block.digest if same_block else b"x" * 32
    odd = signed(Prepare(height, round_number, digest), author)
    wrong = again(scene, lock, prepares=(*lock.prepares[:-1], odd))
    assert_refused(scene, wrong, reason)


# Rule 8: also one's own proposal, and also the state


def test_a_block_on_another_state_is_refused_by_name(scene):
    block = scene.block(previous_commit_hash=b"x" * 32)
    effects = scene.receive(scene.proposal(block))
    assert [e.error.reason for e in effects] == [Reason.COMMIT_HASH_MISMATCH]
    assert scene.state.now.accepted is None
