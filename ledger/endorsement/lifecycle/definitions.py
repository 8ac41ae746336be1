"""Chaincode definitions: in world state as Fabric keeps them under `_lifecycle`, and as values.

`namespaces/metadata/<name>` says which fields a definition has,
`namespaces/fields/<name>/<field>` holds each of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from google.protobuf.message import DecodeError

from ledger.crypto.channel_policies import DEFAULT_APPLICATION_POLICY
from ledger.endorsement.lifecycle.structures import (
    NAMESPACES,
    SOURCES,
    Structure,
    bytes_data,
    field_key,
    metadata_key,
    number_data,
    text_data,
)
from ledger.errors import NodeFault
from ledger.model.config import LIFECYCLE_ENDORSEMENT_POLICY
from ledger.model.definition_keys import COLLECTIONS_FIELD, LIFECYCLE_NAMESPACE
from ledger.model.policy import PolicyReference
from ledger.model.policy_codec import encode_application_policy
from ledger.model.state import KeyReader, StateReader
from ledger.validation.context import ChaincodeDefinition
from ledger.wire import lifecycle_pb2

METADATA_PREFIX = metadata_key(NAMESPACES, "")
"""Keys of all definitions, and in a member's collection of all it approved; the name follows."""
METADATA_END = METADATA_PREFIX + "\U0010ffff"
DEFINITION = "ChaincodeDefinition"
PARAMETERS = "ChaincodeParameters"
LOCAL_PACKAGE = "ChaincodeLocalPackage"
PARAMETER_FIELDS = ("EndorsementInfo", "ValidationInfo", COLLECTIONS_FIELD)
FIELDS = ("Sequence", *PARAMETER_FIELDS)
PACKAGE_FIELD = "PackageID"
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

    @property
    def private_name(self) -> str:
        """Under which members approve it: the name and the sequence."""
        return f"{self.name}#{self.sequence}"


def committed_definition(namespace: str, state: StateReader) -> ChaincodeDefinition | None:
    """What validation needs of a committed definition; None if there is none.

    NodeFault if the state under `_lifecycle` is damaged.
    """
    if namespace == LIFECYCLE_NAMESPACE:
        return LIFECYCLE_DEFINITION
    full = full_definition(namespace, state)
    if full is None:
        return None
    return ChaincodeDefinition(
        version=full.version,
        sequence=full.sequence,
        policy=full.policy,
    )


def full_definition(name: str, state: KeyReader) -> FullDefinition | None:
    """The committed definition of a chaincode; None if there is none."""
    raw = [_committed_field(name, field, state) for field in FIELDS]
    return decode_definition(name, *raw) if raw[0] else None


def _committed_field(name: str, field: str, state: KeyReader) -> bytes:
    found = state.get_state(LIFECYCLE_NAMESPACE, field_key(NAMESPACES, name, field))
    return b"" if found is None else found.value


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
        raise NodeFault(f"the definition of {name} does not parse") from error


def definition_structure(definition: FullDefinition) -> Structure:
    """What a commit writes for everybody."""
    fields = {"Sequence": number_data(definition.sequence), **_parameters(definition)}
    return Structure(NAMESPACES, definition.name, DEFINITION, fields)


def encode_definition(definition: FullDefinition) -> Iterator[tuple[str, bytes]]:
    """(state key, value) of everything a first commit writes."""
    return definition_structure(definition).entries()


def approval_structure(definition: FullDefinition) -> Structure:
    """What a member that approves writes into its collection."""
    return Structure(
        NAMESPACES, definition.private_name, PARAMETERS, dict(_parameters(definition))
    )


def source_structure(definition: FullDefinition, package_id: str) -> Structure:
    """Which package the member's peers run for it; an empty id: they run none."""
    return Structure(
        SOURCES, definition.private_name, LOCAL_PACKAGE, {PACKAGE_FIELD: text_data(package_id)}
    )


def _parameters(definition: FullDefinition) -> dict[str, bytes]:
    endorsing = lifecycle_pb2.ChaincodeEndorsementInfo(
        version=definition.version,
        init_required=definition.init_required,
        endorsement_plugin=definition.endorsement_plugin,
    )
    validating = lifecycle_pb2.ChaincodeValidationInfo(
        validation_plugin=definition.validation_plugin, validation_parameter=definition.policy
    )
    contents = (
        endorsing.SerializeToString(),
        validating.SerializeToString(),
        definition.collections,
    )
    return {
        field: bytes_data(content)
        for field, content in zip(PARAMETER_FIELDS, contents, strict=True)
    }
