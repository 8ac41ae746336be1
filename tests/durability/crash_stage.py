"""One validator of four, its process dying at a fail point: real driver, core, journal, ledger.

The other three are a script. They repeat whatever they said at the height under decision after
every restart, as validators do, and never contradict themselves.
"""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ledger.consensus.core import Core
from ledger.consensus.events import TransactionsWaiting
from ledger.consensus.messages import (
    Message,
    ProposalMessage,
    ProposedBlock,
    RoundChangeMessage,
)
from ledger.consensus.round_state import CoreSettings
from ledger.model.block import Block
from ledger.model.codec import decode_envelope
from ledger.node.committing.committer import CommittedBlock
from ledger.node.consensus.consensus_queue import ConsensusQueue, FetchedBlock
from ledger.node.consensus.driver import ConsensusDriver, DriverPorts
from ledger.node.consensus.evidence_log import EvidenceLog
from ledger.node.consensus.intents import IntentSigner
from ledger.node.consensus.message_judge import MessageJudge
from ledger.node.consensus.outbox import Outbox, OutboxHandlers
from ledger.node.consensus.vote_memory import MemorySource, open_vote_memory
from ledger.node.ordering.block_proposer import BlockProposer
from ledger.ordering.consensus_codec import decode_message, encode_message
from ledger.ordering.consensus_verifier import ConsensusVerifier
from ledger.ordering.pool import BlockLimits, PoolLimits, TransactionPool
from ledger.storage.fail_points import FailPoint, FailPoints
from ledger.storage.files import Files
from ledger.storage.journal import begin_journal
from ledger.storage.kv import KeyValueStore
from ledger.storage.ledger_store import LedgerStore
from ledger.wire.validator_pb2 import Item
from tests.durability.crashing_disk import CrashingDisk, Left
from tests.support.validator_world import NOW_MS, ValidatorWorld

OWN = 3
"""Proposes at height 2 and, in round 3, at height 3."""
OTHERS = (1, 2, 4)
JOURNAL = Path("/disk/journal")
ROTATION_BYTES = 1_500
"""So small that the journal rotates at every height."""


class Crashed(BaseException):
    """The process is gone; nothing under test may catch this."""


class CountedPoints(FailPoints):
    """Counts every point that is reached; dies at one occurrence of one of them."""

    def __init__(self) -> None:
        self.reached: list[FailPoint] = []
        self.die_at: tuple[FailPoint, int] | None = None

    def reach(self, point: FailPoint) -> None:
        self.reached.append(point)
        if self.die_at == (point, self.reached.count(point)):
            raise Crashed(point)


class InlineLoop:
    """The event loop, at once and in order."""

    def call_soon_threadsafe(self, callback: Callable[..., None], *arguments: object) -> None:
        callback(*arguments)

    call_soon = call_soon_threadsafe


class Disk(Files, Protocol):
    """Files and a database."""

    kv: KeyValueStore

    def open_ledger(self, genesis: Block, fail_points: FailPoints) -> LedgerStore: ...


