"""PREPARE and COMMIT: count them, lock, decide."""

from ledger.consensus.effects import (
    CommitBlock,
    CommitIntent,
    Effect,
    Halt,
    Persist,
    RequestSync,
    SignAndSend,
    VerifySeals,
)
from ledger.consensus.evidence import report
from ledger.consensus.limits import MAX_ROUND
from ledger.consensus.messages import (
    CommitMessage,
    PreparedCertificate,
    PrepareMessage,
    ProposedBlock,
)
from ledger.consensus.records import CommitVoted
from ledger.consensus.round_state import CoreState, Phase, stop_timers
from ledger.errors import InvalidMessage, Reason


def check_round_bounds(round_number: int) -> None:
    """No vote names a negative round or one beyond the limit."""
    if not 0 <= round_number <= MAX_ROUND:
        raise InvalidMessage(Reason.ROUND_OUT_OF_BOUNDS, f"vote in round {round_number}")


def upon_prepare(state: CoreState, message: PrepareMessage) -> list[Effect]:
    """Count a prepare of this round, or keep an early one for a near round."""
    now, signed = state.now, message.signed
    round_number = signed.payload.round
    check_round_bounds(round_number)
    if not now.round <= round_number <= now.round + now.votes.window:
        return []
    conflicting = now.votes.add_prepare(signed)
    if conflicting is not None:
        return report(state, conflicting, signed)
    if signed.author == state.settings.own_id and round_number == now.round:
        now.own[PrepareMessage] = message
    return progress(state)


def upon_commit(state: CoreState, message: CommitMessage) -> list[Effect]:
    """Count a commit whose seal is verified; a late one may complete an earlier round."""
    now, signed = state.now, message.signed
    round_number = signed.payload.round
    check_round_bounds(round_number)
    if signed.payload.seal.consenter_id != signed.author:
        raise InvalidMessage(
            Reason.BAD_SIGNATURE,
            f"commit of {signed.author} carries a seal of {signed.payload.seal.consenter_id}",
        )
    if abs(round_number - now.round) > now.votes.window:
        return []
    conflicting = now.votes.add_commit(message)
    if conflicting is not None:
        return report(state, conflicting, signed)
    if signed.author == state.settings.own_id and round_number == now.round:
        now.own[CommitMessage] = message
    effects: list[Effect] = []
    block = _known_block(state, signed.payload.digest)
    if block is not None and not message.seal_verified:
        effects.append(VerifySeals(block, (message,)))
    return effects + decide(state, signed.payload.digest)


def progress(state: CoreState) -> list[Effect]:
    """Lock and seal the accepted block once a quorum prepared it; then see if it is decided."""
    now = state.now
    if now.phase is not Phase.VOTING or now.accepted is None:
        return []
    effects: list[Effect] = []
    digest = now.accepted.digest
    if not now.commit_voted and state.may_vote:
        prepares = now.votes.prepares(now.round, digest)
        if len(prepares) >= state.quorum:
            certificate = prepares[: state.quorum]
            now.prepared = PreparedCertificate(now.round, now.accepted, certificate)
            now.commit_voted = True
            effects += [
                Persist(CommitVoted(now.height, now.round, digest, certificate)),
                SignAndSend(CommitIntent(now.round, now.accepted)),
            ]
    return effects + decide(state, digest)


def decide(state: CoreState, digest: bytes) -> list[Effect]:
    """Commit a block that a quorum sealed in one round; seals of different rounds never add up."""
    now = state.now
    if now.phase is not Phase.VOTING:
        return []
    for round_number in now.votes.commit_rounds():
        commits = now.votes.commits(round_number, digest)
        if len(commits) < state.quorum:
            continue
        block = _known_block(state, digest)
        if block is None:
            return _fetch_unknown_block(state, commits)
        verified = tuple(commit for commit in commits if commit.seal_verified)
        if len(verified) < state.quorum:
            continue
        if digest in now.divergent:
            state.halted = True
            return [
                Halt(
                    f"a quorum sealed block {now.height} on another state after block "
                    f"{now.height - 1} than this node computed"
                )
            ]
        now.phase = Phase.COMMITTING
        return [*stop_timers(state), CommitBlock(block, round_number, verified)]
    return []


def _known_block(state: CoreState, digest: bytes) -> ProposedBlock | None:
    now = state.now
    return now.blocks.get(digest) or now.divergent.get(digest)


def _fetch_unknown_block(state: CoreState, commits: tuple[CommitMessage, ...]) -> list[Effect]:
    """The proposal was lost on the way here; whoever sealed the block has it."""
    now = state.now
    for commit in commits:
        author = commit.signed.author
        if author != state.settings.own_id and now.sync_asked.get(author, 0) < now.height:
            now.sync_asked[author] = now.height
            return [RequestSync(height=now.height, source=author)]
    return []
