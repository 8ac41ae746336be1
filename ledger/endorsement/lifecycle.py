"""The `_lifecycle` system chaincode: members agree on a chaincode before it may change state.

A peer endorses the commit of a definition only if its own operator approved exactly that
definition (in the peer's configuration), so the channel's LifecycleEndorsement policy counts
approving members. Installing packages and approvals on the ledger are a later issue.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf.message import DecodeError

from ledger.crypto.channel_policies import DEFAULT_APPLICATION_POLICY
from ledger.endorsement.definitions import (
    ENDORSEMENT_PLUGIN,
    FIELDS,
    METADATA_PREFIX,
    VALIDATION_PLUGIN,
    FullDefinition,
    committed_definition,
    decode_definition,
    encode_definition,
    metadata_key,
)
from ledger.endorsement.peer_session import Execution
from ledger.endorsement.simulator import LIFECYCLE_NAMESPACE, TransactionSimulator
from ledger.errors import GridledgerError
from ledger.model.definition_keys import field_key
from ledger.model.transaction import ChaincodeResponse
from ledger.wire import lifecycle_pb2, protos_pb2

__all__ = ["Lifecycle", "committed_definition"]

STATUS_OK = 200
STATUS_NOT_FOUND = 404
STATUS_ERROR = 500
METADATA_END = METADATA_PREFIX + "\U0010ffff"


LifecycleFunction = Callable[[bytes, TransactionSimulator], bytes]
"""Takes an encoded argument message, gives an encoded result message."""


class LifecycleRefused(GridledgerError):  # noqa: N818 - a fact about one request
    """The request cannot be served; `status` goes into the response."""

    def __init__(self, text: str, status: int = STATUS_ERROR) -> None:
        super().__init__(text)
        self.status = status


class Lifecycle:
    """Runs lifecycle functions on one peer."""

    def __init__(self, mspid: str, approved: Sequence[FullDefinition]) -> None:
        """`approved` are the definitions this member's operator agreed to."""
        self._mspid = mspid
        self._approved = {(d.name, d.sequence): d for d in approved}
        self._functions: Mapping[str, LifecycleFunction] = {
            "CommitChaincodeDefinition": self._commit,
            "CheckCommitReadiness": self._check_readiness,
            "QueryChaincodeDefinition": self._query,
            "QueryChaincodeDefinitions": self._query_all,
        }

    def invoke(self, args: Sequence[bytes], simulator: TransactionSimulator) -> Execution:
        """Run one function: its name, then one encoded message of package `lifecycle`."""
        name = args[0].decode("utf-8", "replace") if args else ""
        try:
            payload = self._function(name, len(args))(args[-1], simulator)
            response = ChaincodeResponse(STATUS_OK, "", payload)
        except LifecycleRefused as refusal:
            text = f"failed to invoke backing implementation of '{name[:80]}': {refusal}"
            response = ChaincodeResponse(refusal.status, text, b"")
        except DecodeError:
            text = f"failed to decode input arg to {name}"
            response = ChaincodeResponse(STATUS_ERROR, text, b"")
        return Execution(response, None, simulator)

    def _function(self, name: str, arguments: int) -> LifecycleFunction:
        function = self._functions.get(name)
        if function is None or arguments != 2:  # noqa: PLR2004 - name and message
            raise LifecycleRefused(f"there is no function {name[:80]!r} with one argument")
        return function

    def _commit(self, raw: bytes, simulator: TransactionSimulator) -> bytes:
        wanted = _definition(lifecycle_pb2.CommitChaincodeDefinitionArgs.FromString(raw))
        self._require_next(wanted, simulator)
        approved = self._approved.get((wanted.name, wanted.sequence))
        if approved is None:
            raise LifecycleRefused(
                f"chaincode definition not agreed to by this org ({self._mspid})"
            )
        if approved != wanted:
            differing = ", ".join(_differences(approved, wanted))
            raise LifecycleRefused(
                f"chaincode definition not agreed to by this org ({self._mspid}): "
                f"it approved another {differing}"
            )
        for key, value in encode_definition(wanted):
            simulator.put_state(LIFECYCLE_NAMESPACE, key, value)
        return lifecycle_pb2.CommitChaincodeDefinitionResult().SerializeToString()

    def _check_readiness(self, raw: bytes, simulator: TransactionSimulator) -> bytes:
        """This member's own approval; other members' are in their peers' configuration."""
        wanted = _definition(lifecycle_pb2.CheckCommitReadinessArgs.FromString(raw))
        self._require_next(wanted, simulator)
        agreed = self._approved.get((wanted.name, wanted.sequence)) == wanted
        return lifecycle_pb2.CheckCommitReadinessResult(
            approvals={self._mspid: agreed}
        ).SerializeToString(deterministic=True)

    def _query(self, raw: bytes, simulator: TransactionSimulator) -> bytes:
        name = lifecycle_pb2.QueryChaincodeDefinitionArgs.FromString(raw).name
        found = _committed(name, simulator) if name else None
        if found is None:
            raise LifecycleRefused(f"namespace {name[:80]} is not defined", STATUS_NOT_FOUND)
        return lifecycle_pb2.QueryChaincodeDefinitionResult(
            **_wire_fields(found)
        ).SerializeToString(deterministic=True)

    def _query_all(self, _raw: bytes, simulator: TransactionSimulator) -> bytes:
        scan = simulator.scan(LIFECYCLE_NAMESPACE, METADATA_PREFIX, METADATA_END)
        names = []
        while (row := scan.next_row()) is not None:
            names.append(row[0].removeprefix(METADATA_PREFIX))
        found = [_committed(name, simulator) for name in names]
        return lifecycle_pb2.QueryChaincodeDefinitionsResult(
            chaincode_definitions=[
                lifecycle_pb2.QueryChaincodeDefinitionsResult.ChaincodeDefinition(
                    name=definition.name, **_wire_fields(definition)
                )
                for definition in found
                if definition is not None
            ]
        ).SerializeToString(deterministic=True)

    def _require_next(self, wanted: FullDefinition, simulator: TransactionSimulator) -> None:
        if not wanted.name or not wanted.version:
            raise LifecycleRefused("a definition needs a name and a version")
        simulator.get_state(LIFECYCLE_NAMESPACE, metadata_key(wanted.name))
        raw = simulator.get_state(LIFECYCLE_NAMESPACE, field_key(wanted.name, "Sequence"))
        following = lifecycle_pb2.StateData.FromString(raw).Int64 + 1
        if wanted.sequence != following:
            raise LifecycleRefused(
                f"requested sequence is {wanted.sequence}, but new definition must be sequence"
                f" {following}"
            )


