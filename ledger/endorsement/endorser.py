"""One peer's endorsement: check the proposal, simulate it, sign the result.

ProcessProposal fails as a call (InvalidMessage) only for what may not be simulated at all: a bad
signature, an unknown member, a used transaction id. What the contract refuses is an answer with
its status and no endorsement.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ledger.crypto.hashing import endorsement_message, proposal_hash, transaction_id
from ledger.crypto.signing import SigningIdentity
from ledger.endorsement.lifecycle import LIFECYCLE
from ledger.endorsement.peer_session import Execution, ExecutionFailed
from ledger.endorsement.simulator import TransactionSimulator
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_action import encode_proposal_response_payload
from ledger.model.codec_proposal import strip_transient
from ledger.model.state import StateSnapshot
from ledger.model.transaction import (
    ChaincodeAction,
    ChaincodeResponse,
    Endorsement,
    ProposalResponse,
    SignedProposal,
)
from ledger.validation.context import ChaincodeDefinition

PROPOSAL_BYTES_MAX = 1024 * 1024
TIME_WINDOW_MS = 15 * 60 * 1000
"""How far a client's clock may be off; Fabric's authentication window."""
ENDORSED_STATUS_MAX = 399


class ContractRunner(Protocol):
    """Runs one chaincode's functions."""

    async def execute(
        self, proposal: SignedProposal, simulator: TransactionSimulator
    ) -> Execution:
        """Simulate; raises ExecutionFailed when the contract loops or dies."""
        ...


@dataclass(frozen=True, slots=True)
class EndorserPorts:
    """What the endorser asks of the peer."""

    channel_id: str
    identity: SigningIdentity
    admit: Callable[[bytes, bytes, bytes], Awaitable[object]]
    """(identity, message, signature): raises InvalidMessage unless a member signed it now."""
    is_committed: Callable[[str], bool]
    snapshot: Callable[[], StateSnapshot]
    definition: Callable[[str], ChaincodeDefinition | None]
    runners: Mapping[str, ContractRunner]
    note_own_signature: Callable[[bytes, bytes, bytes], None]
    """(identity, message, signature): this peer need not check its own endorsement again."""
    clock_ms: Callable[[], int]


class Endorser:
    """Answers proposals of clients and of other peers' gateways."""

    def __init__(self, ports: EndorserPorts) -> None:
        self._ports = ports

    async def process(self, proposal: SignedProposal) -> ProposalResponse:
        """Simulate and sign; raises InvalidMessage for a proposal that may not be simulated."""
        self._check(proposal)
        await self._ports.admit(proposal.header.creator, proposal.proposal_raw, proposal.signature)
        name = proposal.chaincode_name
        definition = self._ports.definition(name)
        runner = self._ports.runners.get(name)
        if definition is None or runner is None:
            return _refusal(f"make sure the chaincode {name} has been successfully defined")
        simulator = TransactionSimulator(self._ports.snapshot(), proposal.tx_id)
        if name != LIFECYCLE:
            simulator.read_definition(name)
        try:
            result = await runner.execute(proposal, simulator)
        except ExecutionFailed as error:
            return _refusal(str(error))
        if result.response.status > ENDORSED_STATUS_MAX:
            return ProposalResponse(result.response, b"", None)
        return self._endorsed(proposal, definition, simulator, result)

    def _endorsed(
        self,
        proposal: SignedProposal,
        definition: ChaincodeDefinition,
        simulator: TransactionSimulator,
        result: Execution,
    ) -> ProposalResponse:
        action = ChaincodeAction(
            results=simulator.results(),
            response=result.response,
            event=result.event,
            chaincode_name=proposal.chaincode_name,
            chaincode_version=definition.version,
        )
        hashed = proposal_hash(
            proposal.header.channel_header_raw,
            proposal.header.signature_header_raw,
            strip_transient(proposal.payload_raw),
        )
        payload = encode_proposal_response_payload(hashed, action)
        identity = self._ports.identity
        message = endorsement_message(payload, identity.serialized)
        signature = identity.sign(message)
        self._ports.note_own_signature(identity.serialized, message, signature)
        return ProposalResponse(
            result.response, payload, Endorsement(identity.serialized, signature)
        )

    def _check(self, proposal: SignedProposal) -> None:
        channel = proposal.header.channel
        if len(proposal.proposal_raw) > PROPOSAL_BYTES_MAX:
            raise InvalidMessage(
                Reason.OVERSIZED,
                f"proposal of {len(proposal.proposal_raw)} bytes, at most {PROPOSAL_BYTES_MAX}",
            )
        if channel.channel_id != self._ports.channel_id:
            raise InvalidMessage(Reason.WRONG_CHANNEL, f"no channel {channel.channel_id!r} here")
        if transaction_id(proposal.header.nonce, proposal.header.creator) != channel.tx_id:
            raise InvalidMessage(
                Reason.BAD_TRANSACTION_ID, "the transaction id is not of this nonce and creator"
            )
        if abs(channel.timestamp_ns // 1_000_000 - self._ports.clock_ms()) > TIME_WINDOW_MS:
            raise InvalidMessage(
                Reason.TIMESTAMP_OUT_OF_WINDOW,
                f"the proposal's time is more than {TIME_WINDOW_MS // 60_000} minutes off",
            )
        if self._ports.is_committed(channel.tx_id):
            raise InvalidMessage(
                Reason.REPLAYED, f"transaction {channel.tx_id} is already in the ledger"
            )


def _refusal(text: str) -> ProposalResponse:
    return ProposalResponse(ChaincodeResponse(500, text, b""), b"", None)
