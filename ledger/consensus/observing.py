"""A validator that follows without voting: in quarantine, or because its disk is nearly full."""

from ledger.consensus.effects import (
    Effect,
    Persist,
    PersistVoteFrom,
    PrepareIntent,
    SignAndSend,
    TellObserving,
)
from ledger.consensus.events import HeadClaimed, MemoryLost, VotingPaused
from ledger.consensus.messages import Prepare, PrepareMessage, RoundChangeMessage
from ledger.consensus.quarantine import NEVER, Quarantine
from ledger.consensus.records import PrepareVoted, RoundAnnounced, SafetyRecord
from ledger.consensus.resuming import answers_of_earlier_run, repeat_answers
from ledger.consensus.round_state import CoreState, Phase
from ledger.consensus.upon_round_change import round_change_intent
from ledger.consensus.upon_vote import progress


def upon_observing_event(
    state: CoreState, event: HeadClaimed | MemoryLost | VotingPaused
) -> list[Effect]:
    """What makes a validator follow only, or ends it."""
    match event:
        case HeadClaimed():
            return _upon_head_claimed(state, event)
        case MemoryLost():
            return _upon_memory_lost(state)
        case VotingPaused(paused):
            return _upon_voting_paused(state, paused=paused)


def _upon_head_claimed(state: CoreState, event: HeadClaimed) -> list[Effect]:
    """Only a validator in quarantine listens; everyone else asks catch-up for blocks instead."""
    if state.quarantine is None or event.author not in state.others:
        return []
    state.quarantine.hear(event.author, event.newest_block, observes=event.observes)
    return observe(state)


def _upon_memory_lost(state: CoreState) -> list[Effect]:
    """From here on no vote; what was sent stays sent."""
    state.quarantine = Quarantine()
    state.vote_from_height = NEVER
    state.now.own.clear()
    return observe(state)


def observe(state: CoreState) -> list[Effect]:
    """Where the quarantine stands after a new block or a new claim; nothing when there is none."""
    quarantine = state.quarantine
    if quarantine is None:
        return []
    effects: list[Effect] = []
    if quarantine.settle(state.tip, state.others):
        vote_from = quarantine.vote_from
        state.vote_from_height = NEVER if vote_from is None else vote_from
        effects.append(PersistVoteFrom(vote_from, quarantine.set_hash))
    if quarantine.vote_from is not None and state.now.height >= quarantine.vote_from:
        state.quarantine = None
        return [*effects, TellObserving("")]
    news = quarantine.words(state.tip, state.others)
    if news != quarantine.news:
        quarantine.news = news
        effects.append(TellObserving(news))
    return effects


def _upon_voting_paused(state: CoreState, *, paused: bool) -> list[Effect]:
    """Stop voting, or go on where the height stands: a proposal seen meanwhile gets its vote."""
    state.paused = paused
    now = state.now
    if now.phase is not Phase.VOTING or not state.may_vote:
        return []
    effects: list[Effect] = []
    earlier = answers_of_earlier_run(state)
    if earlier is not None and not now.own:  # the height began during the pause
        effects += repeat_answers(state, earlier)
    effects += _announce_what_it_joined(state, earlier)
    has_voted = PrepareMessage in now.own or (earlier is not None and earlier.accepted is not None)
    if now.accepted is not None and not has_voted:
        prepare = Prepare(now.height, now.round, now.accepted.digest)
        effects.append(Persist(PrepareVoted(now.height, now.round, now.accepted)))
        effects.append(SignAndSend(PrepareIntent(prepare)))
    return effects + progress(state)


def _announce_what_it_joined(state: CoreState, earlier: SafetyRecord | None) -> list[Effect]:
    """During the pause it followed the others to this round without a word.

    They wait until a quorum is here: nobody gives up a round that is not shared.
    """
    now = state.now
    is_announced = RoundChangeMessage in now.own or (earlier is not None and earlier.announced)
    if now.round == 0 or now.accepted is not None or is_announced:
        return []
    return [
        Persist(RoundAnnounced(now.height, now.round)),
        SignAndSend(round_change_intent(state)),
    ]
