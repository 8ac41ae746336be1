"""PROPOSAL: judge it, enter its round, prepare it; and making one's own."""

from ledger.consensus.effects import (
    Effect,
    Persist,
    PrepareIntent,
    ProposalIntent,
    Reject,
    RequestBlock,
    SignAndSend,
    VerifySeals,
)
from ledger.consensus.events import BlockBuilt, TransactionsWaiting
from ledger.consensus.evidence import report
from ledger.consensus.messages import (
    Prepare,
    Proposal,
    ProposalMessage,
    ProposedBlock,
    RoundChangeMessage,
)
from ledger.consensus.proposal_rules import (
    check_block,
    check_commit_hash,
    check_fresh_block,
    check_proposal,
)
from ledger.consensus.records import PrepareVoted, ProposalMade
from ledger.consensus.round_state import CoreState, Phase, enter_round, keep_block, start_timers
from ledger.consensus.upon_vote import decide, progress
from ledger.errors import InvalidMessage, Reason


def upon_proposal(state: CoreState, message: ProposalMessage, now_ms: int) -> list[Effect]:
    """Accept a proposal of the current round, or of a later one that is justified."""
    now, proposal = state.now, message.signed.payload
    if proposal.round < now.round:
        return []
    earlier = now.votes.conflicting_proposal(message.signed)
    if earlier is not None and earlier.author == message.signed.author:
        return report(state, earlier, message.signed)
    if proposal.round == now.round and now.accepted is not None:
        _keep_own(state, message)
        return []
    check_proposal(
        message,
        tip=state.tip,
        now_ms=now_ms,
        max_clock_skew_ms=state.settings.max_clock_skew_ms,
    )
    _check_not_a_stranger_with_our_key(state, message)
    now.votes.add_proposal(message.signed)
    try:
        check_commit_hash(message.block, state.tip)
    except InvalidMessage as error:
        return _remember_divergent(state, message, error)
    _keep_own(state, message)
    return _accept(state, message.block, proposal.round)


def _accept(state: CoreState, block: ProposedBlock, round_number: int) -> list[Effect]:
    now = state.now
    effects: list[Effect] = []
    if round_number > now.round:
        effects += enter_round(state, round_number)
    elif not now.timer_running:
        effects += start_timers(state)
    now.accepted = block
    now.is_shared = True  # from round 1 on, a quorum of round changes justified it
    keep_block(now, block)
    if state.may_vote:
        if now.proposal_made is None:  # our own proposal's record already binds this vote
            effects.append(Persist(PrepareVoted(now.height, now.round, block)))
        effects.append(SignAndSend(PrepareIntent(Prepare(now.height, now.round, block.digest))))
    return effects + _ask_for_seals(state, block) + progress(state)


def _check_not_a_stranger_with_our_key(state: CoreState, message: ProposalMessage) -> None:
    """A proposal in our name that we did not make: someone else holds our key."""
    if message.signed.author != state.settings.own_id:
        return
    made = state.now.proposal_made
    if made is None or made.block.digest != message.signed.payload.digest:
        raise InvalidMessage(Reason.EQUIVOCATION, "a proposal in our name that we did not make")


def _remember_divergent(
    state: CoreState, message: ProposalMessage, error: InvalidMessage
) -> list[Effect]:
    """Refuse a block that only differs in the state it names, but remember it.

    Alone it is its proposer's error; once a quorum seals it, it is ours (`decide` halts).
    """
    block = message.block
    state.now.divergent[block.digest] = block
    rejected: list[Effect] = [Reject(message.signed.author, error)]
    return rejected + _ask_for_seals(state, block) + decide(state, block.digest)


def _ask_for_seals(state: CoreState, block: ProposedBlock) -> list[Effect]:
    """Seals that came before their block can be verified now."""
    votes = state.now.votes
    unverified = tuple(
        commit
        for round_number in votes.commit_rounds()
        for commit in votes.commits(round_number, block.digest)
        if not commit.seal_verified
    )
    return [VerifySeals(block, unverified)] if unverified else []


def _keep_own(state: CoreState, message: ProposalMessage) -> None:
    made = state.now.proposal_made
    if (
        message.signed.author == state.settings.own_id
        and made is not None
        and made.block.digest == message.signed.payload.digest
    ):
        state.now.own[ProposalMessage] = message


def upon_transactions_waiting(state: CoreState, _event: TransactionsWaiting) -> list[Effect]:
    """Start the clock of round 0; its proposer asks for a block."""
    now = state.now
    if now.phase is not Phase.VOTING:
        return []
    effects: list[Effect] = [] if now.timer_running else start_timers(state)
    if now.round == 0:
        effects += request_block(state)
    return effects


def request_block(state: CoreState) -> list[Effect]:
    """Ask the shell for a fresh block, once a round, if this validator may propose one."""
    now = state.now
    if (
        now.block_requested
        or now.proposal_made is not None
        or now.accepted is not None
        or not state.may_vote
        or not state.is_proposer(now.round)
    ):
        return []
    now.block_requested = True
    return [RequestBlock(now.height, now.round)]


def upon_block_built(state: CoreState, event: BlockBuilt) -> list[Effect]:
    """Propose a fresh block, judged like anyone else's; late answers are ignored."""
    now = state.now
    if (
        now.phase is not Phase.VOTING
        or (event.height, event.round) != (now.height, now.round)
        or not now.block_requested
        or now.proposal_made is not None
        or now.accepted is not None
    ):
        return []
    if not state.may_vote:  # it stopped voting since it asked
        now.block_requested = False
        return []
    check_block(event.block, state.tip)
    check_commit_hash(event.block, state.tip)
    check_fresh_block(
        event.block,
        author=state.settings.own_id,
        now_ms=event.block.metadata.block_time_ms,
        max_clock_skew_ms=state.settings.max_clock_skew_ms,
    )
    return propose(state, event.block, now.round_changes, None)


def propose(
    state: CoreState,
    block: ProposedBlock,
    round_changes: tuple[RoundChangeMessage, ...],
    prepared: RoundChangeMessage | None,
) -> list[Effect]:
    """Record, sign and send a proposal for the current round."""
    now = state.now
    made = ProposalMade(
        height=now.height,
        round=now.round,
        block=block,
        round_changes=tuple(message.signed for message in round_changes),
        prepares=prepared.prepares if prepared is not None else (),
    )
    now.proposal_made = made
    return [Persist(made), SignAndSend(proposal_intent(made))]


def proposal_intent(made: ProposalMade) -> ProposalIntent:
    """What to sign for a recorded proposal, the first time and after a restart."""
    return ProposalIntent(
        payload=Proposal(made.height, made.round, made.block.digest),
        block=made.block,
        round_changes=made.round_changes,
        prepares=made.prepares,
    )
