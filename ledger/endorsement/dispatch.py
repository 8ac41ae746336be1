"""From a proposal to the chaincode it names: one of the peer's own, or a contract."""

from collections.abc import Mapping
from typing import Protocol

from ledger.endorsement.lifecycle.definitions import SYSTEM_VERSION
from ledger.endorsement.lifecycle.invocable import (
    Invocable,
    MemberChaincodes,
    note_initialisation,
    require_initialised,
)
from ledger.endorsement.runtimes.peer_session import Execution, ExecutionFailed, RunningTransaction
from ledger.endorsement.runtimes.runtime import ChaincodeRuntime
from ledger.endorsement.runtimes.shim_handler import ChaincodeCall
from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.endorsement.system.chaincodes import SystemChaincode
from ledger.model.transaction import SignedProposal


class Runtimes(Protocol):
    """What runs this peer's chaincodes."""

    async def running(self, chaincode: Invocable) -> ChaincodeRuntime:
        """The chaincode, started if it was not; raises ExecutionFailed."""
        ...


class ChaincodeDispatch:
    """For one channel."""

    def __init__(
        self,
        *,
        channel_id: str,
        system: Mapping[str, SystemChaincode],
        chaincodes: MemberChaincodes,
        runtimes: Runtimes,
    ) -> None:
        self._channel_id = channel_id
        self._system = system
        self._chaincodes = chaincodes
        self._runtimes = runtimes

    async def execute(
        self, proposal: SignedProposal, simulator: TransactionSimulator
    ) -> tuple[str, Execution]:
        """The version that ran, and what it did.

        Raises NotInvocable when this peer may not run the chaincode, ExecutionFailed when it
        could not, InvalidMessage OVERLOADED or REPLAYED when it will not.
        """
        name, snapshot = proposal.chaincode_name, simulator.snapshot
        if (system := self._system.get(name)) is not None:
            return SYSTEM_VERSION, await system.invoke(proposal, simulator)
        chaincode = self._chaincodes.invocable(name, snapshot)
        is_init = proposal.is_init
        require_initialised(chaincode, proposal, snapshot, is_init=is_init)
        runtime = await self._runtimes.running(chaincode)
        execution = await runtime.execute(proposal, simulator)
        note_initialisation(chaincode, execution.simulator, is_init=is_init)
        return chaincode.version, execution

    async def call(self, transaction: RunningTransaction, call: ChaincodeCall) -> Execution:
        """A contract calls another chaincode of the same channel; raises ExecutionFailed."""
        name, simulator = call.chaincode_name, transaction.simulator
        if call.channel not in ("", self._channel_id):
            raise ExecutionFailed(f"channel {call.channel!r} is not on this peer")
        if name in self._system:
            raise ExecutionFailed(f"system chaincode {name} cannot be called by a contract")
        chaincode = self._chaincodes.invocable(name, simulator.snapshot)
        require_initialised(chaincode, transaction.proposal, simulator.snapshot, is_init=False)
        runtime = await self._runtimes.running(chaincode)
        execution = await runtime.execute(transaction.proposal, simulator, call.args)
        note_initialisation(chaincode, execution.simulator, is_init=False)
        return execution