class CrashStage:
    """What survives a crash is in `disk`; what others and clients heard is in the lists."""

    def __init__(
        self,
        folder: Path,
        transactions: Sequence[bytes],
        *,
        disk: Disk | None = None,
        journal: Path = JOURNAL,
        rotation_bytes: int = ROTATION_BYTES,
    ) -> None:
        self.world = ValidatorWorld()
        self.folder = folder
        self.transactions = transactions
        self.journal_path = journal
        self.rotation_bytes = rotation_bytes
        self.disk: Disk = CrashingDisk() if disk is None else disk
        self.points = CountedPoints()
        self.sent: list[Message] = []
        self.acknowledged: list[CommittedBlock] = []
        self.blocks: dict[tuple[int, bytes], ProposedBlock] = {}
        self.certified: dict[tuple[int, bytes], Block] = {}
        self.news: list[str] = []
        self.now_ms = NOW_MS
        begin_journal(journal, genesis_hash=self.world.domain.genesis_hash, files=self.disk)

    # -- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open everything and start the driver; raises Crashed."""
        world = self.world
        world.store = self.store = self.disk.open_ledger(world.consortium.genesis, self.points)
        world.kv = self.disk.kv
        memory = open_vote_memory(
            MemorySource(
                path=self.journal_path,
                own_id=OWN,
                genesis_hash=world.domain.genesis_hash,
                store=world.store,
                kv=world.kv,
                files=self.disk,
                fail_points=self.points,
                rotation_bytes=self.rotation_bytes,
            )
        )
        self.committer = world.committer = world.new_committer()
        self.pool = TransactionPool(PoolLimits())
        self.core = Core(CoreSettings(own_id=OWN))
        self.driver = ConsensusDriver(
            core=self.core,
            queue=ConsensusQueue(),
            ports=self._ports(memory.journal, memory.guard),
            outbox=Outbox(InlineLoop(), self._handlers(), self.points),
        )
        self.journal = memory.journal
        self._started = memory.started(self.committer.tip)
        self.driver.start(self._started)
        self._flush()

    def crash(self, left: Left, rng: random.Random) -> None:
        """Only the disk remains."""
        self.disk.crash(left, rng)

    def _ports(self, journal, guard) -> DriverPorts:
        world = self.world
        return DriverPorts(
            journal=journal,
            committer=self.committer,
            pool=self.pool,
            proposer=BlockProposer(
                consenter_id=OWN,
                pool=self.pool,
                limits=BlockLimits,
                block_interval_ms=lambda: 0,
            ),
            signer=IntentSigner(
                consenter_id=OWN,
                signer=world.key(OWN),
                guard=guard,
                domain=lambda: world.domain,
                random_bytes=random.randbytes,
            ),
            evidence=EvidenceLog(self.folder / "evidence.jsonl"),
            judge=MessageJudge(
                ConsensusVerifier(world.validators, world.domain),
                world.memory,
                limits=BlockLimits,
                last_config=lambda: self.committer.last_config,
                check_config=world.check_config,
            ),
            clock_ms=lambda: self.now_ms,
            steady_ms=lambda: self.now_ms,
            fail_points=self.points,
            observing=self.news.append,
        )

    def _handlers(self) -> OutboxHandlers:
        return OutboxHandlers(
            broadcast=self._on_sent,
            on_committed=self.acknowledged.append,
            on_behind=lambda _height, _source: None,
            tell_status=lambda _to: None,
            on_rejected=lambda _author, _error: None,
            on_stuck=lambda: None,
        )

    def _on_sent(self, item: Item) -> None:
        self.sent.append(decode_message(item.consensus_message))

    # -- the others -------------------------------------------------------------------------------

    @property
    def height(self) -> int:
        """The height under decision."""
        return self.committer.tip.height + 1

    def receive(self, *messages: Message) -> None:
        for message in messages:
            raw = encode_message(message)
            from_ = message.signed.author
            self.driver.step(self._raw(from_, raw))
        self._flush()

    def _raw(self, sender: int, raw: bytes):
        queue = ConsensusQueue()
        assert queue.receive(sender, raw)
        return queue.take(0)

    def submit(self, raw: bytes) -> None:
        envelope = decode_envelope(raw)
        if self.store.transaction_location(envelope.tx_id) is None:
            self.pool.add(envelope, is_committed=lambda _: False)
            self.driver.step(TransactionsWaiting())
            self._flush()

    def fetch(self, block: Block) -> None:
        self.driver.step(FetchedBlock(block, OTHERS[0]))
        self._flush()

    def wait(self, duration_ms: int) -> None:
        self.now_ms += duration_ms
        self.driver.step(None)
        self._flush()

    def proposed(self, proposer: int, *entries: bytes) -> ProposedBlock:
        """The block another validator proposes at this height, the same however often asked."""
        slot = (proposer, self.committer.tip.block_hash)
        if slot not in self.blocks:
            self.blocks[slot] = self.world.block(*entries, proposer=proposer)
        return self.blocks[slot]

    def own_proposal(self) -> ProposedBlock | None:
        """What this validator has ever sent as its proposal for the height under decision."""
        made = [
            message.block
            for message in self.sent
            if isinstance(message, ProposalMessage)
            and message.signed.payload.height == self.height
            and message.signed.author == OWN
        ]
        return made[0] if made else None

    def _flush(self) -> None:
        """The event loop gets what the driver has to say."""
        self.driver._outbox.flush()


