"""Chaincode to chaincode: what the contracts of one runtime have called and wait for."""

import asyncio
from collections.abc import Callable

from ledger.endorsement.peer_session import Execution, ExecutionFailed, Key, RunningTransaction
from ledger.endorsement.runtime import CallChaincode
from ledger.endorsement.shim_handler import ChaincodeCall
from ledger.errors import InvalidMessage

Answer = Callable[[RunningTransaction, Execution | str], None]
"""Gives a contract what the chaincode it called answered, or why it did not."""


class NestedCalls:
    """At most one for each transaction of chaincode `name`."""

    def __init__(self, name: str, call: CallChaincode | None, answer: Answer) -> None:
        self._name = name
        self._call = call
        self._answer = answer
        self._tasks: dict[Key, asyncio.Task[None]] = {}

    def begin(self, transaction: RunningTransaction, call: ChaincodeCall) -> None:
        """Run a call beside everything else and answer it later."""
        task = asyncio.create_task(self._run(transaction, call))
        self._tasks[transaction.key] = task

    def cancel(self, key: Key) -> None:
        """What a contract called must not write to a simulation that has ended."""
        if (task := self._tasks.pop(key, None)) is not None:
            task.cancel()

    async def close(self) -> None:
        """Cancel all."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, transaction: RunningTransaction, call: ChaincodeCall) -> None:
        outcome: Execution | str
        if self._call is None:
            outcome = f"chaincode {call.chaincode_name} cannot be called from here"
        elif call.chaincode_name == self._name:
            outcome = f"chaincode {self._name} cannot call itself"
        else:
            try:
                outcome = await self._call(transaction, call)
            except (ExecutionFailed, InvalidMessage) as error:
                outcome = str(error)
        del self._tasks[transaction.key]
        self._answer(transaction, outcome)
