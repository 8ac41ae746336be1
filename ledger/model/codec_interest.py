"""protos.ChaincodeInterest as frozen data."""

from google.protobuf.message import DecodeError

from ledger.errors import InvalidMessage, Reason
from ledger.model.interest import CallInterest, Interest
from ledger.wire import common_pb2, protos_pb2


def wire_interest(interest: Interest) -> protos_pb2.ChaincodeInterest:
    """The message; raises InvalidMessage MALFORMED for a key's policy that does not parse."""
    try:
        return protos_pb2.ChaincodeInterest(chaincodes=[_wire_call(call) for call in interest])
    except DecodeError as error:
        raise InvalidMessage(Reason.MALFORMED, "a key's policy does not parse") from error


def interest_from_wire(wire: protos_pb2.ChaincodeInterest) -> Interest:
    """What a peer's answer says of its simulation."""
    return tuple(
        CallInterest(
            name=call.name,
            collection_names=tuple(call.collection_names),
            no_private_reads=call.no_private_reads,
            no_public_writes=call.no_public_writes,
            key_policies=tuple(policy.SerializeToString() for policy in call.key_policies),
            disregard_namespace_policy=call.disregard_namespace_policy,
        )
        for call in wire.chaincodes
    )


def _wire_call(call: CallInterest) -> protos_pb2.ChaincodeCall:
    return protos_pb2.ChaincodeCall(
        name=call.name,
        collection_names=call.collection_names,
        no_private_reads=call.no_private_reads,
        no_public_writes=call.no_public_writes,
        key_policies=[
            common_pb2.SignaturePolicyEnvelope.FromString(raw) for raw in call.key_policies
        ],
        disregard_namespace_policy=call.disregard_namespace_policy,
    )
