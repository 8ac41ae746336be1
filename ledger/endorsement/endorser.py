"""The endorser: checks a proposal, simulates it, signs what came out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from ledger.crypto.hashing import endorsement_message, proposal_hash
from ledger.crypto.signing import SigningIdentity
from ledger.endorsement.collection_access import access_of
from ledger.endorsement.interest import simulation_interest
from ledger.endorsement.lifecycle import Lifecycle
from ledger.endorsement.limits import SimulationLimits
from ledger.endorsement.peer_session import Execution, ExecutionFailed, RunningTransaction
from ledger.endorsement.proposal_checks import ProposalRules, check_proposal
from ledger.endorsement.proposal_rate import ProposalRate, ProposalRateLimit
from ledger.endorsement.runtime import ChaincodeRuntime
from ledger.endorsement.shim_handler import ChaincodeCall
from ledger.endorsement.simulator import LIFECYCLE_NAMESPACE, TransactionSimulator
from ledger.model.codec_action import encode_proposal_response_payload
from ledger.model.codec_proposal import strip_transient
from ledger.model.private_rwset import PrivateReadWriteSet
from ledger.model.state import StateSnapshot
from ledger.model.transaction import (
    ChaincodeAction,
    ChaincodeResponse,
    Endorsement,
    ProposalResponse,
    SignedProposal,
)
from ledger.validation.context import ChaincodeDefinition

STATUS_REFUSED = 400
STATUS_ERROR = 500


@dataclass(frozen=True, slots=True)
class InstalledChaincode:
    """A chaincode this peer can run, and the version of its code."""

    version: str
    runner: ChaincodeRuntime


KeepPrivate = Callable[[str, PrivateReadWriteSet], Awaitable[None]]
"""(transaction id, its private writes) to where they wait for the block."""


async def keep_nothing(_tx_id: str, _private: PrivateReadWriteSet) -> None:
    """For peers without private data; nobody gets the values."""
    raise ExecutionFailed("this peer keeps no private data")


@dataclass(frozen=True, slots=True)
class EndorserPorts:
    """What the endorser asks of its surroundings; each is asked anew for every proposal."""

    rules: Callable[[], ProposalRules]
    verify: Callable[[bytes, bytes, bytes], Awaitable[None]]
    """(identity, message, signature); raises InvalidMessage."""
    snapshot: Callable[[], StateSnapshot]
    definition: Callable[[str, StateSnapshot], ChaincodeDefinition | None]
    clock_ms: Callable[[], int]
    on_signed: Callable[[bytes, bytes, bytes], None]
    """(identity, message, signature) of each endorsement made here; validation meets it again."""
    keep_private: KeepPrivate = keep_nothing
    """Before the endorsement leaves; raises ExecutionFailed when the values are not safe."""


class Endorser:
    """Endorses for one channel with one identity. `chaincodes` may gain entries later."""

    def __init__(
        self,
        *,
        identity: Callable[[], SigningIdentity],
        lifecycle: Lifecycle,
        chaincodes: Mapping[str, InstalledChaincode],
        ports: EndorserPorts,
        limits: SimulationLimits,
        rate: ProposalRateLimit | None = None,
    ) -> None:
        self._identity = identity
        self._lifecycle = lifecycle
        self._chaincodes = chaincodes
        self._ports = ports
        self._limits = limits
        self._rate = ProposalRate(rate)
        self._under_way = 0

    async def process(self, proposal: SignedProposal) -> ProposalResponse:
        """Simulate and endorse.

        Raises InvalidMessage when the proposal may not be simulated at all. A contract's refusal
        and a failure of this peer are responses without endorsement: status 500 with a payload
        is the contract's, without one it is this peer's.
        """
        now_ms = self._ports.clock_ms()
        check_proposal(proposal, self._ports.rules(), now_ms)
        await self._ports.verify(
            proposal.header.creator, proposal.proposal_raw, proposal.signature
        )
        self._rate.take(proposal.header.creator, now_ms, self._under_way)
        self._under_way += 1
        try:
            return await self._simulate(proposal)
        finally:
            self._under_way -= 1

    async def _simulate(self, proposal: SignedProposal) -> ProposalResponse:
        snapshot = self._ports.snapshot()
        simulator = TransactionSimulator(
            snapshot,
            proposal.tx_id,
            self._limits,
            access_of(proposal, self._ports.rules().registry, snapshot),
        )
        try:
            version, runner = self._installed(proposal.chaincode_name, snapshot)
            if runner is None:
                execution = self._lifecycle.invoke(proposal.args, simulator)
            else:
                execution = await runner.execute(proposal, simulator)
        except ExecutionFailed as error:
            return _refusal(STATUS_ERROR, f"error in simulation: {error}")
        response = self._respond(proposal, version, execution)
        private = execution.simulator.private_results()
        if response.endorsement is not None and private:
            try:
                await self._ports.keep_private(proposal.tx_id, private)
            except ExecutionFailed as error:
                return _refusal(STATUS_ERROR, f"error in simulation: {error}")
        return response

    async def call(self, transaction: RunningTransaction, call: ChaincodeCall) -> Execution:
        """A contract calls another chaincode of the same channel; raises ExecutionFailed."""
        channel_id = transaction.proposal.header.channel.channel_id
        if call.channel not in ("", channel_id):
            raise ExecutionFailed(f"channel {call.channel!r} is not on this peer")
        simulator = transaction.simulator
        if call.chaincode_name == LIFECYCLE_NAMESPACE:
            raise ExecutionFailed("the lifecycle cannot be called by a contract")
        _, runner = self._installed(call.chaincode_name, simulator.snapshot)
        assert runner is not None
        return await runner.execute(transaction.proposal, simulator, call.args)

    def _installed(
        self, name: str, snapshot: StateSnapshot
    ) -> tuple[str, ChaincodeRuntime | None]:
        """Version and runner of a defined chaincode (None: the lifecycle itself)."""
        definition = self._ports.definition(name, snapshot)
        if definition is None:
            raise ExecutionFailed(
                f"make sure the chaincode {name} has been successfully defined on this channel"
            )
        if name == LIFECYCLE_NAMESPACE:
            return definition.version, None
        installed = self._chaincodes.get(name)
        if installed is None:
            raise ExecutionFailed(f"chaincode {name} is not installed on this peer")
        if installed.version != definition.version:
            raise ExecutionFailed(
                f"chaincode {name} is defined with version {definition.version},"
                f" this peer has {installed.version}"
            )
        return definition.version, installed.runner

    def _respond(
        self, proposal: SignedProposal, version: str, execution: Execution
    ) -> ProposalResponse:
        response = execution.response
        if STATUS_REFUSED <= response.status < STATUS_ERROR:
            return ProposalResponse(response, b"", None)
        header, simulator = proposal.header, execution.simulator
        results = simulator.results()
        digest = proposal_hash(
            header.channel_header_raw,
            header.signature_header_raw,
            strip_transient(proposal.payload_raw),
        )
        action = ChaincodeAction(
            results=results,
            response=response,
            event=execution.event,
            chaincode_name=proposal.chaincode_name,
            chaincode_version=version,
        )
        payload = encode_proposal_response_payload(digest, action)
        if response.status >= STATUS_ERROR:
            return ProposalResponse(response, payload, None)
        interest = simulation_interest(results, simulator.snapshot, simulator.private.reads)
        if too_large := self._too_large(execution, len(payload)):
            return _refusal(STATUS_REFUSED, too_large)
        return ProposalResponse(response, payload, self._endorse(payload), interest)

    def _endorse(self, payload: bytes) -> Endorsement:
        identity = self._identity()
        endorser = identity.serialized
        message = endorsement_message(payload, endorser)
        signature = identity.sign(message)
        self._ports.on_signed(endorser, message, signature)
        return Endorsement(endorser, signature)

    def _too_large(self, execution: Execution, payload_bytes: int) -> str:
        event = execution.event
        result_bytes = len(execution.response.payload) + (len(event.payload) if event else 0)
        if result_bytes > self._limits.result_bytes_max:
            return f"result and event are {result_bytes} bytes, the limit is " + str(
                self._limits.result_bytes_max
            )
        if payload_bytes - result_bytes > self._limits.rwset_bytes_max:
            return f"the read-write set is {payload_bytes - result_bytes} bytes, the limit is " + (
                str(self._limits.rwset_bytes_max)
            )
        return ""


def _refusal(status: int, text: str) -> ProposalResponse:
    return ProposalResponse(ChaincodeResponse(status, text, b""), b"", None)
