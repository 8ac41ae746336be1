"""`_lifecycle`: which chaincodes the channel has agreed on, in Fabric's state layout.

A definition is committed by a transaction that a majority of members endorse (the channel's
LifecycleEndorsement policy). A member's peer endorses it only when its own operator has approved
exactly this definition, so the endorsements are the approvals. The rest of Fabric's lifecycle
functions answer with an error that names what is there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.message import DecodeError

from ledger.crypto.channel_policies import DEFAULT_APPLICATION_POLICY
from ledger.crypto.policy_text import parse_policy
from ledger.errors import NodeFault
from ledger.model.policy_codec import encode_application_policy
from ledger.model.state import StateReader
from ledger.model.transaction import ChaincodeResponse
from ledger.validation.context import ChaincodeDefinition
from ledger.wire import lifecycle_pb2, protos_pb2

LIFECYCLE = "_lifecycle"
DEFINITION_DATATYPE = "ChaincodeDefinition"
DEFINITION_FIELDS = ("Collections", "EndorsementInfo", "Sequence", "ValidationInfo")
ENDORSEMENT_PLUGIN = "escc"
VALIDATION_PLUGIN = "vscc"
STATUS_OK = 200
STATUS_ERROR = 500


class StateAccess(Protocol):
    """Reads and writes of the transaction being simulated."""

    def get_state(self, namespace: str, key: str) -> bytes:
        """The committed value; empty when the key does not exist."""

    def put_state(self, namespace: str, key: str, value: bytes) -> None:
        """Write a key."""


@dataclass(frozen=True, slots=True)
class Approval:
    """What a member's operator agrees to run."""

    name: str
    version: str
    sequence: int
    validation_parameter: bytes
    """protos.ApplicationPolicy bytes."""


class LifecycleRefused(Exception):  # noqa: N818 - what happened, not a mistake
    """The function answers status 500 with this text."""


def sequence_key(name: str) -> str:
    """The key every transaction of a chaincode reads, so that an upgrade conflicts with it."""
    return f"namespaces/fields/{name}/Sequence"


def committed_definition(
    name: str, state: StateReader, *, lifecycle_policy: bytes
) -> ChaincodeDefinition | None:
    """The definition in committed state; `_lifecycle` itself is under the channel's policy."""
    if name == LIFECYCLE:
        return ChaincodeDefinition(version="syscc", sequence=1, policy=lifecycle_policy)
    stored = state.get_state(LIFECYCLE, sequence_key(name))
    if stored is None:
        return None
    endorsement = lifecycle_pb2.ChaincodeEndorsementInfo()
    validation = lifecycle_pb2.ChaincodeValidationInfo()
    for field, message in (("EndorsementInfo", endorsement), ("ValidationInfo", validation)):
        value = state.get_state(LIFECYCLE, f"namespaces/fields/{name}/{field}")
        if value is None:
            raise NodeFault(f"the definition of {name} lacks {field}")
        message.ParseFromString(lifecycle_pb2.StateData.FromString(value.value).Bytes)
    return ChaincodeDefinition(
        version=endorsement.version,
        sequence=lifecycle_pb2.StateData.FromString(stored.value).Int64,
        policy=validation.validation_parameter,
    )


