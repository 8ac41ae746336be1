"""ROUND-CHANGE: ask for it, follow f + 1 others, and justify one's own proposal with a quorum."""

from ledger.consensus.effects import Effect, Persist, RoundChangeIntent, SignAndSend
from ledger.consensus.evidence import report
from ledger.consensus.justification import (
    check_round_change_attachments,
    check_round_change_payload,
    highest_prepared,
)
from ledger.consensus.messages import RoundChange, RoundChangeMessage
from ledger.consensus.proposal_rules import check_block, check_commit_hash
from ledger.consensus.records import RoundAnnounced
from ledger.consensus.round_state import CoreState, enter_round, notice_company
from ledger.consensus.upon_proposal import propose, request_block


def upon_round_change(state: CoreState, message: RoundChangeMessage) -> list[Effect]:
    """Keep the highest round change of each author and act on what they say together."""
    now, signed = state.now, message.signed
    payload = signed.payload
    check_round_change_payload(payload)
    if payload.round < now.round:
        return []
    known = now.votes.round_change_of(signed.author)
    if known is not None and known.signed.payload.round >= payload.round:
        same_round = known.signed.payload.round == payload.round
        if same_round and known.signed.payload != payload:
            return report(state, known.signed, signed)
        return []
    check_round_change_attachments(message, validators=state.tip.validators)
    if message.block is not None:
        check_block(message.block, state.tip)
        check_commit_hash(message.block, state.tip)
    now.votes.add_round_change(message)
    if signed.author == state.settings.own_id and payload.round == now.round:
        now.own[RoundChangeMessage] = message
    effects = _follow_the_others(state) + notice_company(state)
    return effects + _propose_if_justified(state)


def announce_round(state: CoreState, round_number: int) -> list[Effect]:
    """Enter a round and tell everyone; from here on no vote below it, not even after a crash."""
    effects = enter_round(state, round_number)
    if state.may_vote:
        effects += [
            Persist(RoundAnnounced(state.now.height, round_number)),
            SignAndSend(round_change_intent(state)),
        ]
    return effects


def round_change_intent(state: CoreState) -> RoundChangeIntent:
    """The round change for the current round, with the lock if there is one."""
    now = state.now
    lock = now.prepared
    if lock is None:
        return RoundChangeIntent(RoundChange(now.height, now.round, None, None))
    payload = RoundChange(now.height, now.round, lock.round, lock.block.digest)
    return RoundChangeIntent(payload, lock.block, lock.prepares)


def _follow_the_others(state: CoreState) -> list[Effect]:
    """Jump when f + 1 authors are above: one of them is honest.

    The target is the highest round that f + 1 of them have reached, so liars alone move nobody.
    """
    above = state.now.votes.rounds_above(state.now.round)
    if len(above) < state.weak_quorum:
        return []
    return announce_round(state, above[state.weak_quorum - 1])


def _propose_if_justified(state: CoreState) -> list[Effect]:
    """With a quorum of round changes to this round, its proposer proposes.

    The block of the highest prepared round if there is one, a fresh block otherwise.
    """
    now = state.now
    if (
        now.round == 0
        or now.proposal_made is not None
        or now.block_requested
        or now.accepted is not None
        or not state.may_vote
        or not state.is_proposer(now.round)
    ):
        return []
    messages = now.votes.round_changes_for(now.round)
    if len(messages) < state.quorum:
        return []
    now.round_changes = messages
    highest = highest_prepared([message.signed for message in messages])
    if highest is None:
        return request_block(state)
    prepared_round, _ = highest
    chosen = next(m for m in messages if m.signed.payload.prepared_round == prepared_round)
    assert chosen.block is not None, "checked when it came in"
    return propose(state, chosen.block, messages, chosen)