# -- the script ---------------------------------------------------------------------------------


def decide_first(stage: CrashStage) -> None:
    """Height 1: another validator's block in round 0, and one of them contradicts itself."""
    world, (one, two, four) = stage.world, OTHERS
    block = stage.proposed(two, stage.transactions[0])
    stage.receive(world.proposal(block))
    stage.receive(world.prepare(one, block), world.prepare(one, stage.proposed(four)))
    stage.receive(world.prepare(two, block), world.prepare(four, block))
    stage.receive(*[world.commit_vote(i, block) for i in (one, two)])


def decide_second(stage: CrashStage) -> None:
    """Height 2: our own block."""
    world = stage.world
    stage.submit(stage.transactions[1])
    block = stage.own_proposal()
    assert block is not None, "it is our turn and something waits"
    stage.receive(*[world.prepare(i, block) for i in OTHERS])
    stage.receive(*[world.commit_vote(i, block) for i in OTHERS[:2]])


def decide_third(stage: CrashStage) -> None:
    """Height 3: locked in round 0, the round ends, the same block again in round 1."""
    world = stage.world
    block = stage.proposed(OTHERS[2], stage.transactions[2])
    if stage.core.state.now.round == 0:
        stage.receive(world.proposal(block))
        stage.receive(*[world.prepare(i, block) for i in OTHERS])
        stage.wait(2_500)
    changes = tuple(world.round_change(i, 1, locked=block) for i in OTHERS)
    stage.receive(*changes)
    prepares = tuple(world.prepare(i, block).signed for i in OTHERS)
    stage.receive(
        world.proposal(block, 1, round_changes=tuple(c.signed for c in changes), prepares=prepares)
    )
    stage.receive(*[world.prepare(i, block, 1) for i in OTHERS])
    stage.receive(*[world.commit_vote(i, block, 1) for i in OTHERS])


def decide_fourth(stage: CrashStage) -> None:
    """Height 4: we hear of it only by catch-up."""
    slot = (4, stage.committer.tip.block_hash)
    if slot not in stage.certified:
        block = stage.proposed(OTHERS[0], stage.transactions[3])
        stage.certified[slot] = stage.world.certified(block=block, signers=OTHERS)
    stage.fetch(stage.certified[slot])


SCRIPT = (decide_first, decide_second, decide_third, decide_fourth)


def play_to_the_end(stage: CrashStage) -> None:
    """Start and decide whatever of the four heights is not decided yet."""
    stage.start()
    while stage.height <= len(SCRIPT):
        before = stage.height
        SCRIPT[before - 1](stage)
        assert stage.height == before + 1, f"height {before} is not decided"


def require_sound(stage: CrashStage) -> None:
    """No equivocation, no vote below an announced round, nothing acknowledged lost."""
    said: dict[tuple[int, int, type], tuple[bytes, bytes]] = {}
    announced: dict[int, int] = {}
    for message in stage.sent:
        payload = message.signed.payload
        slot = (payload.height, payload.round, type(message))
        vote = (message.signed.payload_raw, message.signed.signature)
        assert said.setdefault(slot, vote) == vote, f"two different messages for {slot}"
        assert payload.round >= announced.get(payload.height, 0), f"{slot} goes back"
        if isinstance(message, RoundChangeMessage):
            announced[payload.height] = payload.round
    for committed in stage.acknowledged:
        stored = stage.store.block_raw(committed.block.number)
        assert stored is not None, f"acknowledged block {committed.block.number} is lost"
        for transaction in committed.transactions:
            location = stage.store.transaction_location(transaction.tx_id)
            assert location is not None, "an acknowledged transaction is lost"
            assert location.block_number == transaction.block_number
            assert location.code == transaction.code
