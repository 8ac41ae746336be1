"""The thin shell around the consensus core: performs its effects strictly in order.

Journal (fsync), then sign, then send. One thread owns the core, the journal and the committer and
does one thing after another; the event loop only passes messages in and out. Blocks come in by two
ways, consensus and catch-up, and both are committed by this thread alone, so they can never race.

`start`, `step` and `wait_ms` wait for nothing: a simulator calls them with its own clock. `run` is
the loop of a validator's thread around them.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ledger.consensus import effects, events
from ledger.consensus.core import Core
from ledger.consensus.messages import Message
from ledger.errors import InvalidMessage, NodeFault
from ledger.model.block import Block
from ledger.node.committing.committer import Committer
from ledger.node.consensus.consensus_queue import (
    ConsensusQueue,
    FetchedBlock,
    RawMessage,
    Stop,
    Work,
)
from ledger.node.consensus.early_messages import NotYetJudged
from ledger.node.consensus.evidence_log import EvidenceLog
from ledger.node.consensus.intents import IntentSigner
from ledger.node.consensus.message_judge import MessageJudge, NoLongerJudged
from ledger.node.consensus.outbox import Outbox
from ledger.node.consensus.timers import Timers
from ledger.node.ordering.block_proposer import BlockProposer
from ledger.ordering.journal_codec import encode_record
from ledger.ordering.pool import TransactionPool
from ledger.ordering.seals import sealed_block
from ledger.storage.fail_points import FailPoint, FailPoints
from ledger.storage.journal import Journal

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DriverPorts:
    """What the driver acts on; all of it belongs to the consensus thread."""

    journal: Journal
    committer: Committer
    pool: TransactionPool
    proposer: BlockProposer
    signer: IntentSigner
    evidence: EvidenceLog
    judge: MessageJudge
    clock_ms: Callable[[], int]
    """Wall clock."""
    steady_ms: Callable[[], int]
    """A clock that never goes back, for timers."""
    fail_points: FailPoints = field(default_factory=FailPoints)
    observing: Callable[[str], None] = log.warning
    """Hears one sentence about this validator in quarantine; empty when that is over."""


class ConsensusDriver:
    """Runs one validator's core."""

    def __init__(
        self, *, core: Core, queue: ConsensusQueue, ports: DriverPorts, outbox: Outbox
    ) -> None:
        self._core = core
        self._queue = queue
        self._ports = ports
        self._outbox = outbox
        self._timers = Timers()
        self._own: deque[events.Event] = deque()

    def start(self, started: events.Started) -> None:
        """The first call: give the core what an earlier run left, and what follows from it."""
        self._own += (started, events.TransactionsWaiting())
        self._drain()

    def step(self, work: Work | None) -> None:
        """Do one piece of work, or none if only time has passed, and all that follows from it.

        Raises NodeFault when the node must stop by itself.
        """
        self._own += self._events_of(work)
        self._drain()

    def wait_ms(self) -> int | None:
        """Until the next timer or the next block may be built; None when nothing is planned."""
        timer_at_ms = self._timers.next_at_ms()
        wait_ms = None if timer_at_ms is None else max(0, timer_at_ms - self._ports.steady_ms())
        if self._ports.proposer.can_build:
            interval_ms = _interval_left_ms(self._ports)
            return interval_ms if wait_ms is None else min(wait_ms, interval_ms)
        return wait_ms

    def run(self, started: events.Started) -> None:
        """Start and work until `Stop`; raises NodeFault when the node must stop by itself."""
        self.start(started)
        self.work()

    def work(self) -> None:
        """Work until `Stop`; can be taken up again."""
        while True:
            if self._queue.is_empty():
                self._outbox.flush()
            work = self._queue.take(self.wait_ms())
            if isinstance(work, Stop):
                self._outbox.flush()
                return
            self.step(work)

    # -- what happens next ------------------------------------------------------------------------

    def _events_of(self, work: Work | None) -> list[events.Event]:
        found: list[events.Event] = []
        for expired in self._timers.take_expired(self._ports.steady_ms()):
            found.append(expired)
            is_repeat = expired.kind is events.TimerKind.REBROADCAST
            if is_repeat and not _interval_left_ms(self._ports):  # the next block could be there
                self._outbox.stuck()
        if isinstance(work, RawMessage):
            found += _judged(work.sender, work.raw, self._ports, self._outbox)
        elif isinstance(work, FetchedBlock):
            # The core hears first that the height is over: an expired timer may be of that height.
            found = self._commit_fetched(work) + found
        elif work is not None and not isinstance(work, Stop):
            found.append(work)
        return found

    def _drain(self) -> None:
        """Give the core its events, its own signed messages among them, until nothing follows."""
        own = self._own
        while True:
            if not own and self._ports.proposer.can_build:
                self._build()
            if not own:
                return
            current = own.popleft()
            if isinstance(current, events.TransactionsWaiting) and not len(self._ports.pool):
                continue
            step = self._core.step(current)
            if step:
                self._perform_all(step)

    def _build(self) -> None:
        committer = self._ports.committer
        built = self._ports.proposer.build(
            committer.tip,
            last_config=committer.last_config,
            now_ms=self._ports.clock_ms(),
            steady_ms=self._ports.steady_ms(),
        )
        if built is not None:
            self._ports.judge.know(built.block)
            self._own.append(built)

    # -- effects ----------------------------------------------------------------------------------

    def _perform_all(self, step: tuple[effects.Effect, ...]) -> None:
        """Perform a step's effects in order; consecutive records share one fsync."""
        records: list[bytes] = []
        for effect in step:
            if isinstance(effect, effects.Persist):
                records.append(encode_record(effect.record))
                continue
            if records:
                self._persist(records)
                records = []
            if isinstance(effect, effects.SignAndSend):
                self._sign_and_send(effect)
            else:
                self._perform(effect)
        if records:
            self._persist(records)

    def _persist(self, records: list[bytes]) -> None:
        self._ports.fail_points.reach(FailPoint.STEP_BEFORE_PERSIST)
        self._ports.journal.append_all(records)
        self._ports.fail_points.reach(FailPoint.STEP_PERSISTED)

    def _sign_and_send(self, effect: effects.SignAndSend) -> None:
        self._ports.fail_points.reach(FailPoint.MESSAGE_BEFORE_SIGN)
        self._ports.proposer.working(self._ports.steady_ms())
        message = self._ports.signer.sign(effect.intent)
        self._ports.fail_points.reach(FailPoint.MESSAGE_SIGNED)
        self._outbox.broadcast(message)
        self._own.append(events.MessageReceived(message, self._ports.clock_ms()))

    def _perform(self, effect: effects.Effect) -> None:
        match effect:
            case effects.CommitBlock(block, round_, commits):
                seals = tuple(commit.signed.payload.seal for commit in commits)
                self._own += self._commit(sealed_block(block, round_, seals))
            case effects.RequestBlock():
                self._ports.proposer.asked(effect)
            case effects.VerifySeals():
                self._own += _verified(effect, self._ports, self._outbox)
            case effects.SetTimer(kind, height, round_, duration_ms):
                at_ms = self._ports.steady_ms() + duration_ms
                self._timers.set(kind, height, round_, at_ms)
            case effects.CancelTimer(kind):
                self._timers.cancel(kind)
            case effects.PersistVoteFrom(height, set_hash):
                self._ports.journal.note_quarantine(height, set_hash=set_hash)
                self._ports.fail_points.reach(FailPoint.QUARANTINE_NOTED)
            case effects.Halt(reason):
                raise NodeFault(f"safety stop: {reason}")
            case _:
                _tell(effect, self._ports, self._outbox)

    # -- committing -------------------------------------------------------------------------------

    def _commit_fetched(self, fetched: FetchedBlock) -> list[events.Event]:
        """A block from catch-up; stale ones are simply late."""
        if fetched.block.number != self._ports.committer.tip.height + 1:
            return []
        try:
            block = self._ports.committer.certified(fetched.block)
        except InvalidMessage as error:
            self._outbox.rejected(fetched.source, error)
            return []
        self._ports.fail_points.reach(FailPoint.FETCHED_CERTIFIED)
        lost = _forgotten_seal(block, self._ports)
        return [*lost, *self._commit(block)]

    def _commit(self, block: Block) -> list[events.Event]:
        self._outbox.flush()  # our own seal must not wait for our disk
        self._ports.fail_points.reach(FailPoint.COMMIT_BEFORE)
        committed = self._ports.committer.commit(block)
        self._ports.fail_points.reach(FailPoint.COMMIT_AFTER)
        self._ports.pool.remove(transaction.tx_id for transaction in committed.transactions)
        if len(committed.transactions) < len(block.entries):
            self._ports.pool.remove_entries(block.entries)
        self._outbox.committed(committed)
        self._outbox.flush()
        self._ports.fail_points.reach(FailPoint.COMMIT_ANNOUNCED)
        self._ports.proposer.decided(self._ports.steady_ms(), transactions=len(block.entries))
        self._ports.judge.forget_blocks()
        tip = self._ports.committer.tip
        self._ports.journal.restart(tip.height + 1)
        self._ports.fail_points.reach(FailPoint.JOURNAL_RESTARTED)
        found: list[events.Event] = [events.BlockCommitted(tip), events.TransactionsWaiting()]
        for early in self._ports.judge.take_early():
            found += _judged(early.sender, early.raw, self._ports, self._outbox)
        return found


