"""Messages of other heights: keep early ones, ask those ahead, tell those behind."""

from ledger.consensus.effects import Effect, RequestSync, TellStatus
from ledger.consensus.future_messages import EarlyMessage
from ledger.consensus.messages import Message, RoundChangeMessage
from ledger.consensus.round_state import CoreState, Phase


def upon_future_height(state: CoreState, early: EarlyMessage) -> list[Effect]:
    """Keep it within the author's quota; a height two above ours shows that we missed a block.

    A message of the very next height is normal: its author finished a moment before us. It only
    asks for catch-up when f + 1 authors moved on and we have not even seen a proposal.
    """
    state.future.keep(early, current_height=state.now.height)
    if state.now.phase is Phase.COMMITTING:
        return []
    effects = ask_those_ahead(state, at_least=state.now.height + 2)
    missed = not state.now.timer_running and len(state.future.claims()) >= state.weak_quorum
    if not effects and missed:
        effects = ask_those_ahead(state, at_least=state.now.height + 1)
    return effects


def ask_those_ahead(state: CoreState, *, at_least: int) -> list[Effect]:
    """Request blocks from every author that claims a height, once for each higher claim."""
    now = state.now
    effects: list[Effect] = []
    for author, claimed in sorted(state.future.claims().items()):
        if claimed >= at_least and now.sync_asked.get(author, 0) < claimed:
            now.sync_asked[author] = claimed
            effects.append(RequestSync(height=now.height, source=author))
    return effects


def upon_past_height(state: CoreState, message: Message) -> list[Effect]:
    """Its author is behind: let it know our height.

    Votes for the block just committed are usually the last of a full set, not of a straggler; a
    round change for it never is.
    """
    author = message.signed.author
    just_committed = message.signed.payload.height == state.tip.height
    if just_committed and not isinstance(message, RoundChangeMessage):
        return []
    if author == state.settings.own_id:
        return []
    return [TellStatus(to=author)]
