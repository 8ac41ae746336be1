"""What a validator remembers: about the height it decides, and across heights."""

from dataclasses import dataclass, field
from enum import Enum, auto

from ledger.consensus.effects import CancelTimer, Effect, SetTimer
from ledger.consensus.events import TimerKind, Tip
from ledger.consensus.future_messages import FutureMessages
from ledger.consensus.limits import (
    BASE_TIMEOUT_MS,
    KEPT_BLOCKS,
    MAX_CLOCK_SKEW_MS,
    MAX_TIMEOUT_MS,
)
from ledger.consensus.messages import (
    Message,
    PreparedCertificate,
    ProposedBlock,
    RoundChangeMessage,
)
from ledger.consensus.quarantine import Quarantine
from ledger.consensus.quorum import proposer_of, quorum, weak_quorum
from ledger.consensus.records import ProposalMade, SafetyRecord
from ledger.consensus.timeouts import rebroadcast_interval_ms, round_timeout_ms
from ledger.consensus.votes import VoteStore


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """Who this validator is and how patient it is."""

    own_id: int
    base_timeout_ms: int = BASE_TIMEOUT_MS
    max_timeout_ms: int = MAX_TIMEOUT_MS
    max_clock_skew_ms: int = MAX_CLOCK_SKEW_MS

    def round_timeout_ms(self, round_number: int) -> int:
        """How long a round lasts, without the block interval."""
        return round_timeout_ms(
            self.base_timeout_ms, round_number, max_timeout_ms=self.max_timeout_ms
        )

    def rebroadcast_interval_ms(self, round_number: int) -> int:
        """Time between repeats of own messages while a round does not end."""
        return rebroadcast_interval_ms(
            self.base_timeout_ms, round_number, max_timeout_ms=self.max_timeout_ms
        )


class Phase(Enum):
    """Where the height stands."""

    VOTING = auto()
    COMMITTING = auto()
    """A quorum sealed a block and the shell applies it: no vote for this height any more."""


@dataclass(slots=True)
class HeightState:
    """The height under decision. `prepared` is the lock: only a new height clears it."""

    height: int
    votes: VoteStore
    phase: Phase = Phase.VOTING
    round: int = 0
    prepared: PreparedCertificate | None = None

    # Of the current round; a new round clears them.
    accepted: ProposedBlock | None = None
    commit_voted: bool = False
    proposal_made: ProposalMade | None = None
    block_requested: bool = False
    round_changes: tuple[RoundChangeMessage, ...] = ()
    """The quorum that lets this validator propose in this round."""

    is_shared: bool = True
    """A quorum is known to be in this round or a later one. Whoever is ahead alone waits for them:
    with timers of one length it would otherwise stay ahead for ever. Round 0 needs nobody."""

    timer_running: bool = False
    blocks: dict[bytes, ProposedBlock] = field(default_factory=dict)
    """Acceptable blocks of this height by digest: a late quorum of commits may need an old one."""
    divergent: dict[bytes, ProposedBlock] = field(default_factory=dict)
    """Blocks in order except that they name another state than ours."""
    own: dict[type[Message], Message] = field(default_factory=dict)
    """Own signed messages of the current round, to be repeated while it lasts."""
    reported: set[tuple[int, type, int]] = field(default_factory=set)
    """(author, kind, round) of equivocations already reported."""
    sync_asked: dict[int, int] = field(default_factory=dict)
    """author -> height it claimed when catch-up was last requested."""


@dataclass(slots=True)
class CoreState:
    """Everything the core owns."""

    settings: CoreSettings
    tip: Tip
    now: HeightState
    recovered: SafetyRecord | None = None
    vote_from_height: int = 0
    quarantine: Quarantine | None = None
    """Set while memory of earlier votes is lost and that matters."""
    paused: bool = False
    future: FutureMessages = field(default_factory=FutureMessages)
    halted: bool = False

    @property
    def quorum(self) -> int:
        """Q for the height under decision."""
        return quorum(len(self.tip.validators))

    @property
    def weak_quorum(self) -> int:
        """F + 1 for the height under decision."""
        return weak_quorum(len(self.tip.validators))

    @property
    def may_vote(self) -> bool:
        """False for an observer, in quarantine, and below what an earlier run already signed."""
        height = self.now.height
        if self.recovered is not None and self.recovered.height > height:
            return False
        if self.paused or height < self.vote_from_height:
            return False
        return self.settings.own_id in self.tip.validators

    @property
    def others(self) -> tuple[int, ...]:
        """The other validators of the height under decision."""
        return tuple(i for i in self.tip.validators if i != self.settings.own_id)

    def is_proposer(self, round_number: int) -> bool:
        """Whether it is this validator's turn in a round of the current height."""
        turn = proposer_of(self.tip.validators, self.now.height, round_number)
        return turn == self.settings.own_id


def new_height_state(tip: Tip) -> HeightState:
    """An empty state for the height after `tip`."""
    votes = VoteStore(validators=len(tip.validators))
    return HeightState(height=tip.height + 1, votes=votes)


def keep_block(now: HeightState, block: ProposedBlock) -> None:
    """Remember an acceptable block; the oldest one that is not locked makes room."""
    now.blocks[block.digest] = block
    if len(now.blocks) > KEPT_BLOCKS:
        locked = now.prepared.block.digest if now.prepared is not None else None
        del now.blocks[next(digest for digest in now.blocks if digest != locked)]


def start_timers(state: CoreState) -> list[Effect]:
    """Start the round timer and the repeat timer of the current round."""
    now, settings = state.now, state.settings
    now.timer_running = True
    duration_ms = settings.round_timeout_ms(now.round)
    if now.round == 0:
        duration_ms += state.tip.block_interval_ms
    repeat_ms = settings.rebroadcast_interval_ms(now.round)
    return [
        SetTimer(TimerKind.ROUND, now.height, now.round, duration_ms),
        SetTimer(TimerKind.REBROADCAST, now.height, now.round, repeat_ms),
    ]


def notice_company(state: CoreState) -> list[Effect]:
    """Once a quorum is in this round its time begins anew: for everyone at about the same time."""
    now = state.now
    if now.is_shared:
        return []
    others = now.votes.authors_from(now.round) - {state.settings.own_id}
    now.is_shared = len(others) + 1 >= state.quorum
    return start_timers(state) if now.is_shared and now.timer_running else []


def stop_timers(state: CoreState) -> list[Effect]:
    """Cancel both timers if they run."""
    if not state.now.timer_running:
        return []
    state.now.timer_running = False
    return [CancelTimer(TimerKind.ROUND), CancelTimer(TimerKind.REBROADCAST)]


def enter_round(state: CoreState, round_number: int) -> list[Effect]:
    """Move up to a round and restart the timers; the lock stays, whatever caused the move."""
    now = state.now
    assert round_number > now.round, "rounds only go up"
    now.round = round_number
    now.accepted = None
    now.commit_voted = False
    now.proposal_made = None
    now.block_requested = False
    now.round_changes = ()
    now.own.clear()
    now.votes.forget_below(round_number)
    now.is_shared = False
    return start_timers(state) + notice_company(state)