class LifecycleChaincode:
    """The functions of `_lifecycle` that this release has."""

    def __init__(self, approvals: Mapping[str, Approval]) -> None:
        self._approvals = approvals
        self._functions: Mapping[str, Callable[[bytes, StateAccess], bytes]] = {
            "CommitChaincodeDefinition": self._commit,
            "QueryChaincodeDefinition": self._query,
        }

    def invoke(self, args: tuple[bytes, ...], state: StateAccess) -> ChaincodeResponse:
        """Run a function; a refusal is an answer with status 500, never an exception."""
        name = args[0].decode("utf-8", "replace") if args else ""
        function = self._functions.get(name)
        if function is None:
            known = ", ".join(sorted(self._functions))
            return _refusal(f"_lifecycle has no function {name!r}; it has {known}")
        if len(args) != 2:  # noqa: PLR2004 - the name and one encoded message
            return _refusal(f"{name} takes one argument, an encoded message")
        try:
            return ChaincodeResponse(STATUS_OK, "", function(args[1], state))
        except DecodeError:
            return _refusal(f"the argument of {name} is not its encoded message")
        except LifecycleRefused as refused:
            return _refusal(str(refused))

    def _commit(self, argument: bytes, state: StateAccess) -> bytes:
        wanted = lifecycle_pb2.CommitChaincodeDefinitionArgs.FromString(argument)
        self._require_approved(wanted)
        current = state.get_state(LIFECYCLE, sequence_key(wanted.name))
        sequence = lifecycle_pb2.StateData.FromString(current).Int64 if current else 0
        if wanted.sequence != sequence + 1:
            raise LifecycleRefused(
                f"requested sequence is {wanted.sequence}, but new definition must be "
                f"sequence {sequence + 1}"
            )
        for key, value in _stored(wanted):
            state.put_state(LIFECYCLE, key, value)
        return lifecycle_pb2.CommitChaincodeDefinitionResult().SerializeToString()

    def _require_approved(self, wanted: lifecycle_pb2.CommitChaincodeDefinitionArgs) -> None:
        approval = self._approvals.get(wanted.name)
        asked = Approval(wanted.name, wanted.version, wanted.sequence, wanted.validation_parameter)
        if approval != asked:
            raise LifecycleRefused(
                f"chaincode definition {wanted.name} {wanted.version} sequence {wanted.sequence} "
                "is not approved by this organization's operator"
            )

    def _query(self, argument: bytes, state: StateAccess) -> bytes:
        name = lifecycle_pb2.QueryChaincodeDefinitionArgs.FromString(argument).name
        stored = state.get_state(LIFECYCLE, sequence_key(name))
        if not stored:
            raise LifecycleRefused(f"namespace {name} is not defined")
        result = lifecycle_pb2.QueryChaincodeDefinitionResult(
            sequence=lifecycle_pb2.StateData.FromString(stored).Int64
        )
        endorsement = lifecycle_pb2.ChaincodeEndorsementInfo.FromString(
            _bytes(state, name, "EndorsementInfo")
        )
        validation = lifecycle_pb2.ChaincodeValidationInfo.FromString(
            _bytes(state, name, "ValidationInfo")
        )
        result.version = endorsement.version
        result.endorsement_plugin = endorsement.endorsement_plugin
        result.init_required = endorsement.init_required
        result.validation_plugin = validation.validation_plugin
        result.validation_parameter = validation.validation_parameter
        return result.SerializeToString()


def approval_of(*, name: str, version: str, sequence: int, policy_text: str) -> Approval:
    """An approval whose endorsement policy is given as text; empty: the channel's default."""
    parameter = DEFAULT_APPLICATION_POLICY
    if policy_text:
        parameter = encode_application_policy(parse_policy(policy_text))
    return Approval(name, version, sequence, parameter)


def commit_arguments(approval: Approval) -> bytes:
    """The argument of CommitChaincodeDefinition for an approved definition."""
    return lifecycle_pb2.CommitChaincodeDefinitionArgs(
        sequence=approval.sequence,
        name=approval.name,
        version=approval.version,
        endorsement_plugin=ENDORSEMENT_PLUGIN,
        validation_plugin=VALIDATION_PLUGIN,
        validation_parameter=approval.validation_parameter,
    ).SerializeToString()


def _stored(wanted: lifecycle_pb2.CommitChaincodeDefinitionArgs) -> list[tuple[str, bytes]]:
    """Keys and values of a definition, as Fabric's lifecycle serialises them."""
    fields = f"namespaces/fields/{wanted.name}"
    endorsement = lifecycle_pb2.ChaincodeEndorsementInfo(
        version=wanted.version,
        init_required=wanted.init_required,
        endorsement_plugin=wanted.endorsement_plugin,
    )
    validation = lifecycle_pb2.ChaincodeValidationInfo(
        validation_plugin=wanted.validation_plugin,
        validation_parameter=wanted.validation_parameter,
    )
    collections = (
        wanted.collections
        if wanted.HasField("collections")
        else protos_pb2.CollectionConfigPackage()
    )
    metadata = lifecycle_pb2.StateMetadata(datatype=DEFINITION_DATATYPE, fields=DEFINITION_FIELDS)
    sequence = lifecycle_pb2.StateData(Int64=wanted.sequence)
    return [
        (f"namespaces/metadata/{wanted.name}", metadata.SerializeToString()),
        (f"{fields}/Sequence", sequence.SerializeToString()),
        (f"{fields}/EndorsementInfo", _state_bytes(endorsement.SerializeToString())),
        (f"{fields}/ValidationInfo", _state_bytes(validation.SerializeToString())),
        (f"{fields}/Collections", _state_bytes(collections.SerializeToString())),
    ]


def _bytes(state: StateAccess, name: str, field: str) -> bytes:
    raw = state.get_state(LIFECYCLE, f"namespaces/fields/{name}/{field}")
    return lifecycle_pb2.StateData.FromString(raw).Bytes


def _state_bytes(content: bytes) -> bytes:
    return lifecycle_pb2.StateData(Bytes=content).SerializeToString()


def _refusal(text: str) -> ChaincodeResponse:
    return ChaincodeResponse(STATUS_ERROR, text, b"")
