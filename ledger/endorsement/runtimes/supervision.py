"""Supervision of one chaincode: life after life, and the transactions in them.

Where it is known which transaction ended a life, that one fails and all others run again in the
next life, unseen by their clients; a life that ends idle blames nobody. Where it is not known,
all that had begun fail.
"""

import asyncio
import logging
from collections.abc import Callable

from ledger.endorsement.limits import RuntimeLimits
from ledger.endorsement.runtimes.chaincode_life import (
    STREAM_TERMINATED,
    ChaincodeLife,
    Ending,
    LifeParts,
    WaitingTransaction,
)
from ledger.endorsement.runtimes.deferred_requests import DeferredRequests
from ledger.endorsement.runtimes.peer_session import (
    Execution,
    ExecutionFailed,
    Key,
    Outcome,
    RunningTransaction,
)
from ledger.endorsement.runtimes.runtime import CallChaincode
from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.errors import InvalidMessage, Reason
from ledger.model.transaction import SignedProposal

log = logging.getLogger(__name__)

BACKOFF_DOUBLINGS_MAX = 10


class SupervisedRuntime:
    """A `runtime.ChaincodeRuntime` over lives that `new_life` makes."""

    def __init__(
        self,
        name: str,
        new_life: Callable[[LifeParts], ChaincodeLife],
        limits: RuntimeLimits,
        call: CallChaincode | None = None,
    ) -> None:
        """`new_life` may raise OSError; `name` is the chaincode's, its namespace."""
        self.name = name
        self._new_life = new_life
        self._limits = limits
        self._in_flight: dict[Key, WaitingTransaction] = {}
        self._places = asyncio.Semaphore(limits.in_flight_max)
        self._waiting = 0
        self._deferred = DeferredRequests(name, call, self._answer)
        self._life: ChaincodeLife | None = None
        self._failures_in_a_row = 0
        self._supervision: asyncio.Task[None] | None = None
        self._first_start: asyncio.Future[bool] | None = None
        self.restarts = 0
        """Lives begun after the first."""

    @property
    def is_ready(self) -> bool:
        """Whether the chaincode is registered now."""
        return self._life is not None and self._life.is_ready

    async def start(self) -> None:
        """See `ledger.endorsement.runtimes.runtime.ChaincodeRuntime.start`."""
        self._first_start = asyncio.get_running_loop().create_future()
        self._supervision = asyncio.create_task(self._supervise(), name=self.name)
        self._supervision.add_done_callback(self._on_supervision_ended)

    async def has_started(self) -> bool:
        """Wait until the chaincode registered in its first life, or that life has ended."""
        assert self._first_start is not None
        return await asyncio.shield(self._first_start)

    async def stop(self) -> None:
        """See `ledger.endorsement.runtimes.runtime.ChaincodeRuntime.stop`."""
        if self._supervision is None:
            return
        supervision, self._supervision = self._supervision, None
        for transaction in self._in_flight.values():
            transaction.fail(f"chaincode {self.name} is stopped")
        supervision.cancel()
        await asyncio.gather(supervision, self._deferred.close(), return_exceptions=True)

    async def execute(
        self,
        proposal: SignedProposal,
        simulator: TransactionSimulator,
        args: tuple[bytes, ...] | None = None,
    ) -> Execution:
        """See `ledger.endorsement.runtimes.runtime.ChaincodeRuntime.execute`."""
        if self._waiting >= self._limits.waiting_max:
            raise InvalidMessage(
                Reason.OVERLOADED, f"{self._waiting} transactions wait for {self.name}"
            )
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            return await self._run(proposal, simulator, args)
        finally:
            self._places.release()

    async def _run(
        self,
        proposal: SignedProposal,
        simulator: TransactionSimulator,
        args: tuple[bytes, ...] | None,
    ) -> Execution:
        if self._supervision is None:
            raise ExecutionFailed(f"chaincode {self.name} is not running")
        loop = asyncio.get_running_loop()
        transaction = WaitingTransaction(
            loop.create_future(),
            loop.time(),
            namespace=self.name,
            proposal=proposal,
            args=args,
            simulator=simulator,
        )
        if args is not None:
            transaction.attempts = self._limits.attempts_max
        key = transaction.key
        if key in self._in_flight:
            raise InvalidMessage(
                Reason.REPLAYED, f"transaction {key[1]} is being simulated already"
            )
        self._in_flight[key] = transaction
        try:
            if self._life is not None:
                self._life.begin(transaction)
            execution = await transaction.future
            self._failures_in_a_row = 0
            return execution
        finally:
            self._forget(key)

    def _forget(self, key: Key) -> None:
        del self._in_flight[key]
        if self._life is not None:
            self._life.forget(key)
        self._deferred.cancel(key)

    # -- one life after another -------------------------------------------------------------------

    async def _supervise(self) -> None:
        while True:
            ending = await self._one_life()
            self._failures_in_a_row += 1
            self._note_start(succeeded=False)
            self._settle(ending)
            wait_ms = _backoff_ms(self._limits, self._failures_in_a_row, ending)
            await asyncio.sleep(wait_ms / 1000)
            self.restarts += 1

    def _on_supervision_ended(self, supervision: asyncio.Task[None]) -> None:
        """A fault, such as a damaged database, is reported and leaves nobody waiting."""
        if supervision.cancelled():
            return
        self._supervision = None
        for transaction in self._in_flight.values():
            transaction.fail(STREAM_TERMINATED)
        error = supervision.exception()
        message = f"supervision of chaincode {self.name} has failed"
        supervision.get_loop().call_exception_handler({"message": message, "exception": error})

    async def _one_life(self) -> Ending:
        parts = LifeParts(
            self._in_flight,
            on_ready=self._begin_all,
            on_call=self._deferred.begin_call,
            on_long=self._deferred.begin_long,
        )
        try:
            self._life = self._new_life(parts)
            return await self._life.run()
        except OSError:
            log.exception("chaincode %s cannot be started", self.name)
            return Ending(STREAM_TERMINATED, was_ready=False)
        finally:
            self._life = None

    def _begin_all(self) -> None:
        self._note_start(succeeded=True)
        if self._life is not None:
            for transaction in self._in_flight.values():
                self._life.begin(transaction)

    def _note_start(self, *, succeeded: bool) -> None:
        if self._first_start is not None and not self._first_start.done():
            self._first_start.set_result(succeeded)

    def _settle(self, ending: Ending) -> None:
        """Fail what the ending fails; prepare the others for the next life."""
        for key, transaction in self._in_flight.items():
            if ending.blamed_tx_id in (None, key[1]) or not ending.was_ready:
                transaction.fail(ending.text)
            elif transaction.attempts >= self._limits.attempts_max:
                transaction.fail(STREAM_TERMINATED)
            else:
                self._deferred.cancel(key)
                transaction.restart()

    def _answer(self, transaction: RunningTransaction, outcome: Outcome) -> None:
        if self._life is not None:
            self._life.answer(transaction, outcome)


def _backoff_ms(limits: RuntimeLimits, failures_in_a_row: int, ending: Ending) -> int:
    """No wait after the first loss; then longer, until a transaction succeeds."""
    doublings = failures_in_a_row - (2 if ending.was_ready else 1)
    if doublings < 0:
        return 0
    wait_ms = limits.restart_backoff_ms << min(doublings, BACKOFF_DOUBLINGS_MAX)
    return min(wait_ms, limits.restart_backoff_max_ms)
