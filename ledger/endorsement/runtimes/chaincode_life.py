"""One life of a chaincode: a stream of messages from its first to its last, whatever carries it.

The supervisor (`ledger.endorsement.runtimes.supervision`) lives one after another and knows
nothing of processes, sockets or gRPC.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ledger.endorsement.runtimes.peer_session import (
    Execution,
    ExecutionFailed,
    Key,
    Outcome,
    PeerSession,
    RunningTransaction,
)
from ledger.endorsement.runtimes.query_handler import LongRequest
from ledger.endorsement.runtimes.shim_handler import ChaincodeCall

WATCH_INTERVAL_MS = 100
# Fabric's words; its clients' tests look for them.
STREAM_TERMINATED = "chaincode stream terminated"
TIMEOUT_EXPIRED = "timeout expired while executing transaction"


class WaitingTransaction(RunningTransaction):
    """A transaction whose caller awaits `future`."""

    __slots__ = ("begun_at", "future")

    def __init__(
        self, future: asyncio.Future[Execution], begun_at: float, **transaction: Any
    ) -> None:
        # Not a method of its own: the cycle would leave every simulation to the collector.
        super().__init__(on_done=partial(_settle, future), **transaction)
        self.future = future
        self.begun_at = begun_at

    def fail(self, text: str) -> None:
        """End it without a result."""
        tx_id = self.proposal.tx_id
        self.on_done(ExecutionFailed(f"failed to execute transaction {tx_id}: {text}"))


def _settle(future: asyncio.Future[Execution], outcome: Execution | ExecutionFailed) -> None:
    if future.done():
        return
    if isinstance(outcome, ExecutionFailed):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a life ended, and the text its transactions fail with."""

    text: str
    was_ready: bool
    blamed_tx_id: str | None = None
    """The one transaction that ran (empty: none did); None when nobody can tell which it was."""


@dataclass(frozen=True, slots=True)
class LifeParts:
    """What a life asks of its supervisor."""

    in_flight: Mapping[Key, WaitingTransaction]
    """Oldest first."""
    on_ready: Callable[[], None]
    on_call: Callable[[RunningTransaction, ChaincodeCall], None]
    on_long: Callable[[RunningTransaction, LongRequest], None]


class ChaincodeLife(ABC):
    """`run` once; meanwhile transactions begin and end in it."""

    def __init__(self, chaincode_id: str, parts: LifeParts) -> None:
        self._in_flight = parts.in_flight
        self._announce_ready = parts.on_ready
        self._session = PeerSession(
            chaincode_id,
            on_ready=self._on_ready,
            on_call=parts.on_call,
            on_long=parts.on_long,
        )

    @property
    def is_ready(self) -> bool:
        """Whether the chaincode has registered."""
        return self._session.is_ready

    @abstractmethod
    async def run(self) -> Ending:
        """Until it has ended; cancelling ends it."""

    @abstractmethod
    def _send(self, message: bytes) -> None:
        """Send a message to the chaincode, soon."""

    def begin(self, transaction: WaitingTransaction) -> None:
        """Send a transaction; before registration it waits for `on_ready`."""
        if self._session.is_ready and not self._session.is_running(transaction.key):
            self._send(self._session.begin(transaction))

    def forget(self, key: Key) -> None:
        """Nobody waits for this transaction any more."""
        self._session.forget(key)

    def answer(self, transaction: RunningTransaction, outcome: Outcome) -> None:
        """Give a contract the answer to a deferred request, if it is still there."""
        if self._session.is_running(transaction.key):
            self._send(self._session.call_answered(transaction, outcome))

    def _expire(self, now: float, age_ms: int, text: str) -> bool:
        """Fail transactions in flight for longer than `age_ms`; whether there was one."""
        oldest = now - age_ms / 1000
        expired = []
        for transaction in self._in_flight.values():
            if transaction.begun_at > oldest:
                break
            expired.append(transaction)
        for transaction in expired:
            transaction.fail(text)
        return bool(expired)

    def _on_ready(self) -> None:
        # After REGISTERED and READY, which leave in this turn of the event loop.
        asyncio.get_running_loop().call_soon(self._announce_ready)
