"""Which envelopes this validator lets into its pool, judged in batches off the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from ledger.crypto.hashing import transaction_id
from ledger.crypto.msp import Identity
from ledger.errors import InvalidMessage, Reason, TransactionInvalid
from ledger.model.codec import require_well_formed_entry
from ledger.model.codes import HeaderType
from ledger.model.transaction import Envelope
from ledger.node.membership.signatures import SignatureVerifier
from ledger.ordering.envelopes import EnvelopeMemory
from ledger.ordering.pool import BlockLimits, TransactionPool
from ledger.validation.signatures import signatures_to_check

Verdict = Envelope | InvalidMessage


@dataclass(frozen=True, slots=True)
class AdmissionRules:
    """What an envelope must satisfy beside its signature."""

    channel_id: str
    is_committed: Callable[[str], bool]
    """Whether a transaction id is already in the ledger."""
    clock_ms: Callable[[], int]
    require_writer: Callable[[Identity], None]
    """Raises InvalidMessage unless the channel's Writers policy lets this member transact."""
    check_config: Callable[[Envelope], None]
    """Raises InvalidMessage for a CONFIG transaction that would not take effect now."""
    limits: Callable[[], BlockLimits]
    """Of the configuration in force."""
    require_space: Callable[[], None] = lambda: None
    """Raises InvalidMessage while this peer's disk is nearly full."""


class Admission:
    """Decodes, checks the creator, and warms up the signatures that validation will ask for."""

    def __init__(
        self,
        *,
        rules: AdmissionRules,
        pool: TransactionPool,
        memory: EnvelopeMemory,
        signatures: SignatureVerifier,
        executor: Executor,
        on_added: Callable[[], None],
    ) -> None:
        self._rules = rules
        self._pool = pool
        self._memory = memory
        self._signatures = signatures
        self._executor = executor
        self._on_added = on_added

    async def admit(self, raws: Sequence[bytes]) -> list[InvalidMessage | None]:
        """Put each good envelope into the pool; the answer names what is wrong with the others."""
        loop = asyncio.get_running_loop()
        verdicts = await loop.run_in_executor(self._executor, self._judge_all, raws)
        refusals = [self._add(verdict) for verdict in verdicts]
        if None in refusals:
            self._on_added()
        return refusals

    def _add(self, verdict: Verdict) -> InvalidMessage | None:
        if isinstance(verdict, InvalidMessage):
            return verdict
        try:
            self._pool.add(verdict, is_committed=self._rules.is_committed)
        except InvalidMessage as error:
            return error
        return None

    def _judge_all(self, raws: Sequence[bytes]) -> list[Verdict]:
        return [self._judge(raw) for raw in raws]

    def _judge(self, raw: bytes) -> Verdict:
        try:
            # What other validators would refuse a whole block for must not wait for one.
            self._rules.require_space()
            self._pool.check_size(raw)
            require_well_formed_entry(raw)
        except InvalidMessage as error:
            return error
        decoded = self._memory.decode(raw)
        if isinstance(decoded, TransactionInvalid):
            return InvalidMessage(Reason.MALFORMED, str(decoded))
        waiting = self._pool.get(decoded.tx_id)
        if waiting is not None and waiting.raw == raw:
            return decoded  # judged before; others send again what they see waiting for long
        try:
            self._check(decoded)
        except InvalidMessage as error:
            return error
        for identity, message, signature in signatures_to_check(decoded):
            # A bad endorsement is recorded by validation with its code, not refused here.
            self._signatures.verify(identity, message, signature)
        return decoded

    def _check(self, envelope: Envelope) -> None:
        channel = envelope.header.channel
        if channel.channel_id != self._rules.channel_id:
            raise InvalidMessage(Reason.WRONG_CHANNEL, f"no channel {channel.channel_id!r} here")
        if channel.type not in (HeaderType.ENDORSER_TRANSACTION, HeaderType.CONFIG):
            raise InvalidMessage(
                Reason.MALFORMED, f"envelopes of type {channel.type} are not ordered"
            )
        bytes_max = self._rules.limits().absolute_bytes_max
        if len(envelope.raw) > bytes_max:
            raise InvalidMessage(
                Reason.OVERSIZED, f"a transaction takes at most {bytes_max} bytes on this channel"
            )
        if transaction_id(envelope.header.nonce, envelope.header.creator) != channel.tx_id:
            raise InvalidMessage(
                Reason.BAD_TRANSACTION_ID, "the transaction id is not of this nonce and creator"
            )
        creator = self._signatures.registry.identity(envelope.header.creator)
        creator.check_validity(self._rules.clock_ms())
        if not envelope.is_config:
            self._rules.require_writer(creator)
        self._signatures.check(envelope.header.creator, envelope.payload_raw, envelope.signature)
        if envelope.is_config:
            self._rules.check_config(envelope)
