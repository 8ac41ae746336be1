"""Validation of a block: one code per transaction, and the changes of the valid ones.

Pure and deterministic: every peer that starts from the same state gives the same codes. Stages
are Fabric's: each transaction by itself (envelope to endorsement policies), then duplicate ids
within the block, then read versions in block order.
"""

from collections.abc import Callable, Sequence

from ledger.errors import TransactionInvalid
from ledger.model.codes import ValidationCode
from ledger.model.rwset import ReadWriteSet
from ledger.model.state import StateReader, StateUpdates
from ledger.model.transaction import Envelope
from ledger.validation import envelope_checks
from ledger.validation.context import BlockValidation, ValidationContext
from ledger.validation.endorsement_policies import EndorsementPolicies
from ledger.validation.mvcc import check_reads
from ledger.validation.signatures import signatures_to_check
from ledger.validation.transaction_index import recorded_transactions
from ledger.validation.updates import BlockUpdates

Entry = Envelope | TransactionInvalid
"""A decoded envelope, or why it could not be decoded."""


def validate_block(
    block_number: int,
    envelopes: Sequence[Entry],
    state: StateReader,
    context: ValidationContext,
) -> BlockValidation:
    """Judge every entry of a block against the state before it.

    Never raises for what a transaction contains; NodeFault from `state` passes through.
    """
    run = _BlockRun(block_number, envelopes, state, context)
    for index in range(len(envelopes)):
        run.attempt(index, run.check_alone)
    run.refuse_repeated_ids()
    for index in range(len(envelopes)):
        run.attempt(index, run.check_against_state)
    return run.finish()


def updates_of(
    block_number: int,
    envelopes: Sequence[Entry],
    codes: Sequence[ValidationCode],
    state: StateReader,
) -> StateUpdates:
    """Changes of a block whose codes are known already, to recompute state from blocks."""
    updates = BlockUpdates(state, block_number)
    for index, (entry, code) in enumerate(zip(envelopes, codes, strict=True)):
        if code == ValidationCode.VALID and isinstance(entry, Envelope) and entry.transaction:
            updates.apply(index, entry.transaction.action.results)
    return updates.finish()


class _BlockRun:
    """Codes and changes while a block is being judged."""

    def __init__(
        self,
        block_number: int,
        entries: Sequence[Entry],
        state: StateReader,
        context: ValidationContext,
    ) -> None:
        self._entries = entries
        self._state = state
        self._context = context
        self._policies = EndorsementPolicies(state, context)
        self._updates = BlockUpdates(state, block_number)
        # NOT_VALIDATED means: nothing against it so far.
        self._codes = [ValidationCode.NOT_VALIDATED] * len(entries)
        self._details = [""] * len(entries)
        self._tx_ids = [""] * len(entries)
        self._results: list[ReadWriteSet | None] = [None] * len(entries)
        self._is_config = False

    def attempt(self, index: int, check: Callable[[int, Envelope], None]) -> None:
        """Run one stage for one entry unless it has failed already; record why it fails."""
        if self._codes[index] != ValidationCode.NOT_VALIDATED:
            return
        entry = self._entries[index]
        try:
            if isinstance(entry, TransactionInvalid):
                raise entry
            check(index, entry)
        except TransactionInvalid as error:
            self._codes[index] = error.code
            self._details[index] = error.detail

    def check_alone(self, index: int, envelope: Envelope) -> None:
        """Everything that does not depend on other transactions' reads and writes."""
        context = self._context
        envelope_checks.check_header(envelope)
        envelope_checks.check_creator(envelope, context)
        envelope_checks.check_transaction_id(envelope)
        self._tx_ids[index] = envelope.tx_id
        if envelope.is_config:
            envelope_checks.check_channel(envelope, context)
            envelope_checks.check_new(envelope, context)
            envelope_checks.check_config(envelope, context, len(self._entries))
            self._is_config = True
            return
        transaction = envelope_checks.endorser_transaction(envelope)
        envelope_checks.check_channel(envelope, context)
        envelope_checks.check_new(envelope, context)
        envelope_checks.check_chaincode(envelope, transaction)
        results = transaction.action.results
        envelope_checks.check_write_set(transaction.chaincode_name, results.namespaces)
        self._policies.check(transaction, signatures_to_check(envelope)[1:])
        self._results[index] = results

    def refuse_repeated_ids(self) -> None:
        """Of the transactions with one id that passed so far, only the first may be valid."""
        seen: set[str] = set()
        for index, tx_id in enumerate(self._tx_ids):
            if self._codes[index] != ValidationCode.NOT_VALIDATED or not tx_id:
                continue
            if tx_id in seen:
                self._codes[index] = ValidationCode.DUPLICATE_TXID
                self._details[index] = "the transaction is earlier in this block"
            seen.add(tx_id)

    def check_against_state(self, index: int, envelope: Envelope) -> None:
        """Read versions and ranges; a transaction that passes is applied and is valid."""
        results = self._results[index]
        if results is not None:
            check_reads(results, self._state, self._updates)
            self._updates.apply(index, results)
        self._codes[index] = ValidationCode.VALID

    def finish(self) -> BlockValidation:
        """The verdict."""
        assert ValidationCode.NOT_VALIDATED not in self._codes, "every entry has been judged"
        return BlockValidation(
            codes=tuple(self._codes),
            updates=self._updates.finish(),
            tx_ids=tuple(self._tx_ids),
            details=tuple(self._details),
            recorded=recorded_transactions(self._entries, self._codes, self._context.is_recorded),
            is_config=self._is_config,
        )
