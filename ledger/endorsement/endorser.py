"""The endorser: checks a proposal, simulates it, signs what came out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ledger.crypto.hashing import endorsement_message, proposal_hash
from ledger.crypto.signing import SigningIdentity
from ledger.endorsement.dispatch import ChaincodeDispatch
from ledger.endorsement.interest import simulation_interest
from ledger.endorsement.lifecycle.invocable import NotInvocable
from ledger.endorsement.limits import SimulationLimits
from ledger.endorsement.proposal_checks import ProposalRules, check_proposal
from ledger.endorsement.proposal_rate import ProposalRate, ProposalRateLimit
from ledger.endorsement.runtimes.peer_session import Execution, ExecutionFailed
from ledger.endorsement.simulation.collection_access import access_of
from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.endorsement.system.chaincodes import SYSTEM_CHAINCODES
from ledger.errors import InvalidMessage
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

STATUS_REFUSED = 400
STATUS_ERROR = 500


KeepPrivate = Callable[[str, PrivateReadWriteSet], Awaitable[None]]
"""(transaction id, its private writes) to where they wait for the block."""


async def keep_nothing(_tx_id: str, _private: PrivateReadWriteSet) -> None:
    """For peers without private data; nobody gets the values."""
    raise ExecutionFailed("this peer keeps no private data")


async def nothing_on_its_way() -> None:
    """For peers that fetch no private data."""


@dataclass(frozen=True, slots=True)
class EndorserPorts:
    """What the endorser asks of its surroundings; each is asked anew for every proposal."""

    rules: Callable[[], ProposalRules]
    verify: Callable[[bytes, bytes, bytes], Awaitable[None]]
    """(identity, message, signature); raises InvalidMessage."""
    snapshot: Callable[[], StateSnapshot]
    clock_ms: Callable[[], int]
    on_signed: Callable[[bytes, bytes, bytes], None]
    """(identity, message, signature) of each endorsement made here; validation meets it again."""
    keep_private: KeepPrivate = keep_nothing
    """Before the endorsement leaves; raises ExecutionFailed when the values are not safe."""
    settled: Callable[[], Awaitable[None]] = nothing_on_its_way
    """Waits a little before a simulation while private values of the newest blocks come."""


class Endorser:
    """Endorses for one channel with one identity."""

    def __init__(
        self,
        *,
        identity: Callable[[], SigningIdentity],
        dispatch: ChaincodeDispatch,
        ports: EndorserPorts,
        limits: SimulationLimits,
        rate: ProposalRateLimit | None = None,
    ) -> None:
        self._identity = identity
        self._dispatch = dispatch
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
            await self._ports.settled()
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
            version, execution = await self._dispatch.execute(proposal, simulator)
        except NotInvocable as error:
            return _refusal(STATUS_ERROR, str(error))
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
        if not header.channel.channel_id:
            return ProposalResponse(response, b"", None)  # about the peer, not for a ledger
        try:
            interest = simulation_interest(results, simulator.snapshot, simulator.private.reads)
        except InvalidMessage as error:
            return _refusal(STATUS_ERROR, f"error in simulation: {error}")
        is_system = proposal.chaincode_name in SYSTEM_CHAINCODES
        if too_large := self._too_large(execution, len(payload), is_system=is_system):
            return _refusal(STATUS_REFUSED, too_large)
        return ProposalResponse(response, payload, self._endorse(payload), interest)

    def _endorse(self, payload: bytes) -> Endorsement:
        identity = self._identity()
        endorser = identity.serialized
        message = endorsement_message(payload, endorser)
        signature = identity.sign(message)
        self._ports.on_signed(endorser, message, signature)
        return Endorsement(endorser, signature)

    def _too_large(self, execution: Execution, payload_bytes: int, *, is_system: bool) -> str:
        limits, event = self._limits, execution.event
        result_max = limits.system_result_bytes_max if is_system else limits.result_bytes_max
        result_bytes = len(execution.response.payload) + (len(event.payload) if event else 0)
        if result_bytes > result_max:
            return f"result and event are {result_bytes} bytes, the limit is {result_max}"
        rwset_bytes, rwset_max = payload_bytes - result_bytes, limits.rwset_bytes_max
        if rwset_bytes > rwset_max:
            return f"the read-write set is {rwset_bytes} bytes, the limit is {rwset_max}"
        return ""


def _refusal(status: int, text: str) -> ProposalResponse:
    return ProposalResponse(ChaincodeResponse(status, text, b""), b"", None)
