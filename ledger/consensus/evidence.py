"""Equivocation: two payloads of one author that no honest validator signs both."""

from ledger.consensus.effects import Effect, ReportEvidence
from ledger.consensus.limits import REPORTS_PER_AUTHOR
from ledger.consensus.messages import Payload, Signed
from ledger.consensus.round_state import CoreState


def report(state: CoreState, first: Signed[Payload], second: Signed[Payload]) -> list[Effect]:
    """Report a pair once for each author, kind of payload and round, up to a limit an author."""
    key = (second.author, type(second.payload), second.payload.round)
    if key in state.now.reported:
        return []
    if sum(author == second.author for author, _, _ in state.now.reported) >= REPORTS_PER_AUTHOR:
        return []
    state.now.reported.add(key)
    return [ReportEvidence(author=second.author, first=first, second=second)]
