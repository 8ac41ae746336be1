"""From a signed envelope to the pools of a quorum of validators.

Everything submitted in the same turn of the event loop travels in one batch. `submit` returns
when a quorum (this validator included) holds the transaction, so it survives f lost validators.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import grpc

from ledger.consensus.quorum import quorum
from ledger.errors import InvalidMessage, Reason, known_reason
from ledger.model.transaction import Envelope
from ledger.node.ordering.admission import Admission
from ledger.ordering.pool import BlockLimits, TransactionPool
from ledger.rpc.coalescer import Coalescer, failure_of
from ledger.rpc.orderer_status import FOLLOWS_ONLY, orderer_refusal
from ledger.rpc.status import NO_QUORUM_OF_ORDERERS, GatewayError, PeerError
from ledger.rpc.validator_links import ValidatorLinks
from ledger.rpc.validator_service import Reply
from ledger.wire.validator_pb2 import (
    AckEntry,
    Item,
    TransactionBatch,
    TransactionBatchResult,
)

BATCH_BYTES_MAX = 4 * 1024 * 1024
QUORUM_WAIT_MS = 10_000
FORGOTTEN_AT_ONCE_MAX = 32
AGAIN = BlockLimits()
"""How much of what waits is sent again at once: a block of it."""


@dataclass(slots=True)
class _Submission:
    raw: bytes
    done: asyncio.Future[None]
    accepted: int = 1
    refusals: list[PeerError] = field(default_factory=list)
    asked: int = 1


@dataclass(frozen=True, slots=True)
class _Batch:
    sent_at: float
    submissions: list[_Submission]


_Entering = tuple[bytes, asyncio.Future[InvalidMessage | None]]


class TransactionSubmission:
    """This validator's half of the pool protocol: hands out its clients' transactions."""

    def __init__(
        self,
        *,
        admission: Admission,
        pool: TransactionPool,
        links: ValidatorLinks,
        validators: Callable[[], int],
        address: Callable[[int], tuple[str, str]],
        is_validator: Callable[[], bool] = lambda: True,
    ) -> None:
        """`validators` is their present number, `address` a consenter's (host:port, MSP id).

        `is_validator` says whether this node is one now.
        """
        self._admission = admission
        self._pool = pool
        self._links = links
        self._validators = validators
        self._address = address
        self._is_validator = is_validator
        self._batch_ids = itertools.count(1)
        # Entering is already coalesced, so what leaves needs no window of its own.
        self._outgoing: Coalescer[_Submission] = Coalescer(self._send_batch, window_ms=0)
        self._entering: Coalescer[_Entering] = Coalescer(self._start_admission)
        self._in_flight: dict[tuple[int, int], _Batch] = {}

    async def submit(self, envelope_raw: bytes) -> None:
        """Return once a quorum of validators holds the transaction.

        Raises InvalidMessage for what this validator refuses and GatewayError UNAVAILABLE with
        the others' answers when a quorum cannot be had.
        """
        self.require_validator()
        refusal = await self._enter_own_pool(envelope_raw)
        if refusal is not None:
            raise refusal
        submission = _Submission(envelope_raw, asyncio.get_running_loop().create_future())
        self._outgoing.add(submission)
        try:
            async with asyncio.timeout(QUORUM_WAIT_MS / 1000):
                await submission.done
        except TimeoutError:
            raise self._no_quorum(submission) from None

    def require_validator(self) -> None:
        """Raise GatewayError UNAVAILABLE where this node only follows."""
        if not self._is_validator():
            raise GatewayError(grpc.StatusCode.UNAVAILABLE, FOLLOWS_ONLY)

    async def _enter_own_pool(self, raw: bytes) -> InvalidMessage | None:
        future: asyncio.Future[InvalidMessage | None] = asyncio.get_running_loop().create_future()
        self._entering.add((raw, future))
        return await future

    def _start_admission(self, entering: list[_Entering]) -> None:
        task = asyncio.get_running_loop().create_task(
            self._admission.admit([raw for raw, _ in entering])
        )

        def finish(done: asyncio.Task[list[InvalidMessage | None]]) -> None:
            failure = failure_of(done)
            for index, (_, future) in enumerate(entering):
                if future.done():
                    continue
                if failure is not None:
                    future.set_exception(failure)
                else:
                    future.set_result(done.result()[index])

        task.add_done_callback(finish)

    def _send_batch(self, outgoing: list[_Submission]) -> None:
        self._forget_unanswered()
        for run in _runs([submission.raw for submission in outgoing]):
            self._send_chunk(outgoing[run])
        for submission in outgoing:
            self._settle(submission)

    def _send_chunk(self, chunk: list[_Submission]) -> None:
        batch_id = next(self._batch_ids)
        batch = TransactionBatch(batch_id=batch_id, envelopes=[s.raw for s in chunk])
        item = Item(transactions=batch)
        sent_at = asyncio.get_running_loop().time()
        for consenter_id in self._links.connected_ids:
            if self._links.send(consenter_id, item):
                self._in_flight[(consenter_id, batch_id)] = _Batch(sent_at, chunk)
                for submission in chunk:
                    submission.asked += 1

    def _forget_unanswered(self) -> None:
        """Drop batches whose submitters gave up long ago; the oldest come first."""
        given_up = asyncio.get_running_loop().time() - QUORUM_WAIT_MS / 1000
        for key, batch in list(itertools.islice(self._in_flight.items(), FORGOTTEN_AT_ONCE_MAX)):
            if batch.sent_at >= given_up:
                break
            del self._in_flight[key]

    def on_result(self, sender: int, result: TransactionBatchResult) -> None:
        """A validator's answer to one of our batches."""
        batch = self._in_flight.pop((sender, result.batch_id), None)
        if batch is None or len(batch.submissions) != len(result.entries):
            return
        for submission, entry in zip(batch.submissions, result.entries, strict=True):
            # "Already in the ledger" is success: it was ordered before we heard of it.
            if entry.accepted or entry.reason == Reason.REPLAYED:
                submission.accepted += 1
            else:
                text = orderer_refusal(
                    known_reason(entry.reason), f"{entry.reason}: {entry.detail}"
                )
                submission.refusals.append(PeerError(*self._address(sender), message=text))
            self._settle(submission)

    def on_disconnected(self, consenter_id: int) -> None:
        """Answers that will not come any more count as refusals."""
        for key in [key for key in self._in_flight if key[0] == consenter_id]:
            for submission in self._in_flight.pop(key).submissions:
                submission.refusals.append(
                    PeerError(*self._address(consenter_id), message="connection lost")
                )
                self._settle(submission)

    async def on_batch(self, batch: TransactionBatch, reply: Reply) -> None:
        """Another validator's clients' transactions: admit them and answer for each."""
        refusals = await self._admission.admit(list(batch.envelopes))
        result = TransactionBatchResult(batch_id=batch.batch_id)
        for refusal in refusals:
            if refusal is None:
                result.entries.append(AckEntry(accepted=True))
            else:
                result.entries.append(AckEntry(reason=refusal.reason, detail=refusal.detail))
        reply(Item(transactions_result=result))

    def send_pool_to(self, consenter_id: int) -> None:
        """Bring a validator that just connected up to date with what waits here."""
        for item in _unawaited(self._pool.all(), self._batch_ids):
            self._links.send(consenter_id, item)

    def send_oldest_again(self) -> None:
        """Nothing gets committed: perhaps the proposer never got what waits here."""
        if not self._is_validator():
            return
        for item in _unawaited(self._pool.oldest(AGAIN), self._batch_ids):
            self._links.broadcast(item)

    def _settle(self, submission: _Submission) -> None:
        if submission.done.done():
            return
        if submission.accepted >= quorum(self._validators()):
            submission.done.set_result(None)
            return
        outstanding = submission.asked - submission.accepted - len(submission.refusals)
        if submission.accepted + outstanding < quorum(self._validators()):
            submission.done.set_exception(self._no_quorum(submission))

    def _no_quorum(self, submission: _Submission) -> GatewayError:
        validators = self._validators()
        reached = 1 + len(self._links.connected_ids)
        return GatewayError(
            grpc.StatusCode.UNAVAILABLE,
            f"{NO_QUORUM_OF_ORDERERS}: {submission.accepted} of the {quorum(validators)} needed"
            f" hold it, {reached} of {validators} validators are in reach",
            submission.refusals,
        )


def _unawaited(envelopes: Sequence[Envelope], batch_ids: Iterator[int]) -> list[Item]:
    """Batches whose answers nobody waits for."""
    raws = [envelope.raw for envelope in envelopes]
    return [
        Item(transactions=TransactionBatch(batch_id=next(batch_ids), envelopes=raws[run]))
        for run in _runs(raws)
    ]


def _runs(raws: Sequence[bytes]) -> list[slice]:
    """Where to cut so that each batch has at most BATCH_BYTES_MAX, in order."""
    runs: list[slice] = []
    start = size = 0
    for index, raw in enumerate(raws):
        if index > start and size + len(raw) > BATCH_BYTES_MAX:
            runs.append(slice(start, index))
            start, size = index, 0
        size += len(raw)
    if raws:
        runs.append(slice(start, len(raws)))
    return runs
