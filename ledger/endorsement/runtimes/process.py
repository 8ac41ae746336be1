"""A chaincode in a process of this peer: started, watched and replaced when it dies.

A contract that loops, crashes or eats its memory loses its process. The shared page says which
transaction was running, and that one fails (`ledger.endorsement.runtimes.supervision`).
"""

import asyncio

from ledger.endorsement.limits import ProcessLimits
from ledger.endorsement.runtimes.chaincode_life import LifeParts
from ledger.endorsement.runtimes.child_process import ChaincodeProgram
from ledger.endorsement.runtimes.process_life import ProcessLife
from ledger.endorsement.runtimes.runtime import CallChaincode
from ledger.endorsement.runtimes.supervision import SupervisedRuntime
from ledger.errors import NodeFault


class ChaincodeProcess(SupervisedRuntime):
    """Runs a program of this machine."""

    def __init__(
        self,
        program: ChaincodeProgram,
        limits: ProcessLimits | None = None,
        call: CallChaincode | None = None,
    ) -> None:
        self._program = program
        self._process_limits = limits or ProcessLimits()
        super().__init__(program.name, self._new_process, self._process_limits, call)

    @property
    def pid(self) -> int | None:
        """Of the present process."""
        return self._life.pid if isinstance(self._life, ProcessLife) else None

    async def start(self) -> None:
        """Start the process and wait until it has registered; NodeFault if it does not."""
        await super().start()
        timeout = self._process_limits.start_timeout_ms / 1000
        try:
            has_started = await asyncio.wait_for(self.has_started(), timeout)
        except TimeoutError:
            has_started = False
        if not has_started:
            await self.stop()
            raise NodeFault(
                f"chaincode {self._program.chaincode_id} ({self._program.module}) did not start;"
                " its own lines above say why"
            )

    def _new_process(self, parts: LifeParts) -> ProcessLife:
        return ProcessLife(self._program, self._process_limits, parts)
