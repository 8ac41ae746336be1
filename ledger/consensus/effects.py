"""What the core asks the shell to do. The shell performs the effects of a step strictly in order.

`Persist` must be durable before the next effect is performed; consecutive `Persist`s may share one
fsync. A shell that cannot persist stops: it neither signs nor retries.
"""

from dataclasses import dataclass

from ledger.consensus.events import TimerKind
from ledger.consensus.messages import (
    CommitMessage,
    Message,
    Payload,
    Prepare,
    Proposal,
    ProposedBlock,
    RoundChange,
    Signed,
)
from ledger.consensus.records import Record
from ledger.errors import InvalidMessage


@dataclass(frozen=True, slots=True)
class ProposalIntent:
    """A PROPOSAL to sign and send."""

    payload: Proposal
    block: ProposedBlock
    round_changes: tuple[Signed[RoundChange], ...] = ()
    prepares: tuple[Signed[Prepare], ...] = ()


@dataclass(frozen=True, slots=True)
class PrepareIntent:
    """A PREPARE to sign and send."""

    payload: Prepare


@dataclass(frozen=True, slots=True)
class CommitIntent:
    """A COMMIT for `block` in `round`: the shell makes the seal, puts it in the payload, signs."""

    round: int
    block: ProposedBlock


@dataclass(frozen=True, slots=True)
class RoundChangeIntent:
    """A ROUND-CHANGE to sign and send."""

    payload: RoundChange
    block: ProposedBlock | None = None
    prepares: tuple[Signed[Prepare], ...] = ()


Intent = ProposalIntent | PrepareIntent | CommitIntent | RoundChangeIntent


@dataclass(frozen=True, slots=True)
class Persist:
    """Append to the journal and fsync."""

    record: Record


@dataclass(frozen=True, slots=True)
class PersistVoteFrom:
    """Note in the journal, with fsync, from which height on this quarantined validator votes.

    None: what was noted before is void, because the set of validators changed.
    """

    height: int | None
    set_hash: bytes
    """Of the validators for whom this holds."""


@dataclass(frozen=True, slots=True)
class TellObserving:
    """One sentence for the operator about a validator in quarantine; empty when that is over."""

    news: str


@dataclass(frozen=True, slots=True)
class SignAndSend:
    """Sign, send to every other validator, and give the signed message back to the core.

    It comes back as `MessageReceived`: own votes count only when they come back signed.
    """

    intent: Intent


@dataclass(frozen=True, slots=True)
class Rebroadcast:
    """Send these own, already signed messages to every other validator again."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Start the timer of this kind, replacing an earlier one."""

    kind: TimerKind
    height: int
    round: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Stop the timer of this kind if it runs."""

    kind: TimerKind


@dataclass(frozen=True, slots=True)
class RequestBlock:
    """Build a block as soon as transactions wait, at once if they do; answer with `BlockBuilt`.

    A newer request replaces an older one; `CommitBlock` and `BlockCommitted` void it.
    """

    height: int
    round: int


@dataclass(frozen=True, slots=True)
class VerifySeals:
    """Check these seals against `block`, which was not known when they came.

    Each good one comes back as `MessageReceived` with `seal_verified=True`; each bad one counts
    against its author.
    """

    block: ProposedBlock
    commits: tuple[CommitMessage, ...]


@dataclass(frozen=True, slots=True)
class CommitBlock:
    """Validate the transactions and apply block, seals and state as one synced batch.

    The answer is `BlockCommitted`. `commits` are at least a quorum, all for this block and round,
    by distinct authors, sorted by author.
    """

    block: ProposedBlock
    round: int
    commits: tuple[CommitMessage, ...]


@dataclass(frozen=True, slots=True)
class RequestSync:
    """Others are ahead: fetch certified blocks from `height` on; `source` claimed to have them.

    A claim is a hint, never a fact. The answer, if any, is `BlockCommitted`.
    """

    height: int
    source: int


@dataclass(frozen=True, slots=True)
class TellStatus:
    """The author is behind: tell it our height so that it can catch up."""

    to: int


@dataclass(frozen=True, slots=True)
class ReportEvidence:
    """Two payloads, both signed by one validator, that no honest validator signs."""

    author: int
    first: Signed[Payload]
    second: Signed[Payload]


@dataclass(frozen=True, slots=True)
class Reject:
    """The message broke a rule; nothing changed. Counted against the author."""

    author: int
    error: InvalidMessage


@dataclass(frozen=True, slots=True)
class Halt:
    """This node must not go on: its state differs from what a quorum sealed.

    No effect follows, and every later step is empty.
    """

    reason: str


Effect = (
    Persist
    | PersistVoteFrom
    | TellObserving
    | SignAndSend
    | Rebroadcast
    | SetTimer
    | CancelTimer
    | RequestBlock
    | VerifySeals
    | CommitBlock
    | RequestSync
    | TellStatus
    | ReportEvidence
    | Reject
    | Halt
)
