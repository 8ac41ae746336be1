"""The `_lifecycle` system chaincode: members agree on a chaincode before it may change state.

Packages are installed on a peer; each member approves a definition in its implicit collection,
where the others see hashes; a commit is endorsed by the peers of members that approved exactly
the definition it commits, and the channel's LifecycleEndorsement policy counts them. Functions,
messages, rules and texts are Fabric's.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from ledger.endorsement.lifecycle.agreement import DefinitionFunctions
from ledger.endorsement.lifecycle.dry_run import DRY_RUN, DryRuns
from ledger.endorsement.lifecycle.installs import PackageInstalls
from ledger.endorsement.lifecycle.rules import LifecycleRefused
from ledger.endorsement.runtimes.peer_session import Execution
from ledger.endorsement.simulation.simulator import (
    LIFECYCLE_NAMESPACE,
    SimulationRefused,
    TransactionSimulator,
)
from ledger.endorsement.system.access import AccessDenied, SystemAccess
from ledger.endorsement.system.chaincodes import failure, function_name, success
from ledger.model.state import StateSnapshot
from ledger.model.transaction import ChaincodeResponse, SignedProposal

ARGUMENTS = 2
"""The function's name and one encoded message of package `lifecycle`."""

OfSimulation = Callable[[bytes, TransactionSimulator], bytes]
OfPeer = Callable[[bytes, StateSnapshot], bytes]
Waiting = Callable[[bytes], Awaitable[bytes]]
OfProposal = Callable[[bytes, SignedProposal, TransactionSimulator], Awaitable[bytes]]
"""Functions take an encoded argument message and give an encoded result message."""


@dataclass(frozen=True, slots=True)
class _Functions:
    """By kind of what they need."""

    of_simulation: Mapping[str, OfSimulation]
    of_peer: Mapping[str, OfPeer]
    waiting: Mapping[str, Waiting]
    of_proposal: Mapping[str, OfProposal]


class Lifecycle:
    """Runs lifecycle functions on one peer."""

    def __init__(
        self,
        definitions: DefinitionFunctions,
        installs: PackageInstalls,
        dry_runs: DryRuns,
        access: SystemAccess,
    ) -> None:
        self._access = access
        self._functions = _Functions(
            of_simulation={
                "ApproveChaincodeDefinitionForMyOrg": definitions.approve,
                "QueryApprovedChaincodeDefinition": definitions.query_approved,
                "QueryApprovedChaincodeDefinitions": definitions.query_all_approved,
                "CheckCommitReadiness": definitions.check_readiness,
                "CommitChaincodeDefinition": definitions.commit,
                "QueryChaincodeDefinition": definitions.query,
                "QueryChaincodeDefinitions": definitions.query_all,
            },
            of_peer={
                "QueryInstalledChaincode": installs.query,
                "QueryInstalledChaincodes": installs.query_all,
            },
            waiting={
                "InstallChaincode": installs.install,
                "GetInstalledChaincodePackage": installs.package,
            },
            of_proposal={DRY_RUN: dry_runs.run},
        )

    async def invoke(self, proposal: SignedProposal, simulator: TransactionSimulator) -> Execution:
        """See SystemChaincode."""
        return Execution(await self._respond(proposal, simulator), None, simulator)

    async def _respond(
        self, proposal: SignedProposal, simulator: TransactionSimulator
    ) -> ChaincodeResponse:
        args, name = proposal.args, function_name(proposal)
        if not args:
            return failure("lifecycle scc must be invoked with arguments")
        if len(args) != ARGUMENTS:
            return failure(
                f"lifecycle scc operations require exactly two arguments but received {len(args)}"
            )
        try:
            self._access.require(f"{LIFECYCLE_NAMESPACE}/{name}", proposal.header.creator)
        except AccessDenied as error:
            return failure(f"Failed to authorize invocation due to failed ACL check: {error}")
        try:
            return success(await self._run(name, proposal, simulator))
        except LifecycleRefused as refusal:
            if refusal.is_not_found:
                return failure(str(refusal), refusal.status)
            reason = str(refusal)
        except SimulationRefused as refusal:
            reason = str(refusal)
        except DecodeError:
            reason = f"could not decode input arg for {name}"
        return failure(f"failed to invoke backing implementation of '{name}': {reason}")

    async def _run(
        self, name: str, proposal: SignedProposal, simulator: TransactionSimulator
    ) -> bytes:
        functions, raw = self._functions, proposal.args[1]
        if (of_proposal := functions.of_proposal.get(name)) is not None:
            return await of_proposal(raw, proposal, simulator)
        if (waiting := functions.waiting.get(name)) is not None:
            return await waiting(raw)
        if (of_peer := functions.of_peer.get(name)) is not None:
            return of_peer(raw, simulator.snapshot)
        return functions.of_simulation[name](raw, simulator)
