"""Chaincode definitions in world state: Fabric's keys and messages under `_lifecycle`.

`namespaces/metadata/<name>` says which fields a definition has,
`namespaces/fields/<name>/<field>` holds each of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from google.protobuf.message import DecodeError

from ledger.crypto.channel_policies import DEFAULT_APPLICATION_POLICY
from ledger.errors import NodeFault
from ledger.model.config import LIFECYCLE_ENDORSEMENT_POLICY
from ledger.model.definition_keys import COLLECTIONS_FIELD, LIFECYCLE_NAMESPACE, field_key
from ledger.model.policy import PolicyReference
from ledger.model.policy_codec import encode_application_policy
from ledger.model.state import StateReader
from ledger.validation.context import ChaincodeDefinition
from ledger.wire import lifecycle_pb2

METADATA_PREFIX = "namespaces/metadata/"
DATATYPE = "ChaincodeDefinition"
FIELDS = ("Sequence", "EndorsementInfo", "ValidationInfo", COLLECTIONS_FIELD)
SYSTEM_VERSION = "syscc"
ENDORSEMENT_PLUGIN = "escc"
VALIDATION_PLUGIN = "vscc"
DEFINITIONS_CACHED_MAX = 100

LIFECYCLE_DEFINITION = ChaincodeDefinition(
    version=SYSTEM_VERSION,
    sequence=0,
    policy=encode_application_policy(PolicyReference(LIFECYCLE_ENDORSEMENT_POLICY)),
)
"""The lifecycle's own; it is built in and never committed."""


@dataclass(frozen=True, slots=True)
class FullDefinition:
    """Everything members agree on about a chaincode; equal definitions compare equal."""

    name: str
    sequence: int
    version: str
    policy: bytes = DEFAULT_APPLICATION_POLICY
    """protos.ApplicationPolicy bytes."""
    endorsement_plugin: str = ENDORSEMENT_PLUGIN
    validation_plugin: str = VALIDATION_PLUGIN
    collections: bytes = b""
    """protos.CollectionConfigPackage bytes."""
    init_required: bool = False


def committed_definition(namespace: str, state: StateReader) -> ChaincodeDefinition | None:
    """What validation needs of a committed definition; None if there is none.

    NodeFault if the state under `_lifecycle` is damaged.
    """
    if namespace == LIFECYCLE_NAMESPACE:
        return LIFECYCLE_DEFINITION
    raw = [_committed_field(namespace, field, state) for field in FIELDS]
    if not raw[0]:
        return None
    full = decode_definition(namespace, *raw)
    return ChaincodeDefinition(
        version=full.version,
        sequence=full.sequence,
        policy=full.policy,
    )


def _committed_field(namespace: str, field: str, state: StateReader) -> bytes:
    found = state.get_state(LIFECYCLE_NAMESPACE, field_key(namespace, field))
    return b"" if found is None else found.value


def metadata_key(name: str) -> str:
    """State key of the list of fields."""
    return METADATA_PREFIX + name


@lru_cache(maxsize=DEFINITIONS_CACHED_MAX)
def decode_definition(
    name: str, sequence: bytes, endorsement: bytes, validation: bytes, collections: bytes
) -> FullDefinition:
    """A definition from its stored fields (StateData bytes each)."""
    data = lifecycle_pb2.StateData.FromString
    try:
        endorsing = lifecycle_pb2.ChaincodeEndorsementInfo.FromString(data(endorsement).Bytes)
        validating = lifecycle_pb2.ChaincodeValidationInfo.FromString(data(validation).Bytes)
        return FullDefinition(
            name=name,
            sequence=data(sequence).Int64,
            version=endorsing.version,
            policy=validating.validation_parameter,
            endorsement_plugin=endorsing.endorsement_plugin,
            validation_plugin=validating.validation_plugin,
            collections=data(collections).Bytes,
            init_required=endorsing.init_required,
        )
    except DecodeError as error:
        raise NodeFault(f"the committed definition of {name} does not parse") from error


def encode_definition(definition: FullDefinition) -> Iterator[tuple[str, bytes]]:
    """(state key, value) of everything a commit writes."""
    name = definition.name
    metadata = lifecycle_pb2.StateMetadata(datatype=DATATYPE, fields=FIELDS)
    endorsing = lifecycle_pb2.ChaincodeEndorsementInfo(
        version=definition.version,
        init_required=definition.init_required,
        endorsement_plugin=definition.endorsement_plugin,
    )
    validating = lifecycle_pb2.ChaincodeValidationInfo(
        validation_plugin=definition.validation_plugin, validation_parameter=definition.policy
    )
    sequence = lifecycle_pb2.StateData(Int64=definition.sequence)
    yield metadata_key(name), metadata.SerializeToString()
    yield field_key(name, "Sequence"), sequence.SerializeToString()
    for field, content in (
        ("EndorsementInfo", endorsing.SerializeToString()),
        ("ValidationInfo", validating.SerializeToString()),
        ("Collections", definition.collections),
    ):
        yield field_key(name, field), lifecycle_pb2.StateData(Bytes=content).SerializeToString()
