"""The ordering half of a peer: pools, consensus, commit, catch-up, connected to each other."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from ledger.consensus.core import Core
from ledger.consensus.events import TransactionsWaiting, VotingPaused
from ledger.consensus.round_state import CoreSettings
from ledger.model.config import WRITERS_POLICY
from ledger.model.transaction import Envelope
from ledger.node.committing.announcements import Announcements
from ledger.node.committing.committer import Committer
from ledger.node.committing.transaction_lookup import LedgerLookup
from ledger.node.consensus.consensus_queue import ConsensusQueue, FetchedBlock, Stop
from ledger.node.consensus.driver import ConsensusDriver, DriverPorts
from ledger.node.consensus.evidence_log import EvidenceLog
from ledger.node.consensus.intents import IntentSigner
from ledger.node.consensus.message_judge import MessageJudge
from ledger.node.consensus.outbox import Outbox, OutboxHandlers
from ledger.node.consensus.vote_memory import MemorySource, VoteMemory, open_vote_memory
from ledger.node.following.catch_up import CatchUp
from ledger.node.following.observer_notice import ObserverNotice
from ledger.node.following.observers import Observers
from ledger.node.foundation import Foundation
from ledger.node.membership.channel_links import ChannelLinks, founding_addresses
from ledger.node.membership.channel_updates import ChannelUpdates, UpdatePorts
from ledger.node.membership.credentials import SignerInForce
from ledger.node.membership.readiness import Readiness
from ledger.node.membership.signatures import SignaturesAt
from ledger.node.membership.waiting_configs import WaitingConfigs
from ledger.node.ordering.admission import Admission, AdmissionRules
from ledger.node.ordering.block_proposer import BlockProposer
from ledger.node.ordering.submission import TransactionSubmission
from ledger.node.private_data.commit import PrivateCommit
from ledger.node.process.clock import now_ms, steady_ms
from ledger.node.process.disk_watch import DiskNotice, DiskWatch, space_of
from ledger.node.telemetry import Telemetry
from ledger.ordering.consensus_verifier import ConsensusVerifier
from ledger.rpc.misbehaviour import RejectionHandler
from ledger.rpc.validator_links import ValidatorLinks
from ledger.storage.journal import JOURNAL_FILE
from ledger.validation.config_transaction import check_config_transaction
from ledger.validation.context import ValidationContext
from ledger.wire.validator_pb2 import Status


@dataclass(frozen=True, slots=True)
class OrderingParts:
    """Everything between a submitted envelope and a committed block."""

    links: ValidatorLinks
    committer: Committer
    queue: ConsensusQueue
    disk: DiskWatch
    memory: VoteMemory
    ports: DriverPorts
    core: Core
    submission: TransactionSubmission
    updates: ChannelUpdates
    observers: Observers
    channel_links: ChannelLinks
    catch_up: CatchUp
    handlers: OutboxHandlers
    executor: Executor

    async def run_consensus(self) -> None:
        """Run the consensus thread until cancelled; raises NodeFault when it must stop."""
        loop = asyncio.get_running_loop()
        driver = ConsensusDriver(
            core=self.core,
            queue=self.queue,
            ports=self.ports,
            outbox=Outbox(loop, self.handlers, self.ports.fail_points),
        )
        started = self.memory.started(self.committer.tip)
        working = loop.run_in_executor(self.executor, driver.run, started)
        try:
            await asyncio.shield(working)
        except asyncio.CancelledError:
            self.queue.post(Stop())
            await working
            raise


def ordering_parts(
    base: Foundation,
    telemetry: Telemetry,
    announcements: Announcements,
    on_rejected: RejectionHandler,
) -> OrderingParts:
    """Connect the ordering half on top of the foundation."""
    config = base.config
    links = ValidatorLinks()
    committer = _committer(base)
    queue = ConsensusQueue()
    memory = _vote_memory(base)
    notice = ObserverNotice(config.data_dir, memory.journal, next_height=committer.tip.height + 1)

    def status() -> Status:
        return _status(committer, observes=notice.is_observing, disk_short=disk.is_voting_paused)

    observers = Observers(base.channel, status)
    catch_up = _catch_up(base, links, queue, status)
    announcements.subscribe(lambda _block: catch_up.on_committed())
    announcements.subscribe(telemetry.committed)
    announcements.subscribe(lambda _block: observers.tell_all())
    disk = _disk_watch(base, queue, on_changed=catch_up.tell_everyone)
    submission = _submission(base, links, queue, disk)
    return OrderingParts(
        links=links,
        committer=committer,
        queue=queue,
        disk=disk,
        memory=memory,
        ports=_driver_ports(base, committer, memory, notice),
        core=Core(CoreSettings(own_id=config.consenter_id)),
        submission=submission,
        updates=_updates(base, submission, _readiness(base, links, observers)),
        observers=observers,
        channel_links=_channel_links(base, links),
        catch_up=catch_up,
        handlers=OutboxHandlers(
            broadcast=links.broadcast,
            on_committed=announcements.publish,
            on_behind=catch_up.on_behind,
            tell_status=catch_up.tell_status,
            on_rejected=on_rejected,
            on_stuck=submission.send_oldest_again,
        ),
        executor=base.workers.consensus,
    )


def _channel_links(base: Foundation, links: ValidatorLinks) -> ChannelLinks:
    return ChannelLinks(
        own_id=base.config.consenter_id,
        channel=base.channel,
        credentials=base.credentials,
        links=links,
        addresses={one.consenter_id: one.address for one in base.config.validators},
        founding=founding_addresses(base.genesis),
    )


def _committer(base: Foundation) -> Committer:
    return Committer(
        store=base.store,
        channel=base.channel,
        context=lambda: _validation_context(base),
        memory=base.memory,
        private=PrivateCommit(base.config.mspid, base.transient),
    )


def _catch_up(
    base: Foundation, links: ValidatorLinks, queue: ConsensusQueue, status: Callable[[], Status]
) -> CatchUp:
    return CatchUp(
        reader=base.store,
        links=links,
        deliver=lambda block, source: queue.post(FetchedBlock(block, source)),
        status=status,
        on_claim=queue.claim,
    )


def _vote_memory(base: Foundation) -> VoteMemory:
    return open_vote_memory(
        MemorySource(
            path=base.config.data_dir / JOURNAL_FILE,
            own_id=base.config.consenter_id,
            genesis_hash=base.channel.state.domain.genesis_hash,
            store=base.store,
            kv=base.kv,
            fail_points=base.fail_points,
        )
    )


def _disk_watch(
    base: Foundation, queue: ConsensusQueue, on_changed: Callable[[], None]
) -> DiskWatch:
    """`on_changed` is called in the turn of the event loop after votes stopped or go on."""
    notice = DiskNotice(base.config.data_dir)
    loop = asyncio.get_running_loop()

    def changed(event: VotingPaused) -> None:
        queue.post(event)
        notice.tell(paused=event.paused)
        loop.call_soon(on_changed)

    return DiskWatch(
        lambda: space_of(base.config.data_dir),
        base.config.space,
        lambda paused: changed(VotingPaused(paused)),
    )


def _readiness(base: Foundation, links: ValidatorLinks, observers: Observers) -> Readiness:
    return Readiness(
        own_id=base.config.consenter_id,
        is_connected=links.is_connected,
        observer_height=observers.height_of,
        height=base.store.height,
    )


def _validation_context(base: Foundation) -> ValidationContext:
    state = base.channel.state
    return ValidationContext(
        channel_id=base.config.channel_id,
        signatures=base.signatures,
        policies=state.policies,
        definition=base.definitions.definition,
        is_recorded=LedgerLookup(base.store).is_committed,
        check_config=lambda envelope, signatures: check_config_transaction(
            envelope, state.in_force, signatures
        ),
    )


def _driver_ports(
    base: Foundation, committer: Committer, memory: VoteMemory, notice: ObserverNotice
) -> DriverPorts:
    config = base.config
    state = base.channel.state
    verifier = ConsensusVerifier(
        state.validators, state.domain, first_height=state.config_block + 1
    )
    base.channel.subscribe(
        lambda new: verifier.begin(new.config_block + 1, new.validators, new.domain)
    )
    signer = IntentSigner(
        consenter_id=config.consenter_id,
        signer=SignerInForce(base.credentials),
        guard=memory.guard,
        domain=lambda: base.channel.state.domain,
        random_bytes=secrets.token_bytes,
    )
    configs = WaitingConfigs(base.pool, lambda envelope: _check_config_now(base, envelope))
    base.channel.subscribe(lambda _: configs.forget_outdated())
    proposer = BlockProposer(
        consenter_id=config.consenter_id,
        pool=base.pool,
        limits=lambda: base.channel.state.block_limits,
        block_interval_ms=lambda: base.channel.state.config.block_interval_ms,
        config_holds=configs.holds,
    )
    return DriverPorts(
        journal=memory.journal,
        committer=committer,
        pool=base.pool,
        proposer=proposer,
        signer=signer,
        evidence=EvidenceLog(config.data_dir / "evidence.jsonl"),
        judge=MessageJudge(
            verifier,
            base.memory,
            limits=lambda: base.channel.state.block_limits,
            last_config=lambda: committer.last_config,
            check_config=lambda envelope, at_ms: _check_config(base, envelope, at_ms),
            next_height=lambda: committer.tip.height + 1,
        ),
        clock_ms=now_ms,
        steady_ms=steady_ms,
        fail_points=base.fail_points,
        observing=notice.tell,
    )


def _check_config_now(base: Foundation, envelope: Envelope) -> None:
    """Raise InvalidMessage unless a CONFIG envelope would take effect now."""
    _check_config(base, envelope, now_ms())


def _check_config(base: Foundation, envelope: Envelope, at_ms: int) -> None:
    """Raise InvalidMessage unless it would take effect in a block of that time."""
    state = base.channel.state
    check_config_transaction(
        envelope, state.in_force, SignaturesAt(base.signatures, state.registry, at_ms)
    )


def _submission(
    base: Foundation, links: ValidatorLinks, queue: ConsensusQueue, disk: DiskWatch
) -> TransactionSubmission:
    admission = Admission(
        rules=AdmissionRules(
            channel_id=base.config.channel_id,
            is_committed=LedgerLookup(base.store).is_committed,
            clock_ms=now_ms,
            require_writer=lambda creator: base.channel.state.policies.require_path(
                WRITERS_POLICY, [creator]
            ),
            check_config=lambda envelope: _check_config_now(base, envelope),
            limits=lambda: base.channel.state.block_limits,
            require_space=disk.require_space,
        ),
        pool=base.pool,
        memory=base.memory,
        signatures=base.signatures,
        executor=base.workers.signatures,
        on_added=lambda: queue.post(TransactionsWaiting()),
    )
    return TransactionSubmission(
        admission=admission,
        pool=base.pool,
        links=links,
        validators=lambda: len(base.channel.state.validators.ids),
        address=base.channel.address,
        is_validator=lambda: base.credentials.now.is_validator,
    )


def _updates(
    base: Foundation, submission: TransactionSubmission, readiness: Readiness
) -> ChannelUpdates:
    return ChannelUpdates(
        base.channel,
        base.signatures,
        UpdatePorts(
            identity=lambda: base.credentials.identity,
            clock_ms=now_ms,
            random_bytes=secrets.token_bytes,
            require_validator=submission.require_validator,
            check_readiness=readiness.check,
            executor=base.workers.signatures,
            submit=submission.submit,
        ),
    )


def _status(committer: Committer, *, observes: bool, disk_short: bool) -> Status:
    tip = committer.tip
    return Status(
        height=tip.height + 1,
        block_hash=tip.block_hash,
        commit_hash=tip.commit_hash,
        observes=observes,
        disk_short=disk_short,
    )
