"""A lock survives every way of leaving a round; only a new height clears it."""

import pytest

from ledger.consensus.effects import PrepareIntent, ProposalIntent, RoundChangeIntent
from tests.unit.consensus.scene import Scene, intents


@pytest.fixture
def scene():
    """Validator 1 of 5, locked in round 0."""
    scene = Scene()
    lock(scene)
    return scene


def lock(scene):
    block = scene.block("locked")
    scene.receive(scene.proposal(block))
    scene.prepared_own(block)


def claimed(effects):
    """What its last round change says is prepared: (round, entries of the block)."""
    change = intents(effects, RoundChangeIntent)[-1]
    assert change.block is not None
    assert change.payload.prepared_digest == change.block.digest
    assert len(change.prepares) == 4
    return change.payload.prepared_round, change.block.entries


LOCKED = (0, (b"locked",))


def test_through_a_timeout(scene):
    assert claimed(scene.timeout()) == LOCKED
    scene.others_follow()
    assert claimed(scene.timeout()) == LOCKED


def test_through_a_jump_after_f_plus_one_others(scene):
    effects = scene.receive(scene.round_change(2, 7), scene.round_change(3, 7))
    assert scene.state.now.round == 7
    assert claimed(effects) == LOCKED


def test_through_a_jump_to_a_justified_proposal(scene):
    fresh = scene.block("fresh", author=scene.proposer(3))
    effects = scene.receive(scene.justified(fresh, 3))
    assert intents(effects, PrepareIntent)
    assert scene.state.now.round == 3
    assert claimed(scene.timeout()) == LOCKED


def test_through_a_jump_with_a_quorum_of_round_changes():
    scene = Scene(own=4)  # proposer of round 2
    lock(scene)
    effects = scene.receive(*(scene.round_change(v, 2) for v in (1, 2, 3)))
    assert scene.state.now.round == 2
    [proposal] = intents(effects, ProposalIntent)
    assert proposal.block.entries == (b"locked",)
    assert claimed(scene.timeout()) == LOCKED


def test_through_a_restart(scene):
    scene.timeout()
    assert claimed(scene.restart()) == LOCKED
    scene.others_follow()
    assert claimed(scene.timeout()) == LOCKED


def test_through_a_restart_in_the_round_of_the_lock(scene):
    scene.restart()
    assert claimed(scene.timeout()) == LOCKED


def test_a_higher_lock_replaces_it(scene):
    fresh = scene.block("fresh", author=scene.proposer(3))
    scene.receive(scene.justified(fresh, 3))
    scene.prepared_own(fresh)
    assert claimed(scene.timeout()) == (3, (b"fresh",))


def test_prepares_of_an_old_round_do_not_replace_it(scene):
    fresh = scene.block("fresh", author=scene.proposer(3))
    scene.receive(scene.justified(fresh, 3))
    scene.timeout()
    scene.receive(*scene.prepares(fresh, 3))
    scene.others_follow()
    assert claimed(scene.timeout()) == LOCKED


def test_only_a_new_height_clears_it(scene):
    scene.commit_durable(scene.block("locked"))
    assert scene.state.now.prepared is None
    assert scene.state.now.round == 0
