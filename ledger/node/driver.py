"""The thin shell around the consensus core: performs its effects strictly in order.

Journal (fsync), then sign, then send. One task owns the core; everything else posts events to it.
Blocks come in by two ways, consensus and catch-up, and both are committed by this task alone, so
they can never race.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from ledger.consensus import effects, events
from ledger.consensus.core import Core
from ledger.consensus.messages import Message, ProposedBlock
from ledger.errors import InvalidMessage, NodeFault
from ledger.model.block import Block
from ledger.node.committer import Committer
from ledger.node.evidence_log import EvidenceLog
from ledger.node.intents import IntentSigner
from ledger.node.timers import Timers
from ledger.ordering.block_building import build_block
from ledger.ordering.consensus_codec import encode_message
from ledger.ordering.consensus_verifier import ConsensusVerifier
from ledger.ordering.journal_codec import encode_record
from ledger.ordering.pool import BlockLimits, TransactionPool
from ledger.ordering.seals import sealed_block
from ledger.rpc.validator_links import ValidatorLinks
from ledger.storage.journal import Journal
from ledger.wire.validator_pb2 import Item

log = logging.getLogger(__name__)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class DriverPorts:
    """What the driver acts on."""

    links: ValidatorLinks
    journal: Journal
    committer: Committer
    pool: TransactionPool
    signer: IntentSigner
    evidence: EvidenceLog
    verifier: ConsensusVerifier
    journal_executor: Executor
    clock_ms: Callable[[], int]


@dataclass(frozen=True, slots=True)
class FetchedBlock:
    """A block that catch-up got from another validator."""

    block: Block
    source: int


@dataclass(frozen=True, slots=True)
class DriverHooks:
    """What the driver tells the rest of the node."""

    on_behind: Callable[[int, int], None]
    """(first missing height, consenter that claimed to have it)"""
    tell_status: Callable[[int], None]
    on_rejected: Callable[[int, InvalidMessage], None]


SILENT = DriverHooks(
    on_behind=lambda _height, _source: None,
    tell_status=lambda _to: None,
    on_rejected=lambda _author, _error: None,
)


class ConsensusDriver:
    """Runs one validator's core until a NodeFault or cancellation."""

    def __init__(
        self,
        *,
        core: Core,
        consenter_id: int,
        ports: DriverPorts,
        limits: BlockLimits,
        block_interval_ms: int,
    ) -> None:
        self._core = core
        self._consenter_id = consenter_id
        self._ports = ports
        self._limits = limits
        self._block_interval_ms = block_interval_ms
        self._events: deque[events.Event | FetchedBlock] = deque()
        self._wake = asyncio.Event()
        self._timers = Timers(lambda kind, h, r: self.post(events.TimerExpired(kind, h, r)))
        self._block_request: effects.RequestBlock | None = None
        self._seen_blocks: dict[bytes, ProposedBlock] = {}
        self._hooks = SILENT

    # -- from the rest of the node ----------------------------------------------------------------

    def post(self, event: events.Event | FetchedBlock) -> None:
        """Queue an event, or a block from catch-up."""
        self._events.append(event)
        self._wake.set()

    def transactions_waiting(self) -> None:
        """The pool grew; builds the block that is asked for, if one is."""
        self.post(events.TransactionsWaiting())

    def seen_block(self, digest: bytes) -> ProposedBlock | None:
        """A block proposed at the height under decision, by its digest."""
        return self._seen_blocks.get(digest)

    async def run(self, started: events.Started, hooks: DriverHooks) -> None:
        """Own the core until cancelled; raises NodeFault when the node must stop."""
        self._hooks = hooks
        await self._step(started)
        if len(self._ports.pool):
            self.transactions_waiting()
        while True:
            await self._wake.wait()
            while self._events:
                event = self._events.popleft()
                if isinstance(event, FetchedBlock):
                    await self._commit_fetched(event)
                else:
                    await self._step(event)
            self._wake.clear()

    # -- the loop ---------------------------------------------------------------------------------

    async def _step(self, event: events.Event) -> None:
        if isinstance(event, events.MessageReceived):
            self._note_block(event.message)
        if isinstance(event, events.TransactionsWaiting) and not len(self._ports.pool):
            return
        await self._perform_all(self._core.step(event))
        if isinstance(event, events.TransactionsWaiting):
            self._try_to_build()

    async def _perform_all(self, step: tuple[effects.Effect, ...]) -> None:
        """Perform a step's effects in order; records and the vote they protect share one fsync."""
        records: list[bytes] = []
        for effect in step:
            if isinstance(effect, effects.Persist):
                records.append(encode_record(effect.record))
                continue
            if isinstance(effect, effects.SignAndSend):
                self._deliver(await self._in_journal(self._record_and_sign, records, effect))
            else:
                await self._record(records)
                await self._perform(effect)
            records = []
        await self._record(records)

    async def _record(self, records: list[bytes]) -> None:
        if records:
            await self._in_journal(self._ports.journal.append_all, records)

    def _record_and_sign(self, records: list[bytes], effect: effects.SignAndSend) -> Message:
        self._ports.journal.append_all(records, sync=False)
        return self._ports.signer.sign(effect.intent)

    async def _in_journal(self, work: Callable[..., R], *arguments: object) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._ports.journal_executor, work, *arguments)

    async def _perform(self, effect: effects.Effect) -> None:
        match effect:
            case effects.CommitBlock(block, round_, commits):
                seals = tuple(commit.signed.payload.seal for commit in commits)
                await self._commit(sealed_block(block, round_, seals))
            case effects.RequestBlock():
                self._block_request = effect
                self._try_to_build()
            case effects.VerifySeals():
                self._verify_seals(effect)
            case effects.Halt(reason):
                raise NodeFault(f"safety stop: {reason}")
            case effects.SetTimer(kind, height, round_, duration_ms):
                self._timers.set(kind, height, round_, duration_ms)
            case effects.CancelTimer(kind):
                self._timers.cancel(kind)
            case _:
                self._tell(effect)

    def _tell(self, effect: effects.Effect) -> None:
        """Effects that only inform others."""
        match effect:
            case effects.Rebroadcast(messages):
                for message in messages:
                    self._broadcast(message)
            case effects.RequestSync(height, source):
                self._hooks.on_behind(height, source)
            case effects.TellStatus(to):
                self._hooks.tell_status(to)
            case effects.ReportEvidence(author, first, second):
                self._ports.evidence.record(author, first, second)
            case effects.Reject(author, error):
                self._hooks.on_rejected(author, error)
            case _:
                raise AssertionError(f"unknown effect {effect!r}")

    # -- sending ----------------------------------------------------------------------------------

    def _deliver(self, message: Message) -> None:
        self._broadcast(message)
        self._events.appendleft(events.MessageReceived(message, self._ports.clock_ms()))

    def _broadcast(self, message: Message) -> None:
        self._ports.links.broadcast(Item(consensus_message=encode_message(message)))

    def _verify_seals(self, effect: effects.VerifySeals) -> None:
        for commit in effect.commits:
            try:
                good = self._ports.verifier.check_seal(commit, effect.block)
            except InvalidMessage as error:
                self._hooks.on_rejected(commit.signed.author, error)
                continue
            self.post(events.MessageReceived(good, self._ports.clock_ms()))

    def _note_block(self, message: Message) -> None:
        block = getattr(message, "block", None)
        if isinstance(block, ProposedBlock):
            self._seen_blocks[block.digest] = block

    # -- building and committing ------------------------------------------------------------------

    def _try_to_build(self) -> None:
        request = self._block_request
        if request is None or not len(self._ports.pool):
            return
        tip = self._ports.committer.tip
        if request.height != tip.height + 1:
            self._block_request = None
            return
        now_ms = self._ports.clock_ms()
        due_ms = tip.block_time_ms + self._block_interval_ms
        if tip.height > 0 and now_ms < due_ms:
            delay_s = (due_ms - now_ms) / 1000
            asyncio.get_running_loop().call_later(delay_s, self._try_to_build)
            return
        self._block_request = None
        block = build_block(
            tip=tip,
            proposer=self._consenter_id,
            entries=tuple(e.raw for e in self._ports.pool.oldest(self._limits)),
            last_config=self._ports.committer.last_config,
            now_ms=now_ms,
        )
        self.post(events.BlockBuilt(request.height, request.round, block))

    async def _commit_fetched(self, fetched: FetchedBlock) -> None:
        """A block from catch-up; stale ones are simply late."""
        if fetched.block.number != self._ports.committer.tip.height + 1:
            return
        try:
            await self._ports.committer.check_certified(fetched.block)
        except InvalidMessage as error:
            self._hooks.on_rejected(fetched.source, error)
            return
        await self._commit(fetched.block)

    async def _commit(self, block: Block) -> None:
        tip = await self._ports.committer.commit(block)
        self._block_request = None
        self._seen_blocks.clear()
        await self._in_journal(self._ports.journal.restart, tip.height + 1)
        self._events.appendleft(events.BlockCommitted(tip))
        if len(self._ports.pool):
            self._events.insert(1, events.TransactionsWaiting())
