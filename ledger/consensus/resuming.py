"""What a validator signed in an earlier run at the height under decision, taken up again."""

from ledger.consensus.effects import CommitIntent, Effect, PrepareIntent, SignAndSend
from ledger.consensus.messages import Prepare
from ledger.consensus.records import SafetyRecord
from ledger.consensus.round_state import CoreState, keep_block, start_timers
from ledger.consensus.upon_proposal import proposal_intent
from ledger.consensus.upon_round_change import round_change_intent


def resume(state: CoreState) -> list[Effect]:
    """At a new height: the same round, the same lock, the same answers as in the earlier run.

    A nearly full disk silences the answers only. The lock must be there when votes go on.
    """
    record = state.recovered
    if record is None or record.height != state.now.height:
        return []
    if not (state.may_vote or state.paused):
        return []
    _restore(state, record)
    effects: list[Effect] = []
    if record.round > 0 or record.accepted is not None:
        effects += start_timers(state)
    return effects + (repeat_answers(state, record) if state.may_vote else [])


def answers_of_earlier_run(state: CoreState) -> SafetyRecord | None:
    """What an earlier run signed in the current round, if it signed anything there."""
    record, now = state.recovered, state.now
    if record is None or (record.height, record.round) != (now.height, now.round):
        return None
    return record


def repeat_answers(state: CoreState, record: SafetyRecord) -> list[Effect]:
    """Send again what `record` says was signed in the current round."""
    now = state.now
    effects: list[Effect] = []
    locked_here = now.prepared is not None and now.prepared.round == now.round
    if record.announced and not locked_here:
        effects.append(SignAndSend(round_change_intent(state)))
    if record.proposal is not None:
        effects.append(SignAndSend(proposal_intent(record.proposal)))
    if record.accepted is not None:
        prepare = Prepare(now.height, now.round, record.accepted.digest)
        effects.append(SignAndSend(PrepareIntent(prepare)))
        if record.committed:
            effects.append(SignAndSend(CommitIntent(now.round, record.accepted)))
    return effects


def _restore(state: CoreState, record: SafetyRecord) -> None:
    now = state.now
    now.round = record.round
    now.prepared = record.prepared
    now.proposal_made = record.proposal
    now.accepted = record.accepted
    now.commit_voted = record.committed
    now.is_shared = record.round == 0 or record.accepted is not None
    for block in (record.prepared.block if record.prepared else None, record.accepted):
        if block is not None:
            keep_block(now, block)
