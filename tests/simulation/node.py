"""The shell of a simulated validator: performs the core's effects in order and may die between.

Disk (survives a crash): the journal's records and the chain. Everything else is memory.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.consensus import effects as fx
from ledger.consensus import events as ev
from ledger.consensus.core import Core
from ledger.consensus.messages import (
    Commit,
    CommitMessage,
    Message,
    PrepareMessage,
    ProposalMessage,
    RoundChangeMessage,
    Seal,
    Signed,
)
from ledger.consensus.records import Record
from ledger.consensus.recovery import recover
from ledger.consensus.round_state import CoreSettings
from tests.simulation.blocks import SealedBlock, genesis_tip, is_certified, make_block, tip_after

if TYPE_CHECKING:
    from tests.simulation.world import World

SYNC_BLOCKS = 10
"""Blocks in one answer to a catch-up request."""


@dataclass(frozen=True, slots=True)
class Status:
    """Shell to shell: my height; whoever is ahead answers, whoever is behind asks for blocks."""

    height: int


@dataclass(frozen=True, slots=True)
class SyncRequest:
    from_height: int


@dataclass(frozen=True, slots=True)
class SyncAnswer:
    blocks: tuple[SealedBlock, ...]


Parcel = Message | Status | SyncRequest | SyncAnswer


@dataclass(slots=True)
class Disk:
    journal: list[Record] = field(default_factory=list)
    chain: list[SealedBlock] = field(default_factory=list)


class Crashed(Exception):  # noqa: N818
    """The process died at this point."""


def sign(intent: fx.Intent, author: int) -> Message:
    """What a shell makes of an intent, with the fact of authorship as signature."""
    match intent:
        case fx.ProposalIntent(payload, block, round_changes, prepares):
            return ProposalMessage(
                Signed(payload, author, b"", b""), block, round_changes, prepares
            )
        case fx.PrepareIntent(payload):
            return PrepareMessage(Signed(payload, author, b"", b""))
        case fx.CommitIntent(round_number, block):
            commit = Commit(block.height, round_number, block.digest, Seal(author, b"", b""))
            return CommitMessage(Signed(commit, author, b"", b""), seal_verified=True)
        case fx.RoundChangeIntent(payload, block, prepares):
            return RoundChangeMessage(Signed(payload, author, b"", b""), block, prepares)


class SimNode:
    """`slot` is its place in the network, `identity` the consenter id, which twins share."""

    def __init__(
        self,
        *,
        world: "World",
        slot: int,
        identity: int,
        validators: tuple[int, ...],
        keeps_journal: bool = True,
    ) -> None:
        self.world = world
        self.slot = slot
        self.identity = identity
        self.validators = validators
        self.keeps_journal = keeps_journal
        self.disk = Disk()
        self.run = 0
        self.alive = False
        self.pool: dict[bytes, None] = {}
        self._own_events: deque[ev.Event] = deque()
        self._timers: dict[ev.TimerKind, int] = {}
        self._block_request: fx.RequestBlock | None = None
        self._asked_at_ms = -1

    # -- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Boot from the disk."""
        self.run += 1
        self.alive = True
        self._own_events.clear()
        self._timers.clear()
        self._block_request = None
        self.pool = {}
        self.tip = genesis_tip(self.validators)
        for sealed in self.disk.chain:
            self.tip = tip_after(self.tip, sealed.block)
        if not self.keeps_journal:
            self.disk.journal.clear()
        settings = CoreSettings(
            own_id=self.identity, base_timeout_ms=self.world.swarm.base_timeout_ms
        )
        self.core = self.world.core_factory(settings)
        self.pool = dict.fromkeys(self.world.uncommitted(self))
        self.handle(ev.Started(self.tip, recover(self.disk.journal)))
        if self.alive:
            self._guarded(lambda: self.world.send_to_all(self, Status(self.tip.height)))
        if self.alive:
            self.transactions_arrived(())

    def crash(self) -> None:
        """Lose everything but the disk."""
        self.alive = False

    # -- from outside -----------------------------------------------------------------------------

    def transactions_arrived(self, transactions: tuple[bytes, ...]) -> None:
        self.pool.update(dict.fromkeys(transactions))
        if self.pool:
            self._own_events.append(ev.TransactionsWaiting())
            self._build()
            self._drain()

    def timer_fired(self, kind: ev.TimerKind, height: int, round_number: int, serial: int) -> None:
        if self._timers.get(kind) == serial:
            self.handle(ev.TimerExpired(kind, height, round_number))

    def receive(self, parcel: Parcel, source: int) -> None:
        match parcel:
            case Status(height):
                if height > self.tip.height:
                    self._ask(source)
                elif height < self.tip.height:
                    self.world.send(self, source, Status(self.tip.height))
            case SyncRequest(from_height):
                blocks = tuple(self.disk.chain[from_height - 1 :][:SYNC_BLOCKS])
                if blocks:
                    self.world.send(self, source, SyncAnswer(blocks))
            case SyncAnswer(blocks):
                for sealed in blocks:
                    if self.alive and is_certified(sealed, self.tip):
                        self._guarded(lambda sealed=sealed: self._commit(sealed))
                        self._drain()
            case _:
                self.handle(ev.MessageReceived(parcel, self.world.now_ms))

    # -- the loop ---------------------------------------------------------------------------------

    def handle(self, event: ev.Event) -> None:
        """One event, its effects, and every event of our own they cause."""
        self._own_events.append(event)
        self._drain()

    def _drain(self) -> None:
        while self.alive and self._own_events:
            event = self._own_events.popleft()
            self._guarded(lambda event=event: self._step(event))

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Crashed:
            self.world.crashed(self)

    def _step(self, event: ev.Event) -> None:
        effects = self.core.step(event)
        self.world.after_step(self)
        for effect in effects:
            self.world.maybe_crash(self)
            self._perform(effect)
        self.world.maybe_crash(self)

    def _perform(self, effect: fx.Effect) -> None:  # noqa: C901 - one arm for each effect
        match effect:
            case fx.Persist(record):
                self.disk.journal.append(record)
            case fx.SignAndSend(intent):
                message = sign(intent, self.identity)
                self.world.signed(self, message)
                self.world.send_to_all(self, message)
                self._own_events.append(ev.MessageReceived(message, self.world.now_ms))
            case fx.Rebroadcast(messages):
                for message in messages:
                    self.world.send_to_all(self, message)
            case fx.SetTimer(kind, height, round_number, duration_ms):
                serial = self.world.next_serial()
                self._timers[kind] = serial
                self.world.set_timer(self, duration_ms, kind, height, round_number, serial)
            case fx.CancelTimer(kind):
                self._timers.pop(kind, None)
            case fx.RequestBlock():
                self._block_request = effect
                self._build()
            case fx.VerifySeals(_, commits):
                for commit in commits:
                    verified = CommitMessage(commit.signed, seal_verified=True)
                    self._own_events.append(ev.MessageReceived(verified, self.world.now_ms))
            case fx.CommitBlock(block, round_number, commits):
                self._commit(SealedBlock(block, round_number, commits))
            case _:
                self._report(effect)

    def _report(self, effect: fx.Effect) -> None:
        match effect:
            case fx.RequestSync(_, source):
                self._ask(source)
            case fx.TellStatus(to):
                self.world.send(self, to, Status(self.tip.height))
            case fx.ReportEvidence(author):
                self.world.evidence(self, author)
            case fx.Reject(author, error):
                self.world.rejected(self, author, error)
            case fx.Halt(reason):
                self.world.halted(self, reason)

    def _ask(self, source: int) -> None:
        if source != self.identity:
            self.world.send(self, source, SyncRequest(self.tip.height + 1))

    def _build(self) -> None:
        request = self._block_request
        if request is None or not self.pool or request.height != self.tip.height + 1:
            return
        self._block_request = None
        block = make_block(
            tip=self.tip,
            proposer=self.identity,
            entries=tuple(self.pool),
            block_time_ms=self.world.now_ms,
        )
        self._own_events.append(ev.BlockBuilt(request.height, request.round, block))

    def _commit(self, sealed: SealedBlock) -> None:
        """One atomic batch; the journal of the height is of no more use."""
        if sealed.block.height != self.tip.height + 1:
            return
        self.disk.chain.append(sealed)
        self.world.committed(self, sealed.block)
        self.world.maybe_crash(self)
        self.disk.journal.clear()
        self.tip = tip_after(self.tip, sealed.block)
        self._block_request = None
        for entry in sealed.block.entries:
            self.pool.pop(entry, None)
        self._own_events.append(ev.BlockCommitted(self.tip))
        if self.pool:
            self._own_events.append(ev.TransactionsWaiting())

    @property
    def core_position(self) -> tuple[int, int, int]:
        """(height, round, prepared round) for the monitor."""
        now = self.core.state.now
        return now.height, now.round, now.prepared.round if now.prepared else -1


def standard_core(settings: CoreSettings) -> Core:
    """The shipped core."""
    return Core(settings)
