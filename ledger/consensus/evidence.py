"""Equivocation: two payloads of one author that no honest validator signs both."""

from ledger.consensus.effects import Effect, ReportEvidence
from ledger.consensus.messages import Payload, Signed
from ledger.consensus.round_state import CoreState


def report(state: CoreState, first: Signed[Payload], second: Signed[Payload]) -> list[Effect]:
    """Report a pair once for each author, kind of payload and round."""
    key = (second.author, type(second.payload), second.payload.round)
    if key in state.now.reported:
        return []
    state.now.reported.add(key)
    return [ReportEvidence(author=second.author, first=first, second=second)]
