"""A validator without memory of its votes: the M + 3 rule, and what the operator is told."""

from dataclasses import replace

import pytest

from ledger.consensus import effects as fx
from ledger.consensus import events as ev
from ledger.consensus.messages import RoundChange
from ledger.consensus.quarantine import NEVER, Quarantine, answers_needed
from ledger.consensus.quorum import max_faulty, quorum
from ledger.consensus.recovery import recover
from tests.support.unsigned_votes import tip_after
from tests.unit.consensus.scene import Scene


@pytest.mark.parametrize("n", range(1, 40))
def test_enough_answers_meet_an_honest_validator_that_had_committed_our_parent(n):
    """The derivation in docs/consensus.md, for every n, with f liars besides ourselves."""
    others, f, q = n - 1, max_faulty(n), quorum(n)
    honest_of_the_certificate = q - 1 - f
    without_them = others - honest_of_the_certificate
    assert answers_needed(n) == without_them + 1
    if n >= 3:
        assert answers_needed(n) <= others
    if n % 3 == 1:
        assert answers_needed(n) == q


def observer(validators: int = 4, tip: int = 0) -> Scene:
    scene = Scene(own=1, validators=validators)
    for _ in range(tip):
        scene.commit_durable(scene.block(author=scene.proposer()))
    scene.core = type(scene.core)(scene.settings)
    scene.tell(ev.Started(scene.tip, None, NEVER, memory_lost=True))
    return scene


def claim(scene: Scene, author: int, newest: int, *, observes: bool = False) -> list[fx.Effect]:
    return scene.tell(ev.HeadClaimed(author, newest, observes))


def noted(scene: Scene) -> list[int]:
    return [e.height for e in scene.seen if isinstance(e, fx.PersistVoteFrom)]


def news(scene: Scene) -> str:
    return [e.news for e in scene.seen if isinstance(e, fx.TellObserving)][-1]


def grow(scene: Scene, blocks: int = 1) -> None:
    for _ in range(blocks):
        scene.commit_durable(scene.block(author=scene.proposer()))


def votes(scene: Scene) -> list[fx.Effect]:
    return [e for e in scene.seen if isinstance(e, fx.SignAndSend)]


def test_it_votes_three_heights_after_the_newest_block_of_the_others():
    scene = observer(tip=2)
    claim(scene, 2, 2)
    claim(scene, 3, 2)
    assert noted(scene) == []
    claim(scene, 4, 1)
    assert noted(scene) == [5]
    assert "votes again from height 5" in news(scene)
    for height in (3, 4):
        assert scene.state.now.height == height
        scene.receive(scene.proposal(scene.block()))
        scene.timeout()
        assert votes(scene) == []
        grow(scene)
    assert news(scene) == ""
    scene.receive(scene.proposal(scene.block()))
    assert len(votes(scene)) == 1


def test_a_claim_counts_only_when_our_chain_has_reached_it():
    scene = observer()
    for author in (2, 3, 4):
        claim(scene, author, 2)
    assert noted(scene) == []
    assert "0 of 3 needed" in news(scene)
    grow(scene)
    assert noted(scene) == []
    grow(scene)
    assert noted(scene) == [5]


def test_a_liar_that_claims_a_mountain_only_keeps_itself_from_counting():
    scene = observer(validators=7)
    claim(scene, 2, 10**9)
    for author in (3, 4, 5, 6):
        claim(scene, author, 0)
    assert noted(scene) == []
    assert "consenter 2 claims block 1000000000" in news(scene)
    claim(scene, 7, 0)
    assert noted(scene) == [3]


def test_of_four_a_liar_holds_it_up_until_it_takes_its_claim_back():
    scene = observer()
    claim(scene, 2, 10**9)
    claim(scene, 3, 0)
    claim(scene, 4, 0)
    grow(scene, 5)
    assert noted(scene) == []
    assert "consenter 2 claims block 1000000000" in news(scene)
    claim(scene, 2, 5)
    assert noted(scene) == [8]


def test_repeated_and_foreign_claims_do_not_add_up():
    scene = observer()
    for author in (2, 2, 2, 3, 1, 9):
        claim(scene, author, 0)
    assert noted(scene) == []