def _judged(sender: int, raw: bytes, ports: DriverPorts, outbox: Outbox) -> list[events.Event]:
    """Another validator's message if it is good; a bad one counts against its sender."""
    try:
        message = ports.judge.judge(raw, sender)
    except NotYetJudged:
        # Perhaps it is under a configuration that we lack: a hint to catch up, no fault.
        outbox.behind(ports.committer.tip.height + 1, sender)
        return []
    except NoLongerJudged:
        outbox.tell_status(sender)
        return []
    except InvalidMessage as error:
        outbox.rejected(sender, error)
        return []
    return [*_forgotten_vote(message, ports), events.MessageReceived(message, ports.clock_ms())]


def _tell(effect: effects.Effect, ports: DriverPorts, outbox: Outbox) -> None:
    """Effects that only inform others."""
    match effect:
        case effects.Rebroadcast(messages):
            for message in messages:
                outbox.broadcast(message)
        case effects.RequestSync(height, source):
            outbox.behind(height, source)
        case effects.TellStatus(to):
            outbox.tell_status(to)
        case effects.ReportEvidence(author, first, second):
            ports.evidence.record(author, first, second)
            ports.fail_points.reach(FailPoint.EVIDENCE_NOTED)
        case effects.Reject(author, error):
            outbox.rejected(author, error)
        case effects.TellObserving(news):
            ports.observing(news)
        case _:
            raise AssertionError(f"unknown effect {effect!r}")


