"""The ordering half of a peer: pools, consensus, commit, catch-up, connected to each other."""

import secrets
from dataclasses import dataclass

from ledger.consensus.core import Core
from ledger.consensus.events import Started
from ledger.consensus.recovery import recover
from ledger.consensus.round_state import CoreSettings
from ledger.errors import InvalidMessage, Reason
from ledger.node.admission import Admission, AdmissionRules
from ledger.node.announcements import Announcements
from ledger.node.catch_up import CatchUp
from ledger.node.clock import now_ms
from ledger.node.committer import CommittedBlock, Committer
from ledger.node.driver import ConsensusDriver, DriverHooks, DriverPorts, FetchedBlock
from ledger.node.evidence_log import EvidenceLog
from ledger.node.foundation import Foundation
from ledger.node.inbox import ConsensusInbox, InboxPorts
from ledger.node.intents import IntentSigner
from ledger.node.submission import TransactionSubmission
from ledger.node.telemetry import Telemetry
from ledger.node.transaction_lookup import LedgerLookup
from ledger.ordering.consensus_verifier import ConsensusVerifier
from ledger.ordering.journal_codec import decode_record
from ledger.rpc.transport import validator_channel
from ledger.rpc.validator_links import ValidatorLink, ValidatorLinks
from ledger.storage.journal import Journal
from ledger.storage.sign_guard import SignGuard
from ledger.validation.context import ValidationContext
from ledger.wire.validator_pb2 import Status

OBSERVED_HEIGHTS = 3
"""Blocks a validator without memory of its votes follows before it votes (docs/consensus.md)."""


@dataclass(frozen=True, slots=True)
class OrderingParts:
    """Everything between a submitted envelope and a committed block."""

    links: ValidatorLinks
    committer: Committer
    driver: ConsensusDriver
    inbox: ConsensusInbox
    submission: TransactionSubmission
    catch_up: CatchUp
    journal: Journal
    hooks: DriverHooks

    async def run_consensus(self) -> None:
        """Recover what the journal owes and run until cancelled or a NodeFault."""
        tip = self.committer.tip
        # A new journal beside a grown ledger: earlier votes may be forgotten, so only follow at
        # first, until the others have decided every height such a vote could be for.
        lost_memory = self.journal.is_new and tip.height > 0
        self.journal.restart(tip.height + 1)
        recovered = recover([decode_record(raw) for raw in self.journal.read_all()])
        started = Started(
            tip=tip,
            recovered=recovered,
            vote_from_height=tip.height + 1 + OBSERVED_HEIGHTS if lost_memory else 0,
        )
        await self.driver.run(started, self.hooks)


def ordering_parts(
    base: Foundation, telemetry: Telemetry, announcements: Announcements
) -> OrderingParts:
    """Connect the ordering half on top of the foundation."""
    links = _links(base)
    verifier = ConsensusVerifier(base.validators, base.signing_domain)
    committer = Committer(
        store=base.store,
        context=_validation_context(base),
        validators=base.validators,
        memory=base.memory,
        executor=base.workers.commit,
        announce=announcements.publish,
    )
    journal = Journal(base.config.data_dir / "journal")
    driver = _driver(base, links, verifier, committer, journal)

    def rejected(author: int, error: InvalidMessage) -> None:
        telemetry.rejected(author, error)

    inbox = ConsensusInbox(
        InboxPorts(
            verifier=verifier,
            memory=base.memory,
            limits=base.block_limits,
            executor=base.workers.consensus,
            clock_ms=now_ms,
            seen_block=driver.seen_block,
            deliver=driver.post,
            on_rejected=rejected,
        )
    )
    submission = _submission(base, links, driver)
    catch_up = CatchUp(
        reader=base.store,
        links=links,
        deliver=lambda block, source: driver.post(FetchedBlock(block, source)),
        status=lambda: _status(committer),
    )

    def committed(block: CommittedBlock) -> None:
        base.pool.remove(transaction.tx_id for transaction in block.transactions)
        inbox.on_committed()
        catch_up.on_committed()
        telemetry.committed(block)

    announcements.subscribe(committed)
    hooks = DriverHooks(catch_up.on_behind, catch_up.tell_status, rejected)
    return OrderingParts(links, committer, driver, inbox, submission, catch_up, journal, hooks)


def _links(base: Foundation) -> ValidatorLinks:
    return ValidatorLinks(
        ValidatorLink(validator.consenter_id, validator_channel(validator.address, base.tls))
        for validator in base.config.validators
        if validator.consenter_id != base.config.consenter_id
    )


def _validation_context(base: Foundation) -> ValidationContext:
    def refuse_config(_envelope: object) -> None:
        raise InvalidMessage(
            Reason.ROLE_NOT_ALLOWED, "this channel's configuration is its genesis block's"
        )

    return ValidationContext(
        channel_id=base.channel.channel_id,
        signatures=base.signatures,
        policies=base.policies,
        definition=base.definitions.definition,
        is_recorded=LedgerLookup(base.store).is_committed,
        check_config=refuse_config,
    )


def _driver(
    base: Foundation,
    links: ValidatorLinks,
    verifier: ConsensusVerifier,
    committer: Committer,
    journal: Journal,
) -> ConsensusDriver:
    config = base.config
    signer = IntentSigner(
        consenter_id=config.consenter_id,
        signer=base.identity.signer,
        guard=SignGuard(journal),
        domain=base.signing_domain,
        random_bytes=secrets.token_bytes,
    )
    core = Core(
        CoreSettings(own_id=config.consenter_id, block_interval_ms=base.channel.block_interval_ms)
    )
    return ConsensusDriver(
        core=core,
        consenter_id=config.consenter_id,
        ports=DriverPorts(
            links=links,
            journal=journal,
            committer=committer,
            pool=base.pool,
            signer=signer,
            evidence=EvidenceLog(config.data_dir / "evidence.jsonl"),
            verifier=verifier,
            journal_executor=base.workers.journal,
            clock_ms=now_ms,
        ),
        limits=base.block_limits,
        block_interval_ms=base.channel.block_interval_ms,
    )


def _submission(
    base: Foundation, links: ValidatorLinks, driver: ConsensusDriver
) -> TransactionSubmission:
    admission = Admission(
        rules=AdmissionRules(
            channel_id=base.channel.channel_id,
            is_committed=LedgerLookup(base.store).is_committed,
            clock_ms=now_ms,
        ),
        pool=base.pool,
        memory=base.memory,
        signatures=base.signatures,
        executor=base.workers.signatures,
        on_added=driver.transactions_waiting,
    )
    return TransactionSubmission(
        admission=admission,
        pool=base.pool,
        links=links,
        validators=len(base.validators.ids),
        addresses={
            consenter.consenter_id: (f"{consenter.host}:{consenter.port}", consenter.mspid)
            for consenter in base.channel.consenters
        },
    )


def _status(committer: Committer) -> Status:
    tip = committer.tip
    return Status(height=tip.height + 1, block_hash=tip.block_hash, commit_hash=tip.commit_hash)
