"""One validator on a stage: the real driver, core, journal and ledger; the test is the world.

The driver runs in the test's own thread. `play` lets it work off what was queued and stop; what
it would send is in `outbox`, with what was on disk at that moment.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ledger.consensus.core import Core
from ledger.consensus.events import TransactionsWaiting
from ledger.consensus.messages import Message
from ledger.consensus.round_state import CoreSettings
from ledger.errors import InvalidMessage
from ledger.model.block import Block
from ledger.model.codec import decode_envelope
from ledger.node.committing.committer import CommittedBlock
from ledger.node.consensus.consensus_queue import ConsensusQueue, FetchedBlock, Stop, Work
from ledger.node.consensus.driver import ConsensusDriver, DriverPorts
from ledger.node.consensus.evidence_log import EvidenceLog
from ledger.node.consensus.intents import IntentSigner
from ledger.node.consensus.message_judge import MessageJudge
from ledger.node.consensus.vote_memory import MemorySource, VoteMemory, open_vote_memory
from ledger.node.membership.channel import CurrentChannel
from ledger.node.ordering.block_proposer import BlockProposer
from ledger.ordering.consensus_codec import encode_message
from ledger.ordering.consensus_verifier import ConsensusVerifier
from ledger.ordering.journal_codec import decode_record
from ledger.ordering.pool import BlockLimits, PoolLimits, TransactionPool
from ledger.storage.journal import Journal, begin_journal
from tests.support.validator_world import NOW_MS, ValidatorWorld


@dataclass
class Sent:
    """A message on its way out, and the journal a crash at that moment would leave."""

    message: Message
    records: list
    votes: list[bytes]


@dataclass
class Outbox:
    """Stands where the event loop is."""

    journal_path: Path
    sent: list[Sent] = field(default_factory=list)
    blocks: list[CommittedBlock] = field(default_factory=list)
    asked: list[tuple[int, int]] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    refused: list[tuple[int, InvalidMessage]] = field(default_factory=list)
    stuck_times: int = 0

    def broadcast(self, message: Message) -> None:
        copy = self.journal_path.with_name(f"crash-{len(self.sent)}")
        shutil.copy(self.journal_path, copy)
        after_crash = Journal(copy)
        self.sent.append(
            Sent(
                message,
                [decode_record(raw) for raw in after_crash.read_all()],
                after_crash.read_votes(),
            )
        )
        after_crash.close()

    def committed(self, block: CommittedBlock) -> None:
        self.blocks.append(block)

    def behind(self, height: int, source: int) -> None:
        self.asked.append((height, source))

    def tell_status(self, to: int) -> None:
        self.told.append(to)

    def rejected(self, author: int, error: InvalidMessage) -> None:
        self.refused.append((author, error))

    def stuck(self) -> None:
        self.stuck_times += 1

    def flush(self) -> None:
        """Everything is handed over at once here."""

    def messages(self, kind: type) -> list:
        return [sent.message for sent in self.sent if type(sent.message) is kind]


class ScriptedQueue(ConsensusQueue):
    """Stops the driver when nothing is left; time passes only where the test says so."""

    ticks = 0

    def take(self, timeout_ms: int | None) -> Work | None:
        if not self.is_empty():
            return super().take(timeout_ms)
        if self.ticks:
            self.ticks -= 1
            return None
        return Stop()


class ValidatorStage:
    """Validator `own` of four."""

    def __init__(self, folder: Path, own: int = 1, block_interval_ms: int = 0) -> None:
        self.world = ValidatorWorld()
        self.own = own
        self.folder = folder
        self.now_ms = NOW_MS
        self.steady_ms = 0
        state = self.world.channel.state
        config = replace(state.config, block_interval_ms=block_interval_ms)
        self.world.channel = CurrentChannel(replace(state, config=config), lambda _block: state)
        self.news: list[str] = []
        """What the operator heard."""
        self.memory: VoteMemory | None = None
        self.genesis_hash = self.world.domain.genesis_hash
        begin_journal(folder / "journal", genesis_hash=self.genesis_hash)
        self.start()

    def start(self) -> None:
        """As after a start or a crash: only the ledger and the journal file remain."""
        if self.memory is not None:
            self.memory.journal.close()
        world = self.world
        world.store = world.open()
        self.memory = open_vote_memory(
            MemorySource(
                path=self.folder / "journal",
                own_id=self.own,
                genesis_hash=self.genesis_hash,
                store=world.store,
                kv=world.kv,
            )
        )
        self.journal = self.memory.journal
        self.committer = world.committer = world.new_committer()
        self.pool = TransactionPool(PoolLimits())
        self.queue = ScriptedQueue()
        self.outbox = Outbox(self.folder / "journal")
        self.core = Core(CoreSettings(own_id=self.own))
        self.driver = ConsensusDriver(
            core=self.core, queue=self.queue, ports=self._ports(), outbox=self.outbox
        )
        self._is_started = False

    def _ports(self) -> DriverPorts:
        world = self.world
        return DriverPorts(
            journal=self.journal,
            committer=self.committer,
            pool=self.pool,
            proposer=BlockProposer(
                consenter_id=self.own,
                pool=self.pool,
                limits=BlockLimits,
                block_interval_ms=lambda: world.channel.state.config.block_interval_ms,
            ),
            signer=IntentSigner(
                consenter_id=self.own,
                signer=world.key(self.own),
                guard=self.memory.guard,
                domain=lambda: world.domain,
                random_bytes=bytes,
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
            steady_ms=lambda: self.steady_ms,
            observing=self.news.append,
        )

    # -- what the world does ----------------------------------------------------------------------

    def submit(self, *raws: bytes) -> None:
        for raw in raws:
            self.pool.add(decode_envelope(raw), is_committed=lambda _: False)
        self.queue.post(TransactionsWaiting())

    def receive(self, *messages: Message, sender: int = 2) -> None:
        for message in messages:
            assert self.queue.receive(sender, encode_message(message))

    def fetch(self, *blocks: Block, source: int = 3) -> None:
        for block in blocks:
            self.queue.post(FetchedBlock(block, source))

    def wait(self, duration_ms: int) -> None:
        self.now_ms += duration_ms
        self.steady_ms += duration_ms
        self.queue.ticks = 1
        self.play()

    def play(self) -> None:
        """Let the driver work until nothing is left to do."""
        if self._is_started:
            self.driver.work()
            return
        self._is_started = True
        self.driver.run(self.memory.started(self.committer.tip))

    def others(self) -> Sequence[int]:
        return [i for i in (1, 2, 3, 4) if i != self.own]
