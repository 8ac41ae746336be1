"""The one port between the endorser and whatever runs a chaincode.

Adapters: a supervised child process of this peer, a service the peer dials, a chaincode that
dialled in. All of them speak Fabric's shim protocol through `peer_session` beside this file.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from ledger.endorsement.runtimes.peer_session import Execution, RunningTransaction
from ledger.endorsement.runtimes.shim_handler import ChaincodeCall
from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.model.transaction import SignedProposal

CallChaincode = Callable[[RunningTransaction, ChaincodeCall], Awaitable[Execution]]
"""Runs a chaincode that a contract called, in the same simulation; raises ExecutionFailed."""


class ChaincodeRuntime(Protocol):
    """One chaincode of this peer. Use from one event loop: `start`, `execute`…, `stop`."""

    async def start(self) -> None:
        """Begin to run or to reach the chaincode.

        A process of ours must have registered when this returns (else NodeFault); a chaincode
        that others run may come later.
        """
        ...

    async def stop(self) -> None:
        """End it; transactions in it fail."""
        ...

    async def execute(
        self,
        proposal: SignedProposal,
        simulator: TransactionSimulator,
        args: tuple[bytes, ...] | None = None,
    ) -> Execution:
        """Run a proposal's function in a simulation; the answer names the one it ended in.

        With `args`, another chaincode of the same transaction calls: that is never repeated,
        because the caller's part of the simulation would be lost.

        Raises ExecutionFailed when this peer cannot, InvalidMessage OVERLOADED or REPLAYED when
        it will not.
        """
        ...
