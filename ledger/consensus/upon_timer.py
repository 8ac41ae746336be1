"""Timers: give up on a round, repeat own messages."""

from ledger.consensus.catching_up import ask_those_ahead
from ledger.consensus.effects import Effect, Rebroadcast, SetTimer
from ledger.consensus.events import TimerExpired, TimerKind
from ledger.consensus.limits import MAX_ROUND
from ledger.consensus.round_state import CoreState, Phase, start_timers, stop_timers
from ledger.consensus.upon_round_change import announce_round


def upon_timer(state: CoreState, event: TimerExpired) -> list[Effect]:
    """Act only on a timer of the current height and round: an old one may fire late."""
    now = state.now
    if (
        now.phase is not Phase.VOTING
        or not now.timer_running
        or (event.height, event.round) != (now.height, now.round)
    ):
        return []
    if event.kind is TimerKind.REBROADCAST:
        return _repeat(state)
    if now.round >= MAX_ROUND or not state.may_vote or not now.is_shared:
        return start_timers(state)  # an observer follows, it never leads; nor does anyone alone
    return announce_round(state, now.round + 1)


def _repeat(state: CoreState) -> list[Effect]:
    """Nothing else resends a lost message, so a stuck validator repeats its own.

    Being stuck while others speak of later heights means that they went on without us.
    """
    now = state.now
    effects: list[Effect] = [Rebroadcast(tuple(now.own.values()))] if now.own else []
    now.sync_asked.clear()
    effects += ask_those_ahead(state, at_least=now.height + 1)
    interval_ms = state.settings.rebroadcast_interval_ms(now.round)
    effects.append(SetTimer(TimerKind.REBROADCAST, now.height, now.round, interval_ms))
    return effects


def upon_transactions_gone(state: CoreState) -> list[Effect]:
    """Nobody waits any more: stop the clock, unless a block may already be on its way."""
    now = state.now
    if now.phase is Phase.VOTING and now.accepted is None and now.prepared is None:
        return stop_timers(state)
    return []