def _verified(
    effect: effects.VerifySeals, ports: DriverPorts, outbox: Outbox
) -> list[events.Event]:
    """Commits whose seals are good, as if they came now; a bad one counts against its author."""
    good: list[events.Event] = []
    for commit in effect.commits:
        try:
            message = ports.judge.check_seal(commit, effect.block)
        except InvalidMessage as error:
            outbox.rejected(commit.signed.author, error)
            continue
        good.append(events.MessageReceived(message, ports.clock_ms()))
    return good


def _interval_left_ms(ports: DriverPorts) -> int:
    """How long until the block after the tip may be built, whoever builds it."""
    return ports.proposer.interval_left_ms(
        ports.committer.tip, now_ms=ports.clock_ms(), steady_ms=ports.steady_ms()
    )


def _forgotten_seal(block: Block, ports: DriverPorts) -> list[events.Event]:
    """Our seal on a block that our journal does not know: an older image of it is in use."""
    journal = ports.journal
    if journal.height != block.number or not journal.content.is_trusted_at(block.number):
        return []
    if not ports.signer.forgot_sealing(block):
        return []
    cause = f"block {block.number} carries a seal of this validator that it does not remember"
    journal.note_quarantine(None, cause=cause)
    return [events.MemoryLost()]


def _forgotten_vote(message: Message, ports: DriverPorts) -> list[events.Event]:
    """Our signature on what our journal does not know: it is not what we wrote last.

    An older copy of ledger and journal written into the files of the newer ones shows in nothing
    else.
    """
    forgotten = ports.signer.forgot_signing(message)
    journal = ports.journal
    if forgotten is None or not journal.content.is_trusted_at(forgotten.payload.height):
        return []
    place = forgotten.payload
    cause = (
        f"a {type(place).__name__} for height {place.height}, round {place.round} carries a"
        " signature of this validator that it does not remember"
    )
    journal.note_quarantine(None, cause=cause)
    return [events.MemoryLost()]
