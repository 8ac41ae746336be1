"""The consensus core: the one object a shell owns, one method to drive it.

`step(event)` returns the effects to perform, in order. A message that breaks a rule changes
nothing and comes back as `Reject` with its reason; a message that is merely late changes nothing
and says nothing.
"""

from ledger.consensus.catching_up import upon_future_height, upon_past_height
from ledger.consensus.effects import Effect, Reject
from ledger.consensus.events import (
    BlockBuilt,
    BlockCommitted,
    Event,
    HeadClaimed,
    MemoryLost,
    MessageReceived,
    Started,
    TimerExpired,
    Tip,
    TransactionsGone,
    TransactionsWaiting,
    VotingPaused,
)
from ledger.consensus.future_messages import EarlyMessage, FutureMessages
from ledger.consensus.messages import (
    CommitMessage,
    Message,
    PrepareMessage,
    ProposalMessage,
    RoundChangeMessage,
)
from ledger.consensus.observing import observe, upon_observing_event
from ledger.consensus.quarantine import NEVER, Quarantine
from ledger.consensus.resuming import resume
from ledger.consensus.round_state import (
    CoreSettings,
    CoreState,
    Phase,
    new_height_state,
    stop_timers,
)
from ledger.consensus.upon_proposal import (
    upon_block_built,
    upon_proposal,
    upon_transactions_waiting,
)
from ledger.consensus.upon_round_change import upon_round_change
from ledger.consensus.upon_timer import upon_timer, upon_transactions_gone
from ledger.consensus.upon_vote import upon_commit, upon_prepare
from ledger.errors import InvalidMessage, Reason


class Core:
    """QBFT for one channel on one validator (or observer, if its id is not in the set)."""

    def __init__(self, settings: CoreSettings) -> None:
        self._settings = settings
        self._state: CoreState | None = None

    @property
    def state(self) -> CoreState:
        """For telemetry and checks; only the core writes to it."""
        assert self._state is not None, "Started is the first event"
        return self._state

    def step(self, event: Event) -> tuple[Effect, ...]:
        """Take one event; the effects are to be performed in order."""
        if isinstance(event, Started):
            return tuple(self._start(event))
        state = self.state
        if state.halted:
            return ()
        return tuple(_dispatch(state, event))

    def _start(self, event: Started) -> list[Effect]:
        assert self._state is None, "Started comes once"
        self._state = CoreState(
            settings=self._settings,
            tip=event.tip,
            now=new_height_state(event.tip),
            recovered=event.recovered,
            vote_from_height=event.vote_from_height,
            quarantine=_quarantine(event),
        )
        return observe(self._state) + resume(self._state)


def _quarantine(event: Started) -> Quarantine | None:
    if not event.memory_lost:
        return None
    if event.vote_from_height == NEVER:
        return Quarantine()
    return Quarantine(vote_from=event.vote_from_height, set_hash=event.set_hash)


def _dispatch(state: CoreState, event: Event) -> list[Effect]:
    match event:
        case MessageReceived(message, now_ms):
            return _receive(state, message, now_ms)
        case TimerExpired():
            return upon_timer(state, event)
        case TransactionsWaiting():
            return upon_transactions_waiting(state, event)
        case TransactionsGone():
            return upon_transactions_gone(state)
        case BlockBuilt():
            return _take_block(state, event)
        case BlockCommitted(tip):
            return _upon_block_committed(state, tip)
        case HeadClaimed() | MemoryLost() | VotingPaused():
            return upon_observing_event(state, event)
        case Started():
            raise AssertionError("Started comes once")


def _take_block(state: CoreState, event: BlockBuilt) -> list[Effect]:
    try:
        return upon_block_built(state, event)
    except InvalidMessage as error:
        state.now.block_requested = False
        return [Reject(state.settings.own_id, error)]


def _receive(state: CoreState, message: Message, now_ms: int) -> list[Effect]:
    """Route a message by height; a broken rule comes back as `Reject`."""
    author, height, now = message.signed.author, message.signed.payload.height, state.now
    if height < now.height:
        return upon_past_height(state, message)  # its author may have left the set since
    if author not in state.tip.validators:
        error = InvalidMessage(
            Reason.NOT_A_VALIDATOR, f"{author} is no validator of height {now.height}"
        )
        return [Reject(author, error)]
    if height > now.height:
        return upon_future_height(state, EarlyMessage(message, now_ms))
    if state.now.phase is Phase.COMMITTING:
        return []
    try:
        return _handle(state, message, now_ms)
    except InvalidMessage as error:
        return [Reject(author, error)]


def _handle(state: CoreState, message: Message, now_ms: int) -> list[Effect]:
    match message:
        case ProposalMessage():
            return upon_proposal(state, message, now_ms)
        case PrepareMessage():
            return upon_prepare(state, message)
        case CommitMessage():
            return upon_commit(state, message)
        case RoundChangeMessage():
            return upon_round_change(state, message)


def _upon_block_committed(state: CoreState, tip: Tip) -> list[Effect]:
    """Move to the next height, whichever way the block came; then take what came early."""
    if tip.height < state.now.height:
        return []
    effects = stop_timers(state)
    if tip.validator_set_hash != state.tip.validator_set_hash:
        state.future = FutureMessages()  # they were signed under the set before
    state.tip = tip
    state.now = new_height_state(tip)
    effects += observe(state) + resume(state)
    for early in state.future.release(state.now.height):
        effects += _receive(state, early.message, early.now_ms)
        if state.halted:
            break
    return effects
