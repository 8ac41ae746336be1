"""The contracts of a peer: their processes, the lifecycle, and the endorser over both."""

import asyncio

from ledger.crypto.channel_policies import DEFAULT_APPLICATION_POLICY
from ledger.crypto.collections_text import parse_collections
from ledger.crypto.policy_text import parse_policy
from ledger.endorsement.child_process import ChaincodeProgram
from ledger.endorsement.definitions import FullDefinition, committed_definition
from ledger.endorsement.endorser import Endorser, EndorserPorts, InstalledChaincode
from ledger.endorsement.lifecycle import Lifecycle
from ledger.endorsement.limits import SimulationLimits
from ledger.endorsement.peer_session import Execution, RunningTransaction
from ledger.endorsement.process import ChaincodeProcess
from ledger.endorsement.proposal_checks import ProposalRules
from ledger.endorsement.runtime import ChaincodeRuntime
from ledger.endorsement.shim_handler import ChaincodeCall
from ledger.endorsement.simulator import LIFECYCLE_NAMESPACE
from ledger.model.policy_codec import encode_application_policy
from ledger.model.transaction import ProposalResponse, SignedProposal
from ledger.node.clock import now_ms
from ledger.node.config import ChaincodeSettings
from ledger.node.dial_in import DialIn
from ledger.node.foundation import Foundation
from ledger.node.private_parts import PrivateStreams
from ledger.node.transaction_lookup import LedgerLookup


class ChaincodeHost:
    """Starts and stops contracts and answers proposals."""

    def __init__(self, base: Foundation, private: PrivateStreams) -> None:
        self._private = private
        self.dial_in = DialIn(base.config.chaincode_streams)
        self._runtimes = {
            settings.name: self._runtime(settings, base.config.mspid)
            for settings in base.config.chaincodes
        }
        limits = SimulationLimits()
        lookup = LedgerLookup(base.store)

        def rules() -> ProposalRules:
            state = base.channel.state
            return ProposalRules(
                channel_id=base.config.channel_id,
                registry=state.registry,
                policies=state.policies,
                is_recorded=lookup.is_committed,
                limits=limits,
            )

        self._endorser = Endorser(
            identity=lambda: base.credentials.identity,
            lifecycle=Lifecycle(
                base.config.mspid, [definition_of(s) for s in base.config.chaincodes]
            ),
            chaincodes={
                settings.name: InstalledChaincode(settings.version, self._runtimes[settings.name])
                for settings in base.config.chaincodes
            },
            ports=EndorserPorts(
                rules=rules,
                verify=base.signatures.check_off_loop,
                snapshot=base.store.snapshot,
                definition=committed_definition,
                clock_ms=now_ms,
                on_signed=base.signatures.remember,
                keep_private=private.dissemination.keep,
            ),
            limits=limits,
        )

    async def start(self) -> None:
        """Start every contract's process; raises NodeFault naming one that does not start."""
        await asyncio.gather(*(runtime.start() for runtime in self._runtimes.values()))

    async def stop(self) -> None:
        """End every contract's process."""
        await asyncio.gather(*(runtime.stop() for runtime in self._runtimes.values()))

    async def process(self, proposal: SignedProposal) -> ProposalResponse:
        """Endorse a proposal; raises InvalidMessage for one that may not be simulated."""
        await self._private.reconciler.settled()
        return await self._endorser.process(proposal)

    def runs(self, chaincode: str) -> bool:
        """Whether this peer has the chaincode (the lifecycle itself is everywhere)."""
        return chaincode in self._runtimes or chaincode == LIFECYCLE_NAMESPACE

    def _runtime(self, settings: ChaincodeSettings, mspid: str) -> ChaincodeRuntime:
        """A process of ours, unless the operator lets the chaincode dial in."""
        chaincode_id = f"{settings.name}:{settings.version}"
        dialled = self.dial_in.runtime(chaincode_id, settings.name, self._call)
        return dialled or ChaincodeProcess(_program(settings, mspid), call=self._call)

    async def _call(self, transaction: RunningTransaction, call: ChaincodeCall) -> Execution:
        return await self._endorser.call(transaction, call)


def definition_of(settings: ChaincodeSettings) -> FullDefinition:
    """What this member's operator has approved by configuring the chaincode."""
    policy = DEFAULT_APPLICATION_POLICY
    if settings.policy:
        policy = encode_application_policy(parse_policy(settings.policy))
    return FullDefinition(
        name=settings.name,
        sequence=settings.sequence,
        version=settings.version,
        policy=policy,
        collections=parse_collections(settings.collections),
    )


def _program(settings: ChaincodeSettings, mspid: str) -> ChaincodeProgram:
    """How a contract is run; Fabric's shims read the peer's own MSP id from that variable."""
    return ChaincodeProgram(
        name=settings.name,
        version=settings.version,
        module=settings.module,
        environment={"CORE_PEER_LOCALMSPID": mspid},
    )
