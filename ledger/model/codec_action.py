"""What endorsers agree on (ChaincodeAction, its hash-bound payload) and how they answer."""

from collections.abc import Iterable

from ledger.errors import TransactionInvalid
from ledger.model.codec_interest import interest_from_wire, wire_interest
from ledger.model.codec_parsing import parse_message, parse_part
from ledger.model.codec_rwset import decode_read_write_set, encode_read_write_set
from ledger.model.codes import ValidationCode
from ledger.model.transaction import (
    ChaincodeAction,
    ChaincodeEvent,
    ChaincodeResponse,
    Endorsement,
    ProposalResponse,
)
from ledger.wire import protos_pb2

PROPOSAL_RESPONSE_VERSION = 1

_BAD_RESPONSE_PAYLOAD = ValidationCode.BAD_RESPONSE_PAYLOAD


def encode_chaincode_action(action: ChaincodeAction) -> bytes:
    """ChaincodeAction bytes; equal actions give equal bytes."""
    return protos_pb2.ChaincodeAction(
        results=encode_read_write_set(action.results),
        events=b"" if action.event is None else encode_chaincode_event(action.event),
        response=_wire_response(action.response),
        chaincode_id=protos_pb2.ChaincodeID(
            name=action.chaincode_name, version=action.chaincode_version
        ),
    ).SerializeToString()


def encode_chaincode_event(event: ChaincodeEvent) -> bytes:
    """ChaincodeEvent bytes."""
    return protos_pb2.ChaincodeEvent(
        chaincode_id=event.chaincode_name,
        tx_id=event.tx_id,
        event_name=event.name,
        payload=event.payload,
    ).SerializeToString()


def encode_proposal_response_payload(proposal_hash: bytes, action: ChaincodeAction) -> bytes:
    """ProposalResponsePayload bytes: what every endorser signs, with its identity behind."""
    return protos_pb2.ProposalResponsePayload(
        proposal_hash=proposal_hash, extension=encode_chaincode_action(action)
    ).SerializeToString()


def decode_proposal_response_payload(raw: bytes) -> tuple[bytes, ChaincodeAction]:
    """(proposal hash, action); raises TransactionInvalid.

    BAD_RESPONSE_PAYLOAD, BAD_RWSET, or INVALID_OTHER_REASON for the event.
    """
    payload = parse_part(protos_pb2.ProposalResponsePayload, raw, _BAD_RESPONSE_PAYLOAD)
    if not payload.extension:
        raise TransactionInvalid(_BAD_RESPONSE_PAYLOAD, "there is no ChaincodeAction")
    action = parse_part(protos_pb2.ChaincodeAction, payload.extension, _BAD_RESPONSE_PAYLOAD)
    chaincode = action.chaincode_id
    return payload.proposal_hash, ChaincodeAction(
        results=decode_read_write_set(action.results),
        response=_response(action.response),
        event=_event(action.events),
        chaincode_name=chaincode.name,
        chaincode_version=chaincode.version,
    )


def encode_proposal_response(response: ProposalResponse) -> bytes:
    """ProposalResponse bytes; without endorsement for a refusal."""
    return protos_pb2.ProposalResponse(
        version=PROPOSAL_RESPONSE_VERSION,
        response=_wire_response(response.response),
        payload=response.payload_raw,
        endorsement=(
            None if response.endorsement is None else _wire_endorsement(response.endorsement)
        ),
        interest=wire_interest(response.interest) if response.interest else None,
    ).SerializeToString()


def decode_proposal_response(raw: bytes) -> ProposalResponse:
    """An endorser's answer, its payload still encoded; raises InvalidMessage MALFORMED."""
    wire = parse_message(protos_pb2.ProposalResponse, raw)
    endorsement = None
    if wire.HasField("endorsement"):
        endorsement = Endorsement(wire.endorsement.endorser, wire.endorsement.signature)
    return ProposalResponse(
        response=_response(wire.response),
        payload_raw=wire.payload,
        endorsement=endorsement,
        interest=interest_from_wire(wire.interest),
    )


def decode_endorsements(
    endorsements: Iterable[protos_pb2.Endorsement],
) -> tuple[Endorsement, ...]:
    """Endorsements as plain data, in their order."""
    return tuple([Endorsement(e.endorser, e.signature) for e in endorsements])


def wire_endorsements(endorsements: Iterable[Endorsement]) -> list[protos_pb2.Endorsement]:
    """Endorsements as wire messages, in their order."""
    return [_wire_endorsement(endorsement) for endorsement in endorsements]


def _event(raw: bytes) -> ChaincodeEvent | None:
    if not raw:
        return None
    event = parse_part(protos_pb2.ChaincodeEvent, raw, ValidationCode.INVALID_OTHER_REASON)
    return ChaincodeEvent(
        chaincode_name=event.chaincode_id,
        tx_id=event.tx_id,
        name=event.event_name,
        payload=event.payload,
    )


def _response(wire: protos_pb2.Response) -> ChaincodeResponse:
    return ChaincodeResponse(wire.status, wire.message, wire.payload)


def _wire_response(response: ChaincodeResponse) -> protos_pb2.Response:
    return protos_pb2.Response(
        status=response.status, message=response.message, payload=response.payload
    )


def _wire_endorsement(endorsement: Endorsement) -> protos_pb2.Endorsement:
    return protos_pb2.Endorsement(endorser=endorsement.endorser, signature=endorsement.signature)
