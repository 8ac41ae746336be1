"""How the lifecycle keeps structures in state: Fabric's keys, and only what changed is written.

A structure `name` under a prefix has `<prefix>/metadata/<name>`, which lists its fields, and
`<prefix>/fields/<name>/<field>` for each. Definitions are public, under `namespaces`; what a
member approved lies in its implicit collection, where other members see hashes only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ledger.crypto.hashing import sha256
from ledger.endorsement.simulation.simulator import (
    LIFECYCLE_NAMESPACE,
    SimulationRefused,
    TransactionSimulator,
)
from ledger.model.private_collections import implicit_name
from ledger.wire import lifecycle_pb2

NAMESPACES = "namespaces"
SOURCES = "chaincode-sources"


@dataclass(frozen=True, slots=True)
class Structure:
    """A name, a type and encoded lifecycle.StateData by field, in the type's order."""

    prefix: str
    name: str
    datatype: str
    fields: Mapping[str, bytes]

    @property
    def metadata(self) -> bytes:
        """lifecycle.StateMetadata bytes."""
        return lifecycle_pb2.StateMetadata(
            datatype=self.datatype, fields=list(self.fields)
        ).SerializeToString()

    def entries(self) -> Iterator[tuple[str, bytes]]:
        """(key, value) of all of it."""
        yield metadata_key(self.prefix, self.name), self.metadata
        for field, value in self.fields.items():
            yield field_key(self.prefix, self.name, field), value


class LifecycleState(Protocol):
    """Where structures are read from and written to, as one transaction sees it."""

    def get(self, key: str) -> bytes:
        """The committed value, empty if absent."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Write a value; an empty one deletes the key."""
        ...


class PublicState:
    """What everybody reads."""

    def __init__(self, simulator: TransactionSimulator) -> None:
        self._simulator = simulator

    def get(self, key: str) -> bytes:
        """See LifecycleState."""
        return self._simulator.get_state(LIFECYCLE_NAMESPACE, key)

    def put(self, key: str, value: bytes) -> None:
        """See LifecycleState."""
        self._simulator.put_state(LIFECYCLE_NAMESPACE, key, value)


class MemberState:
    """One member's implicit collection: its own peers read it, all others compare hashes."""

    def __init__(self, simulator: TransactionSimulator, mspid: str) -> None:
        self._private = simulator.private
        self._collection = implicit_name(mspid)

    def get(self, key: str) -> bytes:
        """See LifecycleState; for peers of the member itself.

        What a peer lost with its ledger is absent: the member can approve it again.
        """
        try:
            return self._private.get(LIFECYCLE_NAMESPACE, self._collection, key)
        except SimulationRefused:
            return b""

    def put(self, key: str, value: bytes) -> None:
        """See LifecycleState."""
        self._private.put(LIFECYCLE_NAMESPACE, self._collection, key, value)

    def get_hash(self, key: str) -> bytes:
        """SHA-256 of the committed value, empty if absent; any peer knows it."""
        return self._private.get_hash(LIFECYCLE_NAMESPACE, self._collection, key)


def metadata_key(prefix: str, name: str) -> str:
    """Key of the list of fields."""
    return f"{prefix}/metadata/{name}"


def field_key(prefix: str, name: str, field: str) -> str:
    """Key of one field."""
    return f"{prefix}/fields/{name}/{field}"


def write_structure(state: LifecycleState, structure: Structure) -> None:
    """Write the fields that differ from what is committed, and the metadata if it does."""
    prefix, name = structure.prefix, structure.name
    metadata = state.get(metadata_key(prefix, name))
    known = lifecycle_pb2.StateMetadata.FromString(metadata).fields
    committed = {field: state.get(field_key(prefix, name, field)) for field in known}
    for field, value in structure.fields.items():
        if committed.pop(field, None) != value:
            state.put(field_key(prefix, name, field), value)
    if metadata != structure.metadata:
        state.put(metadata_key(prefix, name), structure.metadata)
    for field in committed:
        state.put(field_key(prefix, name, field), b"")


def differing_fields(state: MemberState, structure: Structure) -> list[str]:
    """What of a structure a member did not approve, told from hashes; empty: it approved all.

    A member that approved nothing of the kind differs in the type.
    """
    prefix, name = structure.prefix, structure.name
    metadata_hash = state.get_hash(metadata_key(prefix, name))
    hashes = {field: state.get_hash(field_key(prefix, name, field)) for field in structure.fields}
    if metadata_hash != sha256(structure.metadata):
        return [structure.datatype]
    return [field for field, value in structure.fields.items() if hashes[field] != sha256(value)]


def text_data(text: str) -> bytes:
    """lifecycle.StateData bytes of a text."""
    return lifecycle_pb2.StateData(String=text).SerializeToString()


def bytes_data(content: bytes) -> bytes:
    """lifecycle.StateData bytes of an encoded message."""
    return lifecycle_pb2.StateData(Bytes=content).SerializeToString()


def number_data(number: int) -> bytes:
    """lifecycle.StateData bytes of a number."""
    return lifecycle_pb2.StateData(Int64=number).SerializeToString()


def text_of(data: bytes) -> str:
    """The text in lifecycle.StateData bytes, empty if there is none."""
    return lifecycle_pb2.StateData.FromString(data).String
