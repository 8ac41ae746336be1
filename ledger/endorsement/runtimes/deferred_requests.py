"""Requests of contracts that are answered later: calls of other chaincodes, and rich queries."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ledger.endorsement.runtimes.peer_session import (
    ExecutionFailed,
    Key,
    Outcome,
    RunningTransaction,
)
from ledger.endorsement.runtimes.query_handler import LongRequest
from ledger.endorsement.runtimes.runtime import CallChaincode
from ledger.endorsement.runtimes.shim_handler import ChaincodeCall
from ledger.endorsement.simulation.simulator import SimulationRefused
from ledger.errors import InvalidMessage

THREADS_MAX = 2
"""Rich queries of one chaincode that run at the same time; others wait. A thread cannot be
stopped: it is free again when its query has ended, even if nobody waits for that any more."""

Answer = Callable[[RunningTransaction, Outcome], None]
"""Gives a contract what it waits for."""


class DeferredRequests:
    """At most one for each transaction of chaincode `name`."""

    def __init__(self, name: str, call: CallChaincode | None, answer: Answer) -> None:
        self._name = name
        self._call = call
        self._answer = answer
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix=f"queries of {name}")
        self._tasks: dict[Key, asyncio.Task[None]] = {}

    def begin_call(self, transaction: RunningTransaction, call: ChaincodeCall) -> None:
        """Run another chaincode, beside everything else."""
        self._begin(transaction, self._called(transaction, call))

    def begin_long(self, transaction: RunningTransaction, request: LongRequest) -> None:
        """Run what takes time in a thread of these requests' own."""
        self._begin(transaction, self._ran(request))

    def cancel(self, key: Key) -> None:
        """What a contract called must not write to a simulation that has ended."""
        if (task := self._tasks.pop(key, None)) is not None:
            task.cancel()

    async def close(self) -> None:
        """Cancel all, and wait until no thread reads the ledger any more."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    def _begin(self, transaction: RunningTransaction, work: Coroutine[Any, Any, Outcome]) -> None:
        self._tasks[transaction.key] = asyncio.create_task(self._run(transaction, work))

    async def _run(
        self, transaction: RunningTransaction, work: Coroutine[Any, Any, Outcome]
    ) -> None:
        try:
            outcome = await work
        except (ExecutionFailed, InvalidMessage, SimulationRefused) as error:
            outcome = str(error)
        finally:  # a fault is then nobody's, and the event loop reports it
            if self._tasks.get(transaction.key) is asyncio.current_task():
                del self._tasks[transaction.key]
        self._answer(transaction, outcome)

    async def _called(self, transaction: RunningTransaction, call: ChaincodeCall) -> Outcome:
        if self._call is None:
            return f"chaincode {call.chaincode_name} cannot be called from here"
        if call.chaincode_name == self._name:
            return f"chaincode {self._name} cannot call itself"
        return await self._call(transaction, call)

    async def _ran(self, request: LongRequest) -> Outcome:
        return await asyncio.get_running_loop().run_in_executor(self._threads, request.run)
