"""The contracts of a peer: their processes, the system chaincodes, and the endorser over both."""

import asyncio

from ledger.endorsement.child_process import ChaincodeProgram
from ledger.endorsement.endorser import ContractRunner, Endorser, EndorserPorts
from ledger.endorsement.lifecycle import LIFECYCLE, LifecycleChaincode, approval_of
from ledger.endorsement.peer_session import Execution
from ledger.endorsement.process import ChaincodeProcess
from ledger.endorsement.simulator import TransactionSimulator
from ledger.model.config import WRITERS_POLICY
from ledger.model.transaction import ProposalResponse, SignedProposal
from ledger.node.clock import now_ms
from ledger.node.config import ChaincodeSettings
from ledger.node.foundation import Foundation
from ledger.node.transaction_lookup import LedgerLookup


class LifecycleRunner:
    """Runs `_lifecycle` inside the peer; it is our own code."""

    def __init__(self, chaincode: LifecycleChaincode) -> None:
        self._chaincode = chaincode

    async def execute(
        self, proposal: SignedProposal, simulator: TransactionSimulator
    ) -> Execution:
        """`ledger.endorsement.endorser.ContractRunner`."""
        return Execution(self._chaincode.invoke(proposal.args, simulator), None)


class ChaincodeHost:
    """Starts and stops contracts and answers proposals."""

    def __init__(self, base: Foundation) -> None:
        settings = base.config.chaincodes
        self._processes = {
            chaincode.name: ChaincodeProcess(
                ChaincodeProgram(
                    name=chaincode.name, version=chaincode.version, module=chaincode.module
                )
            )
            for chaincode in settings
        }
        runners: dict[str, ContractRunner] = dict(self._processes)
        runners[LIFECYCLE] = LifecycleRunner(_lifecycle(settings))
        self._base = base
        self._endorser = Endorser(
            EndorserPorts(
                channel_id=base.channel.channel_id,
                identity=base.identity,
                admit=self._admit,
                is_committed=LedgerLookup(base.store).is_committed,
                snapshot=base.store.snapshot,
                definition=base.definitions.definition,
                runners=runners,
                note_own_signature=base.signatures.remember,
                clock_ms=now_ms,
            )
        )

    async def start(self) -> None:
        """Start every contract's process; raises NodeFault naming one that does not start."""
        await asyncio.gather(*(process.start() for process in self._processes.values()))

    async def stop(self) -> None:
        """End every contract's process."""
        await asyncio.gather(*(process.stop() for process in self._processes.values()))

    async def process(self, proposal: SignedProposal) -> ProposalResponse:
        """Endorse a proposal; raises InvalidMessage for one that may not be simulated."""
        return await self._endorser.process(proposal)

    async def _admit(self, identity: bytes, message: bytes, signature: bytes) -> None:
        member = self._base.registry.identity(identity)
        member.check_validity(now_ms())
        self._base.policies.require_path(WRITERS_POLICY, [member])
        await self._base.signatures.check_off_loop(identity, message, signature)


def _lifecycle(settings: tuple[ChaincodeSettings, ...]) -> LifecycleChaincode:
    return LifecycleChaincode(
        {
            chaincode.name: approval_of(
                name=chaincode.name,
                version=chaincode.version,
                sequence=chaincode.sequence,
                policy_text=chaincode.policy,
            )
            for chaincode in settings
        }
    )