def _definition(
    wire: lifecycle_pb2.CommitChaincodeDefinitionArgs | lifecycle_pb2.CheckCommitReadinessArgs,
) -> FullDefinition:
    """A definition as asked for, with Fabric's defaults for what is left out."""
    collections = b""
    if wire.HasField("collections"):
        collections = wire.collections.SerializeToString(deterministic=True)
    return FullDefinition(
        name=wire.name,
        sequence=wire.sequence,
        version=wire.version,
        policy=wire.validation_parameter or DEFAULT_APPLICATION_POLICY,
        endorsement_plugin=wire.endorsement_plugin or ENDORSEMENT_PLUGIN,
        validation_plugin=wire.validation_plugin or VALIDATION_PLUGIN,
        collections=collections,
        init_required=wire.init_required,
    )


def _committed(name: str, simulator: TransactionSimulator) -> FullDefinition | None:
    raw = [simulator.get_state(LIFECYCLE_NAMESPACE, field_key(name, field)) for field in FIELDS]
    return decode_definition(name, *raw) if raw[0] else None


def _wire_fields(definition: FullDefinition) -> dict[str, Any]:
    return {
        "sequence": definition.sequence,
        "version": definition.version,
        "endorsement_plugin": definition.endorsement_plugin,
        "validation_plugin": definition.validation_plugin,
        "validation_parameter": definition.policy,
        "collections": protos_pb2.CollectionConfigPackage.FromString(definition.collections),
        "init_required": definition.init_required,
    }


def _differences(approved: FullDefinition, wanted: FullDefinition) -> list[str]:
    return [
        name
        for name in ("version", "policy", "endorsement_plugin", "validation_plugin",
                     "collections", "init_required")
        if getattr(approved, name) != getattr(wanted, name)
    ]  # fmt: skip


def encode_commit_arguments(definition: FullDefinition) -> tuple[bytes, bytes]:
    """Arguments of the proposal that commits a definition, for an operator's client."""
    collections = None
    if definition.collections:
        collections = protos_pb2.CollectionConfigPackage.FromString(definition.collections)
    message = lifecycle_pb2.CommitChaincodeDefinitionArgs(
        sequence=definition.sequence,
        name=definition.name,
        version=definition.version,
        endorsement_plugin=definition.endorsement_plugin,
        validation_plugin=definition.validation_plugin,
        validation_parameter=definition.policy,
        collections=collections,
        init_required=definition.init_required,
    )
    return b"CommitChaincodeDefinition", message.SerializeToString(deterministic=True)


def encode_query_arguments(name: str) -> tuple[bytes, bytes]:
    """Arguments of the proposal that asks for a committed definition."""
    message = lifecycle_pb2.QueryChaincodeDefinitionArgs(name=name)
    return b"QueryChaincodeDefinition", message.SerializeToString()


def decode_sequence(result: bytes) -> int:
    """Sequence number in the answer to that query."""
    return lifecycle_pb2.QueryChaincodeDefinitionResult.FromString(result).sequence
