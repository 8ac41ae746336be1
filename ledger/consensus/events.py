"""What the shell tells the core. Times are milliseconds since the epoch on the node's clock."""

from dataclasses import dataclass
from enum import StrEnum

from ledger.consensus.messages import Message, ProposedBlock
from ledger.consensus.records import SafetyRecord


class TimerKind(StrEnum):
    """The two timers of a validator; setting one of a kind replaces the earlier one."""

    ROUND = "round"
    REBROADCAST = "rebroadcast"


@dataclass(frozen=True, slots=True)
class Tip:
    """The last committed block and the set that decides the next one.

    `validators` are consenter ids, sorted and distinct; a changed set takes effect here, at the
    height after the block that changed it.
    """

    height: int
    block_hash: bytes
    block_time_ms: int
    commit_hash: bytes
    validators: tuple[int, ...]
    validator_set_hash: bytes
    block_interval_ms: int = 0
    """Least time to the next block; round 0 lasts this much longer, so that a pause between blocks
    is not mistaken for a dead proposer."""


@dataclass(frozen=True, slots=True)
class Started:
    """First event, exactly once. `recovered` comes from `recovery.recover(journal records)`.

    `vote_from_height`: below this height the node only follows, because the journal is ahead of
    the ledger, or because its memory was lost (`memory_lost`) and it is known when that will not
    matter any more; quarantine.NEVER while that is not known.
    """

    tip: Tip
    recovered: SafetyRecord | None = None
    vote_from_height: int = 0
    memory_lost: bool = False
    set_hash: bytes = b""
    """With `memory_lost`: of the validators when `vote_from_height` was fixed."""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A signature-verified message, from a peer or this validator's own after signing."""

    message: Message
    now_ms: int


@dataclass(frozen=True, slots=True)
class TimerExpired:
    """A timer fired; ignored unless it belongs to the current height and round."""

    kind: TimerKind
    height: int
    round: int


@dataclass(frozen=True, slots=True)
class TransactionsWaiting:
    """The pool holds transactions.

    Sent when it stops being empty and, if it is still not empty, after every `BlockCommitted`
    (after the configured minimum interval). Without it no round timer runs and no block is asked
    for: empty blocks are suppressed.
    """


@dataclass(frozen=True, slots=True)
class TransactionsGone:
    """The pool became empty without a block, because transactions expired.

    Stops waiting for a proposer unless a proposal or a lock exists.
    """


@dataclass(frozen=True, slots=True)
class BlockBuilt:
    """Answer to `RequestBlock`; late answers for another height or round are ignored."""

    height: int
    round: int
    block: ProposedBlock


@dataclass(frozen=True, slots=True)
class BlockCommitted:
    """A block is durable: the answer to `CommitBlock`, or blocks fetched by catch-up."""

    tip: Tip


@dataclass(frozen=True, slots=True)
class HeadClaimed:
    """Another validator tells its newest block: a hint, except in quarantine, where it counts."""

    author: int
    newest_block: int
    observes: bool = False
    """It is in quarantine itself."""


@dataclass(frozen=True, slots=True)
class MemoryLost:
    """A block carries our seal and we do not remember it: who knows what else is forgotten."""


@dataclass(frozen=True, slots=True)
class VotingPaused:
    """The disk is nearly full: no votes, which need room in the journal, until there is space."""

    paused: bool


Event = (
    Started
    | MessageReceived
    | TimerExpired
    | TransactionsWaiting
    | TransactionsGone
    | BlockBuilt
    | BlockCommitted
    | HeadClaimed
    | MemoryLost
    | VotingPaused
)
