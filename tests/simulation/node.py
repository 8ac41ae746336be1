"""A simulated validator: the shipped shell and core on a simulated disk, clock and network.

Everything between a received item and a sent one is the code a validator runs: queue, judge,
driver, core, sign guard, journal, committer, validation, ledger store, catch-up. What is simulated
is what lies under it (files, database, clocks, the event loop's timers, links) and the process:
it may die at every fail point, pause, or wait for its disk.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ledger.consensus.core import Core
from ledger.consensus.events import TransactionsWaiting, VotingPaused
from ledger.consensus.round_state import CoreSettings
from ledger.errors import InvalidMessage, NodeFault, TransactionInvalid
from ledger.model.transaction import Envelope
from ledger.node.committing.committer import CommittedBlock, Committer
from ledger.node.committing.transaction_lookup import LedgerLookup
from ledger.node.consensus.consensus_queue import ConsensusQueue, FetchedBlock
from ledger.node.consensus.driver import ConsensusDriver, DriverPorts
from ledger.node.consensus.message_judge import MessageJudge
from ledger.node.consensus.outbox import Outbox, OutboxHandlers
from ledger.node.consensus.vote_memory import MemorySource, open_vote_memory
from ledger.node.following.catch_up import CatchUp
from ledger.node.membership.channel import CurrentChannel
from ledger.node.membership.waiting_configs import WaitingConfigs
from ledger.node.ordering.block_proposer import BlockProposer
from ledger.node.process.disk_watch import DiskWatch, SpaceLimits
from ledger.ordering.consensus_verifier import ConsensusVerifier
from ledger.ordering.pool import PoolLimits, TransactionPool
from ledger.storage.fail_points import FailPoints
from ledger.storage.journal import JOURNAL_FILE, begin_journal
from ledger.storage.opening import open_ledger
from ledger.validation.context import ValidationContext
from ledger.wire.validator_pb2 import Item, Status, TransactionBatch
from tests.simulation.clock import NodeClock
from tests.simulation.disk import FOLDER, SimulatedDisk, SimulatedFiles, SimulatedStore
from tests.simulation.event_loop import SimLoop, SimTimerHandle
from tests.simulation.keys import CHANNEL_ID
from tests.simulation.surroundings import (
    Crashed,
    EvidenceCount,
    NodeFailPoints,
    NodeLinks,
    WatchedSigner,
)
from tests.simulation.transactions import definition
from tests.simulation.versions import Version

if TYPE_CHECKING:
    from tests.simulation.world import World

JOURNAL = FOLDER / JOURNAL_FILE


class SimNode:
    """`slot` is its place in the network, `identity` the consenter id, which twins share."""

    def __init__(
        self,
        *,
        world: "World",
        slot: int,
        identity: int,
        disk: SimulatedDisk,
        clock: NodeClock,
        is_honest: bool,
        is_twin: bool = False,
        forgets: bool = False,
    ) -> None:
        self.world = world
        self.slot = slot
        self.identity = identity
        self.disk = disk
        self.clock = clock
        self.is_honest = is_honest
        self.is_twin = is_twin
        self.version = Version.SHIPPED
        self.forgets = forgets
        """Loses its journal whenever it crashes (the second twin)."""
        self.run = 0
        self.has_noted_start = False
        """Its journal knows its own file: since then a copy of it shows that it is one."""
        self.alive = False
        self.loop: SimLoop | None = None
        self.busy_until_ms = 0
        self._backlog: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._wake_at_ms: int | None = None
        self._batch: tuple[tuple[Envelope, ...], Item] | None = None

    # -- life -------------------------------------------------------------------------------------

    def install(self) -> None:
        """What `network init` does: the birth of the journal."""
        genesis_hash = self.world.consortium.genesis_hash
        begin_journal(JOURNAL, genesis_hash=genesis_hash, files=SimulatedFiles(self.disk))

    def start(self) -> None:
        """A new process on the disk as it is."""
        self.run += 1
        self.alive = True
        self.busy_until_ms = 0
        self._backlog = []
        self._wake_at_ms = None
        self.loop = None
        self.work(self._boot)

    def _boot(self) -> None:
        world = self.world
        self.loop = SimLoop(self)
        self.loop.enter()
        self.fail_points = fail_points = NodeFailPoints(self)
        self.kv = SimulatedStore(self.disk)
        self.store = open_ledger(
            self.kv,
            channel_id=CHANNEL_ID,
            genesis=world.consortium.genesis,
            fail_points=fail_points,
        )
        newest_config = self.store.block(self.store.last_config_number())
        assert newest_config is not None, "the ledger is whole"
        self.channel = CurrentChannel(world.channel_state(newest_config), world.channel_state)
        self.vote_memory = open_vote_memory(
            MemorySource(
                path=JOURNAL,
                own_id=self.identity,
                genesis_hash=world.consortium.genesis_hash,
                store=self.store,
                kv=self.kv,
                files=SimulatedFiles(self.disk),
                fail_points=fail_points,
                rotation_bytes=world.swarm.rotation_bytes,
            )
        )
        self.has_noted_start = True
        self.pool = TransactionPool(PoolLimits())
        self.lookup = LedgerLookup(self.store)
        self.committer = Committer(
            store=self.store,
            channel=self.channel,
            context=self._context,
            memory=world.memory,
        )
        self.queue = ConsensusQueue()
        self.disk_watch = DiskWatch(self.disk.space, SpaceLimits(), self._pause_voting)
        self.core = world.core_factory(
            CoreSettings(
                own_id=self.identity,
                base_timeout_ms=world.swarm.base_timeout_ms,
                max_timeout_ms=world.swarm.max_timeout_ms,
            )
        )
        self.links = NodeLinks(self)
        self.catch_up = CatchUp(
            reader=self.store,
            links=self.links,  # type: ignore[arg-type]
            deliver=lambda block, source: self.queue.post(FetchedBlock(block, source)),
            status=self._status,
            on_claim=self.queue.claim,
        )
        self.is_observing = False
        self.outbox = Outbox(self.loop, self._handlers(), fail_points)  # type: ignore[arg-type]
        self.driver = ConsensusDriver(
            core=self.core,
            queue=self.queue,
            ports=self._ports(fail_points),
            outbox=self.outbox,
        )
        world.started(self)
        self.driver.start(self.vote_memory.started(self.committer.tip))
        for consenter_id in self.links.connected_ids:
            self.on_connected(consenter_id)

    def _ports(self, fail_points: FailPoints) -> DriverPorts:
        world, state = self.world, self.channel.state
        signer = WatchedSigner(
            consenter_id=self.identity,
            signer=world.consortium.signer(self.identity),  # type: ignore[arg-type]
            guard=self.vote_memory.guard,
            domain=lambda: self.channel.state.domain,
            random_bytes=world.random_bytes,
        )
        signer.node = self
        verifier = ConsensusVerifier(
            state.validators, state.domain, first_height=state.config_block + 1
        )
        self.channel.subscribe(
            lambda new: verifier.begin(new.config_block + 1, new.validators, new.domain)
        )
        configs = WaitingConfigs(self.pool, self._check_config)
        self.channel.subscribe(lambda _: configs.forget_outdated())
        return DriverPorts(
            journal=self.vote_memory.journal,
            committer=self.committer,
            pool=self.pool,
            proposer=BlockProposer(
                consenter_id=self.identity,
                pool=self.pool,
                limits=lambda: self.channel.state.block_limits,
                block_interval_ms=lambda: 0,
                config_holds=configs.holds,
            ),
            signer=signer,
            evidence=EvidenceCount(self),  # type: ignore[arg-type]
            judge=MessageJudge(
                verifier,
                world.memory,
                limits=lambda: self.channel.state.block_limits,
                last_config=lambda: self.committer.last_config,
                check_config=lambda envelope, _at_ms: self._check_config(envelope),
                next_height=lambda: self.committer.tip.height + 1,
                decode=world.decode,
            ),
            clock_ms=self.clock.wall_ms,
            steady_ms=self.clock.steady_ms,
            fail_points=fail_points,
            observing=self._observing,
        )

    def _observing(self, news: str) -> None:
        self.is_observing = bool(news)
        self.world.log(f"node {self.slot} {news or 'votes again'}")

    def _check_config(self, envelope: Envelope) -> None:
        world = self.world
        world.config_verdicts.check(envelope, self.channel.state, world.signatures)

    def _context(self) -> ValidationContext:
        state = self.channel.state
        return ValidationContext(
            channel_id=CHANNEL_ID,
            signatures=self.world.signatures,
            policies=self.world.policies(state.policies),
            definition=definition,
            is_recorded=self.lookup.is_committed,
            check_config=lambda envelope, signatures: self.world.config_verdicts.check(
                envelope, state, signatures
            ),
        )

    def _handlers(self) -> OutboxHandlers:
        return OutboxHandlers(
            broadcast=self.links.broadcast,
            on_committed=self._on_committed,
            on_behind=self.catch_up.on_behind,
            tell_status=self.catch_up.tell_status,
            on_rejected=lambda author, error: self.world.rejected(self, author, error),
            on_stuck=self._send_oldest_again,
        )

    # -- from outside -----------------------------------------------------------------------------

    def receive(self, item: Item, sender: int) -> None:
        """An item on a stream of another validator, or of a node that only follows."""
        if self.version is Version.OLDER:
            item = self.world.forms.of(item, Version.OLDER)
        if sender not in self.channel.state.validators.ids and self._is_from_follower(
            item, sender
        ):
            return
        kind, content, _ = self.world.parcels.open(item)
        match kind:
            case "consensus_message":
                self.queue.receive(sender, content)
            case "transactions":
                for raw in content:
                    self.admit(raw)
            case "status":
                self.catch_up.on_status(sender, content)
            case "block_request":
                self.catch_up.on_request(
                    sender, content, lambda answer: self.world.send(self, sender, answer)
                )
            case "block_response":
                self.catch_up.on_response(sender, content)

    def _is_from_follower(self, item: Item, sender: int) -> bool:
        """It may tell its height and ask for blocks, nothing else.

        See `ledger.node.following.observers`.
        """
        kind = item.WhichOneof("kind")
        if kind == "status" and item.status.height < self.store.height():
            self.catch_up.tell_status(sender)
        return kind not in {"block_request", "block_response"}

    def submit(self, raw: bytes) -> None:
        """A client's transaction: into our pool and, if it is new here, to all others."""
        try:
            self.disk_watch.require_space()
        except InvalidMessage:
            return
        if self.admit(raw):
            self.links.broadcast(Item(transactions=TransactionBatch(envelopes=[raw])))

    def set_space(self, is_short: bool) -> None:
        """Its disk is nearly full, or has room again; the shipped watch looks at once.

        A node that is down looks when it starts.
        """
        self.disk.is_nearly_full = is_short
        if self.alive and self.loop is not None:
            self.work(self._look_at_disk)

    def _pause_voting(self, paused: bool) -> None:
        self.queue.post(VotingPaused(paused))
        self.loop.call_soon(self._tell_everyone)

    def _tell_everyone(self) -> None:
        self.catch_up.tell_everyone()

    def _look_at_disk(self) -> None:
        self.disk_watch.check()

    def admit(self, raw: bytes) -> bool:
        """Whether the pool took it (the shipped admission also checks signatures here)."""
        envelope = self.world.memory.decode(raw)
        if isinstance(envelope, TransactionInvalid):
            return False
        try:
            added = self.pool.add(envelope, is_committed=self.lookup.is_committed)
        except InvalidMessage:
            return False
        if added:
            self.queue.post(TransactionsWaiting())
        return added

    def on_connected(self, consenter_id: int) -> None:
        """A stream of ours is open: say where we are and what waits here."""
        self.catch_up.on_connected(consenter_id)
        waiting = self._waiting()
        if waiting is not None:
            self.links.send(consenter_id, waiting)

    def _waiting(self) -> Item | None:
        """What waits in the pool; the same item as long as that does not change."""
        waiting = self.pool.all()
        if not waiting:
            return None
        if self._batch is None or self._batch[0] != waiting:
            envelopes = [envelope.raw for envelope in waiting]
            self._batch = waiting, Item(transactions=TransactionBatch(envelopes=envelopes))
        return self._batch[1]

    # -- time -------------------------------------------------------------------------------------

    def call_later(self, delay_ms: int, handle: SimTimerHandle) -> None:
        """For the event loop: a timer dies with the process."""
        delay_ms = max(0, self.clock.until(delay_ms))
        self.world.at(delay_ms, self.slot, self._fire, self.run, handle)

    def _fire(self, run: int, handle: SimTimerHandle) -> None:
        if run == self.run and handle.callback is not None:
            self.work(handle.callback)

    def _wake(self, run: int, at_ms: int) -> None:
        if run == self.run and at_ms == self._wake_at_ms:
            self._wake_at_ms = None
            self.work(self._pass_time)

    def _pass_time(self) -> None:
        self.driver.step(None)

    def _plan_wake(self) -> None:
        wait_ms = self.driver.wait_ms()
        if wait_ms is None:
            return
        now_ms = self.world.now_ms
        at_ms = now_ms + (self.clock.until(wait_ms) or 1)
        at_ms = max(at_ms, self.busy_until_ms)
        if self._wake_at_ms is None or at_ms < self._wake_at_ms:
            self._wake_at_ms = at_ms
            self.world.at(at_ms - now_ms, self.slot, self._wake, self.run, at_ms)

    # -- work -------------------------------------------------------------------------------------

    def work(self, act: Callable[..., None], *arguments: Any) -> None:
        """Do this, then whatever the consensus thread finds in its queue; later if busy."""
        if not self.alive:
            return
        if self.world.now_ms < self.busy_until_ms:
            self._backlog.append((act, arguments))
            return
        try:
            if self.loop is not None:
                self.loop.enter()
            act(*arguments)
            self._drain()
            self._plan_wake()
        except Crashed as crash:
            self.world.crashed(self, f"at {crash}")
            return
        except NodeFault as fault:
            self.world.stopped(self, fault)
            return
        self._wait_for_disk()
        if self.is_honest:
            self.world.progressed(self)

    def _drain(self) -> None:
        loop, queue, driver = self.loop, self.queue, self.driver
        loop.run_ready()
        while not queue.is_empty():
            driver.step(queue.take(0))
        self.outbox.flush()

    def _wait_for_disk(self) -> None:
        spent_ms, self.disk.spent_ms = self.disk.spent_ms, 0
        if spent_ms:
            self.pause(spent_ms)

    def pause(self, duration_ms: int) -> None:
        """The process stands still; what comes waits, and timers fire late, all at once."""
        self.busy_until_ms = max(self.busy_until_ms, self.world.now_ms + duration_ms)
        self.world.at(self.busy_until_ms - self.world.now_ms, self.slot, self._resume, self.run)

    def _resume(self, run: int) -> None:
        if run != self.run or self.world.now_ms < self.busy_until_ms:
            return
        backlog, self._backlog = self._backlog, []
        for act, arguments in backlog:
            self.work(act, *arguments)

    def survive(self) -> None:
        """Calm: no more crashes or pauses; who is down starts."""
        if not self.alive:
            self.start()
            return
        self.fail_points.left = -1
        self.busy_until_ms = self.world.now_ms
        self._resume(self.run)

    def die(self, *, power_cut: bool) -> None:
        """Memory is gone; the disk keeps what it must, and of the rest what it likes."""
        self.alive = False
        self.busy_until_ms = 0
        if power_cut:
            self.disk.power_cut()
        else:
            self.disk.process_ends()
        if self.forgets:
            self.disk.wipe_journal()

    # -- what the driver says to the rest of the node ---------------------------------------------

    def _status(self) -> Status:
        tip = self.committer.tip
        return Status(
            height=tip.height + 1,
            block_hash=tip.block_hash,
            commit_hash=tip.commit_hash,
            observes=self.is_observing,
            disk_short=self.disk_watch.is_voting_paused,
        )

    def _on_committed(self, committed: CommittedBlock) -> None:
        self.world.committed(self, committed)
        self.catch_up.on_committed()

    def _send_oldest_again(self) -> None:
        waiting = self._waiting()
        if waiting is not None:
            self.links.broadcast(waiting)

    @property
    def has_opened_ledger(self) -> bool:
        """Whether any process of this node came so far."""
        return hasattr(self, "committer")

    @property
    def height(self) -> int:
        """Newest block; -1 before a process of this node has opened the ledger."""
        return self.committer.tip.height if self.has_opened_ledger else -1

    @property
    def position(self) -> tuple[int, int, int]:
        """(height, round, prepared round) for the monitor."""
        now = self.core.state.now
        return now.height, now.round, now.prepared.round if now.prepared else -1


def standard_core(settings: CoreSettings) -> Core:
    """The shipped core."""
    return Core(settings)