def test_when_too_many_observe_it_says_that_this_does_not_end():
    scene = observer()
    claim(scene, 2, 0, observes=True)
    assert "an operator must decide" in news(scene)
    claim(scene, 2, 0, observes=False)
    assert "an operator must decide" not in news(scene)
    pair = observer(validators=2)
    claim(pair, 2, 0)
    assert "an operator must decide" in news(pair)


def test_a_decided_quarantine_outlives_a_restart_without_being_decided_again():
    scene = observer(tip=1)
    scene.core = type(scene.core)(scene.settings)
    scene.tell(ev.Started(scene.tip, None, 5, True, scene.tip.validator_set_hash))
    assert "votes again from height 5" in news(scene)
    for author in (2, 3, 4):
        claim(scene, author, 1)
    assert noted(scene) == []
    grow(scene, 3)
    assert news(scene) == ""
    scene.receive(scene.proposal(scene.block()))
    assert len(votes(scene)) == 1


def with_another_set(scene: Scene, validators: tuple[int, ...]) -> None:
    """The next block changes who decides."""
    block = scene.block(author=scene.proposer())
    tip = tip_after(scene.tip, block)
    scene.validators = validators
    scene.tip = replace(tip, validators=validators, validator_set_hash=bytes(validators))
    scene.tell(ev.BlockCommitted(scene.tip))


def test_another_set_of_validators_begins_the_count_anew():
    """Those of the old set may have stopped long ago: what they say bounds no later vote."""
    scene = observer()
    for author in (2, 3, 4):
        claim(scene, author, 0)
    assert noted(scene) == [3]
    with_another_set(scene, (1, 5, 6, 7))
    assert noted(scene) == [3, None]
    assert scene.state.vote_from_height == NEVER
    for author in (5, 6, 7):
        claim(scene, author, 1)
    assert noted(scene) == [3, None, 4]


def test_a_larger_set_that_has_told_enough_already_goes_on_from_its_own_count():
    scene = observer()
    for author in (2, 3, 4, 5):
        claim(scene, author, 0)
    with_another_set(scene, (1, 2, 3, 4, 5))
    assert noted(scene) == [3, 4]


def test_a_set_that_changed_while_it_was_down_voids_what_was_noted():
    scene = observer(tip=1)
    scene.core = type(scene.core)(scene.settings)
    scene.tell(ev.Started(scene.tip, None, 5, memory_lost=True, set_hash=b"of another set"))
    assert noted(scene) == [None]
    assert scene.state.vote_from_height == NEVER


def test_when_the_height_is_reached_a_new_set_does_not_matter():
    scene = observer()
    for author in (2, 3, 4):
        claim(scene, author, 0)
    grow(scene)
    with_another_set(scene, (1, 2, 3, 4, 5))
    assert scene.state.now.height == 3
    assert scene.state.quarantine is None


def test_who_is_not_in_quarantine_does_not_listen_to_claims():
    scene = Scene(own=1, validators=4)
    assert claim(scene, 2, 10**9) == []


def test_lost_memory_found_while_running_ends_voting_at_once():
    scene = Scene(own=1, validators=4)
    block = scene.block()
    scene.receive(scene.proposal(block))
    assert len(votes(scene)) == 1
    scene.tell(ev.MemoryLost())
    scene.receive(*[scene.prepare(author, block) for author in (2, 3, 4)])
    scene.timeout()
    scene.tell(ev.TimerExpired(ev.TimerKind.REBROADCAST, 1, 0))
    assert len(votes(scene)) == 1
    assert not any(isinstance(e, fx.Rebroadcast) for e in scene.seen)
    assert "0 of 3 needed" in news(scene)


def test_what_is_not_decided_yet_is_never_reached():
    assert Quarantine().vote_from is None
    assert NEVER > 2**62


# -- a nearly full disk ---------------------------------------------------------------------------


def test_a_paused_validator_votes_when_it_may_again_in_the_same_round():
    scene = Scene(own=1, validators=4)
    scene.tell(ev.VotingPaused(paused=True))
    block = scene.block()
    scene.receive(scene.proposal(block), *[scene.prepare(author, block) for author in (2, 3, 4)])
    assert votes(scene) == []
    scene.tell(ev.VotingPaused(paused=False))
    kinds = [type(effect.intent).__name__ for effect in votes(scene)]
    assert kinds == ["PrepareIntent", "CommitIntent"]
    scene.restart()  # the journal can be read back: the prepare stands before the commit
    assert scene.state.now.commit_voted


