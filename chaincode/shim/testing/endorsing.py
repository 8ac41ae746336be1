"""Proposals, and the peers that simulate and endorse them, all in this process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chaincode.shim.errors import STATUS_BAD_REQUEST, ShimError
from chaincode.shim.requests import Response
from chaincode.shim.testing.chaincodes import VERSION, Chaincodes
from chaincode.shim.testing.channel import TestChannel
from chaincode.shim.testing.identities import TestIdentity
from chaincode.shim.testing.simulation import Event, Simulation
from chaincode.shim.testing.world_state import PeerView, WorldState
from ledger.crypto.hashing import endorsement_message, proposal_hash
from ledger.crypto.proposal import build_proposal
from ledger.endorsement.runtimes.peer_session import Execution, ExecutionFailed
from ledger.endorsement.simulation.collection_access import CollectionAccess
from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.errors import TransactionInvalid
from ledger.model.codec_action import encode_proposal_response_payload
from ledger.model.codec_proposal import decode_proposal, strip_transient
from ledger.model.transaction import (
    ChaincodeAction,
    ChaincodeEvent,
    ChaincodeResponse,
    Endorsement,
    EndorserTransaction,
    SignedProposal,
)
from ledger.validation.context import ValidationContext
from ledger.validation.endorsement_policies import EndorsementPolicies

NONCE_BYTES = 24
PEER_ERROR = 500


class EndorsementMismatch(ShimError):  # noqa: N818 - what was found
    """Two peers ran the same proposal on the same state and got other results."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a client wants: a function with its arguments, at a time."""

    chaincode: str
    client: TestIdentity
    args: tuple[bytes, ...]
    transient: Mapping[str, bytes]
    timestamp_ns: int
    number: int
    """Makes the nonce, so each call has an id of its own."""


class Endorsing:
    """Simulates calls against the present state of a test ledger."""

    def __init__(
        self, channel: TestChannel, chaincodes: Chaincodes, context: ValidationContext
    ) -> None:
        self._channel = channel
        self._chaincodes = chaincodes
        self._context = context

    def evaluate(self, call: Call, world: WorldState) -> Simulation:
        """At the peer of the client's member, without endorsement."""
        return self._simulate(call, self._propose(call), world, call.client.mspid)

    def endorse(self, call: Call, world: WorldState, endorsers: Sequence[str] = ()) -> Simulation:
        """At the peers of `endorsers`, or of the client's member and as many as policies need.

        A refusal of the first peer is the result. EndorsementMismatch if results differ.
        """
        proposal = self._propose(call)
        first, *others = endorsers or self._order(call.client.mspid)
        endorsed = self._signed(self._simulate(call, proposal, world, first), first)
        for mspid in others if endorsed.payload else ():
            if not endorsers and self._is_enough(endorsed, world):
                break
            another = self._simulate(call, proposal, world, mspid)
            if another.response.status >= STATUS_BAD_REQUEST and not endorsers:
                continue  # such as a peer that is no member of a collection
            endorsed = self._signed(_agreed(endorsed, another, mspid), mspid)
        return endorsed

    def _order(self, first: str) -> list[str]:
        return [first, *(mspid for mspid in self._channel.mspids if mspid != first)]

    def _propose(self, call: Call) -> SignedProposal:
        _, raw = build_proposal(
            channel_id=self._channel.channel_id,
            chaincode_name=call.chaincode,
            args=call.args,
            creator=call.client.creator,
            nonce=call.number.to_bytes(NONCE_BYTES, "big"),
            timestamp_ns=call.timestamp_ns,
            transient=dict(call.transient),
        )
        return decode_proposal(raw, call.client.sign(raw))

    def _simulate(
        self, call: Call, proposal: SignedProposal, world: WorldState, mspid: str
    ) -> Simulation:
        view = PeerView(world, mspid, self._chaincodes.find_collection)
        access = CollectionAccess(
            self._channel.channel_id,
            self._chaincodes.find_collection,
            lambda collection: self._channel.is_member_of(collection, call.client),
        )
        simulator = TransactionSimulator(view, proposal.tx_id, collections=access)
        try:
            execution = self._chaincodes.run(call.chaincode, mspid, proposal, simulator)
        except ExecutionFailed as error:
            refused = ChaincodeResponse(PEER_ERROR, f"PEER_REFUSED: {error}", b"")
            execution = Execution(refused, None, simulator)
        bug = self._chaincodes.bugs.pop(proposal.tx_id, None)
        return _simulation(call, proposal, execution, bug)

    def _signed(self, simulation: Simulation, mspid: str) -> Simulation:
        if not simulation.payload:
            return simulation
        peer = self._channel.peer(mspid)
        message = endorsement_message(simulation.payload, peer.creator)
        endorsement = Endorsement(peer.creator, self._channel.signed(peer, message))
        return replace(simulation, endorsements=(*simulation.endorsements, endorsement))

    def _is_enough(self, simulation: Simulation, world: WorldState) -> bool:
        """Whether the endorsements so far satisfy every policy that will be asked."""
        transaction = EndorserTransaction(
            header_raw=b"",
            proposal_payload_raw=b"",
            proposal_response_payload_raw=simulation.payload,
            proposal_hash=b"",
            action=_action(simulation),
            endorsements=simulation.endorsements,
            chaincode_name=simulation.chaincode,
            args=(),
        )
        signed = [
            (one.endorser, endorsement_message(simulation.payload, one.endorser), one.signature)
            for one in simulation.endorsements
        ]
        try:
            EndorsementPolicies(world, self._context).check(transaction, signed)
        except TransactionInvalid:
            return False
        return True


def _simulation(
    call: Call, proposal: SignedProposal, execution: Execution, bug: Exception | None
) -> Simulation:
    found, event = execution.response, execution.event
    simulation = Simulation(
        chaincode=call.chaincode,
        client=call.client,
        proposal=proposal,
        response=Response(found.status, found.message, found.payload),
        event=None if event is None else Event(event.name, event.payload, event.tx_id),
        results=execution.simulator.results(),
        private=execution.simulator.private_results(),
        payload=b"",
        endorsements=(),
        bug=bug,
    )
    if found.status >= STATUS_BAD_REQUEST:
        return simulation
    header = proposal.header
    bound_to = proposal_hash(
        header.channel_header_raw,
        header.signature_header_raw,
        strip_transient(proposal.payload_raw),
    )
    payload = encode_proposal_response_payload(bound_to, _action(simulation))
    return replace(simulation, payload=payload)


def _action(simulation: Simulation) -> ChaincodeAction:
    response, event = simulation.response, simulation.event
    return ChaincodeAction(
        results=simulation.results,
        response=ChaincodeResponse(response.status, response.message, response.payload),
        event=(
            None
            if event is None
            else ChaincodeEvent(simulation.chaincode, event.tx_id, event.name, event.payload)
        ),
        chaincode_name=simulation.chaincode,
        chaincode_version=VERSION,
    )


def _agreed(first: Simulation, second: Simulation, mspid: str) -> Simulation:
    """The first, if the second is the same; private sets are one peer's or another's."""
    _ = second.result  # a peer that was asked by name and refuses is a refusal
    if second.payload == first.payload:
        return first
    differing = sorted(
        key
        for key in first.writes.keys() | second.writes.keys()
        if first.writes.get(key) != second.writes.get(key)
    )
    what = f"keys written: {differing}" if differing else "result, event or reads"
    raise EndorsementMismatch(
        f"the peer of {mspid} got another result ({what}); is something in the contract random?"
    )
