"""Supervision of one chaincode: process after process, and the transactions in them.

A contract that loops, crashes or eats its memory loses its process. The shared page says which
transaction was running: that one fails; all others run again in the next process, unseen by
their clients. A process that dies while idle blames nobody.
"""

import asyncio
import logging

from ledger.endorsement.child_process import ChaincodeProgram
from ledger.endorsement.limits import ProcessLimits
from ledger.endorsement.peer_session import Execution, ExecutionFailed, Key, RunningTransaction
from ledger.endorsement.process_life import (
    STREAM_TERMINATED,
    Ending,
    ProcessLife,
    WaitingTransaction,
)
from ledger.endorsement.runtime import CallChaincode
from ledger.endorsement.shim_handler import ChaincodeCall
from ledger.endorsement.simulator import TransactionSimulator
from ledger.errors import InvalidMessage, NodeFault, Reason
from ledger.model.transaction import SignedProposal

log = logging.getLogger(__name__)

BACKOFF_DOUBLINGS_MAX = 10


class ChaincodeProcess:
    """One chaincode of this peer. Use from one event loop: `start`, `execute`…, `stop`."""

    def __init__(
        self,
        program: ChaincodeProgram,
        limits: ProcessLimits | None = None,
        call: CallChaincode | None = None,
    ) -> None:
        self._program = program
        self._limits = limits or ProcessLimits()
        self._call = call
        self._in_flight: dict[Key, WaitingTransaction] = {}
        self._places = asyncio.Semaphore(self._limits.in_flight_max)
        self._waiting = 0
        self._calls: set[asyncio.Task[None]] = set()
        self._life: ProcessLife | None = None
        self._first_start: asyncio.Future[bool] | None = None
        self._failures_in_a_row = 0
        self._supervision: asyncio.Task[None] | None = None
        self.restarts = 0
        """Processes started after the first."""

    @property
    def pid(self) -> int | None:
        """Of the present process."""
        return None if self._life is None else self._life.pid

    async def start(self) -> None:
        """Start the process and wait until it has registered; NodeFault if it does not."""
        self._first_start = asyncio.get_running_loop().create_future()
        self._supervision = asyncio.create_task(self._supervise(), name=self._program.name)
        timeout = self._limits.start_timeout_ms / 1000
        try:
            has_started = await asyncio.wait_for(asyncio.shield(self._first_start), timeout)
        except TimeoutError:
            has_started = False
        if not has_started:
            await self.stop()
            raise NodeFault(
                f"chaincode {self._program.chaincode_id} ({self._program.module}) did not start;"
                " its own lines above say why"
            )

    async def stop(self) -> None:
        """End the process; transactions in it fail."""
        if self._supervision is None:
            return
        tasks = (self._supervision, *self._calls)
        self._supervision = None
        for transaction in self._in_flight.values():
            transaction.fail(f"chaincode {self._program.name} is stopped")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def execute(
        self,
        proposal: SignedProposal,
        simulator: TransactionSimulator,
        args: tuple[bytes, ...] | None = None,
    ) -> Execution:
        """See `ledger.endorsement.runtime.ChaincodeRuntime.execute`."""
        if self._waiting >= self._limits.waiting_max:
            raise InvalidMessage(
                Reason.OVERLOADED, f"{self._waiting} transactions wait for {self._program.name}"
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
            raise ExecutionFailed(f"chaincode {self._program.name} is not running")
        loop = asyncio.get_running_loop()
        transaction = WaitingTransaction(
            loop.create_future(),
            loop.time(),
            namespace=self._program.name,
            proposal=proposal,
            args=proposal.args if args is None else args,
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
            del self._in_flight[key]
            if self._life is not None:
                self._life.forget(key)

    # -- one process after another ----------------------------------------------------------------

    async def _supervise(self) -> None:
        while True:
            ending = await self._one_life()
            self._failures_in_a_row += 1
            self._note_start(succeeded=False)
            self._settle(ending)
            await asyncio.sleep(self._backoff_ms(ending) / 1000)
            self.restarts += 1

    async def _one_life(self) -> Ending:
        try:
            self._life = ProcessLife(
                self._program,
                self._limits,
                in_flight=self._in_flight,
                on_ready=self._begin_all,
                on_call=self._on_call,
            )
            return await self._life.run()
        except OSError:
            log.exception("chaincode %s cannot be started", self._program.name)
            return Ending("", STREAM_TERMINATED, was_ready=False)
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
        """Fail the transaction that was running; prepare the others for the next process."""
        for key, transaction in self._in_flight.items():
            if key[1] == ending.blamed_tx_id:
                transaction.fail(ending.text)
            elif transaction.attempts >= self._limits.attempts_max or not ending.was_ready:
                transaction.fail(STREAM_TERMINATED)
            else:
                transaction.restart()

    def _backoff_ms(self, ending: Ending) -> int:
        """No wait after the first loss; then longer, until a transaction succeeds."""
        doublings = self._failures_in_a_row - (2 if ending.was_ready else 1)
        if doublings < 0:
            return 0
        wait_ms = self._limits.restart_backoff_ms << min(doublings, BACKOFF_DOUBLINGS_MAX)
        return min(wait_ms, self._limits.restart_backoff_max_ms)

    # -- chaincode to chaincode -------------------------------------------------------------------

    def _on_call(self, transaction: RunningTransaction, call: ChaincodeCall) -> None:
        task = asyncio.create_task(self._answer_call(transaction, call))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _answer_call(self, transaction: RunningTransaction, call: ChaincodeCall) -> None:
        outcome: Execution | str
        attempt = transaction.attempts
        if self._call is None or call.chaincode_name == self._program.name:
            outcome = f"chaincode {call.chaincode_name} cannot be called from here"
        else:
            try:
                outcome = await self._call(transaction, call)
            except (ExecutionFailed, InvalidMessage) as error:
                outcome = str(error)
        if self._life is not None and transaction.attempts == attempt:
            self._life.answer_call(transaction, outcome)