def test_a_pause_between_prepare_and_commit_repeats_no_prepare():
    scene = Scene(own=1, validators=4)
    block = scene.block()
    scene.receive(scene.proposal(block))
    scene.tell(ev.VotingPaused(paused=True))
    scene.receive(*[scene.prepare(author, block) for author in (2, 3, 4)])
    assert len(votes(scene)) == 1
    scene.tell(ev.VotingPaused(paused=False))
    kinds = [type(effect.intent).__name__ for effect in votes(scene)]
    assert kinds == ["PrepareIntent", "CommitIntent"]


def test_a_block_that_was_asked_for_before_the_pause_is_not_proposed():
    scene = Scene(own=2, validators=4)
    scene.tell(ev.TransactionsWaiting())
    assert any(isinstance(e, fx.RequestBlock) for e in scene.seen)
    scene.tell(ev.VotingPaused(paused=True))
    scene.tell(ev.BlockBuilt(1, 0, scene.block()))
    assert votes(scene) == []
    scene.tell(ev.VotingPaused(paused=False))
    scene.tell(ev.TransactionsWaiting())
    scene.tell(ev.BlockBuilt(1, 0, scene.block()))
    assert len(votes(scene)) == 2  # the proposal and its prepare


def test_a_round_it_was_pulled_to_during_a_pause_is_announced_after_it():
    """The others wait for a quorum in that round, so silence would be for ever."""
    scene = Scene(own=1, validators=4)
    scene.tell(ev.VotingPaused(paused=True))
    scene.receive(scene.round_change(2, 1), scene.round_change(3, 1))
    assert scene.state.now.round == 1
    assert votes(scene) == []
    scene.tell(ev.VotingPaused(paused=False))
    assert [vote.intent for vote in votes(scene)] == [
        fx.RoundChangeIntent(RoundChange(1, 1, None, None))
    ]
    assert scene.state.now.is_shared
    scene.tell(ev.VotingPaused(paused=True))
    scene.tell(ev.VotingPaused(paused=False))
    assert len(votes(scene)) == 1, "once is enough: it is repeated by its timer"


def behind_its_journal(scene: Scene, tip: ev.Tip) -> None:
    """A start with votes for the next height but one, as after a ledger was set aside."""
    recovered = recover(scene.journal)
    assert recovered is not None
    scene.core = type(scene.core)(scene.settings)
    scene.seen.clear()
    scene.tell(ev.Started(tip, recovered, vote_from_height=recovered.height))


def locked_at_height_two() -> tuple[Scene, ev.Tip]:
    """A scene whose validator is locked there, and the tip two blocks below."""
    scene = Scene(own=1, validators=4)
    genesis = scene.tip
    grow(scene)
    block = scene.block(author=scene.proposer())
    scene.receive(scene.proposal(block), *scene.prepares(block))
    assert scene.state.now.prepared is not None
    return scene, genesis


def test_a_lock_of_an_earlier_run_survives_a_height_that_begins_during_a_pause():
    scene, genesis = locked_at_height_two()
    behind_its_journal(scene, genesis)
    scene.tell(ev.VotingPaused(paused=True))
    scene.tell(ev.BlockCommitted(scene.tip))
    assert votes(scene) == []
    scene.tell(ev.VotingPaused(paused=False))
    kinds = [type(effect.intent).__name__ for effect in votes(scene)]
    assert kinds == ["PrepareIntent", "CommitIntent"]
    scene.timeout()
    round_change = votes(scene)[-1].intent
    assert isinstance(round_change, fx.RoundChangeIntent)
    assert round_change.payload.prepared_round == 0


def test_what_was_announced_before_is_announced_again_after_the_pause():
    scene, genesis = locked_at_height_two()
    scene.timeout()
    behind_its_journal(scene, genesis)
    scene.tell(ev.VotingPaused(paused=True))
    scene.tell(ev.BlockCommitted(scene.tip))
    fresh = scene.lock(scene.block("b", author=scene.proposer(1)))
    scene.receive(scene.justified(fresh.block, 1))  # the earlier run prepared nothing in round 1
    scene.tell(ev.VotingPaused(paused=False))
    kinds = [type(effect.intent).__name__ for effect in votes(scene)]
    assert kinds == ["RoundChangeIntent", "PrepareIntent"]
    assert recover(scene.journal) is not None
