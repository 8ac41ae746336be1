"""Lifecycle messages to and from definitions: what clients send, what the peer answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ledger.crypto.channel_policies import DEFAULT_APPLICATION_POLICY
from ledger.endorsement.lifecycle.definitions import (
    ENDORSEMENT_PLUGIN,
    VALIDATION_PLUGIN,
    FullDefinition,
)
from ledger.wire import lifecycle_pb2, protos_pb2

DefinitionMessage = (
    lifecycle_pb2.ApproveChaincodeDefinitionForMyOrgArgs
    | lifecycle_pb2.CommitChaincodeDefinitionArgs
    | lifecycle_pb2.CheckCommitReadinessArgs
)

INSTALL = "InstallChaincode"
QUERY_INSTALLED = "QueryInstalledChaincode"
QUERY_ALL_INSTALLED = "QueryInstalledChaincodes"
GET_PACKAGE = "GetInstalledChaincodePackage"
APPROVE = "ApproveChaincodeDefinitionForMyOrg"
QUERY_APPROVED = "QueryApprovedChaincodeDefinition"
QUERY_ALL_APPROVED = "QueryApprovedChaincodeDefinitions"
CHECK_READINESS = "CheckCommitReadiness"
COMMIT = "CommitChaincodeDefinition"
QUERY_COMMITTED = "QueryChaincodeDefinition"
QUERY_ALL_COMMITTED = "QueryChaincodeDefinitions"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Who agreed on a definition."""

    approvals: Mapping[str, bool]
    """By MSP id, of every member of the channel."""
    mismatches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What those who did not agree approved otherwise, by MSP id."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A definition a member approved, and the package its peers run for it (empty: none)."""

    definition: FullDefinition
    package_id: str


def definition_of(wire: DefinitionMessage) -> FullDefinition:
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


def definition_fields(definition: FullDefinition) -> dict[str, Any]:
    """The fields all messages with a definition share, but for its name."""
    collections = None
    if definition.collections:
        collections = protos_pb2.CollectionConfigPackage.FromString(definition.collections)
    return {
        "sequence": definition.sequence,
        "version": definition.version,
        "endorsement_plugin": definition.endorsement_plugin,
        "validation_plugin": definition.validation_plugin,
        "validation_parameter": definition.policy,
        "collections": collections,
        "init_required": definition.init_required,
    }


def answered_fields(definition: FullDefinition) -> dict[str, Any]:
    """The same in an answer, where Fabric always sets the collections."""
    collections = protos_pb2.CollectionConfigPackage.FromString(definition.collections)
    return {**definition_fields(definition), "collections": collections}


def source_of(package_id: str) -> lifecycle_pb2.ChaincodeSource:
    """Where the chaincode comes from."""
    if not package_id:
        unavailable = lifecycle_pb2.ChaincodeSource.Unavailable()
        return lifecycle_pb2.ChaincodeSource(unavailable=unavailable)
    local = lifecycle_pb2.ChaincodeSource.Local(package_id=package_id)
    return lifecycle_pb2.ChaincodeSource(local_package=local)


# -- for clients ----------------------------------------------------------------------------------


def encode_approve_arguments(definition: FullDefinition, package_id: str) -> bytes:
    """Of the proposal by which a member's administrator approves a definition."""
    return lifecycle_pb2.ApproveChaincodeDefinitionForMyOrgArgs(
        name=definition.name, source=source_of(package_id), **definition_fields(definition)
    ).SerializeToString(deterministic=True)


def encode_commit_arguments(definition: FullDefinition) -> bytes:
    """Of the proposal that commits a definition."""
    return lifecycle_pb2.CommitChaincodeDefinitionArgs(
        name=definition.name, **definition_fields(definition)
    ).SerializeToString(deterministic=True)


def encode_readiness_arguments(definition: FullDefinition) -> bytes:
    """Of the question who approved a definition."""
    return lifecycle_pb2.CheckCommitReadinessArgs(
        name=definition.name, **definition_fields(definition)
    ).SerializeToString(deterministic=True)


def decode_readiness(raw: bytes) -> Readiness:
    """The answer to it."""
    wire = lifecycle_pb2.CheckCommitReadinessResult.FromString(raw)
    return Readiness(
        approvals=dict(wire.approvals),
        mismatches={mspid: tuple(one.items) for mspid, one in wire.mismatches.items()},
    )


def encode_install_arguments(package_raw: bytes) -> bytes:
    """Of the proposal that installs a package on one peer."""
    return lifecycle_pb2.InstallChaincodeArgs(
        chaincode_install_package=package_raw
    ).SerializeToString()


def decode_install_result(raw: bytes) -> str:
    """The id of the package that was installed."""
    return lifecycle_pb2.InstallChaincodeResult.FromString(raw).package_id


def encode_get_package_arguments(package_id: str) -> bytes:
    """Of the question for a package as it was installed."""
    return lifecycle_pb2.GetInstalledChaincodePackageArgs(
        package_id=package_id
    ).SerializeToString()


def decode_package(raw: bytes) -> bytes:
    """The answer to it."""
    found = lifecycle_pb2.GetInstalledChaincodePackageResult.FromString(raw)
    return found.chaincode_install_package


def encode_query_arguments(name: str) -> bytes:
    """Of the question for one committed definition."""
    return lifecycle_pb2.QueryChaincodeDefinitionArgs(name=name).SerializeToString()


def decode_committed(name: str, raw: bytes) -> tuple[FullDefinition, dict[str, bool]]:
    """The answer to it: the definition, and who approved it."""
    wire = lifecycle_pb2.QueryChaincodeDefinitionResult.FromString(raw)
    return _answered(name, wire), dict(wire.approvals)


def decode_all_committed(raw: bytes) -> list[FullDefinition]:
    """All definitions on the channel."""
    wire = lifecycle_pb2.QueryChaincodeDefinitionsResult.FromString(raw)
    return [_answered(one.name, one) for one in wire.chaincode_definitions]


def encode_query_approved_arguments(name: str, sequence: int) -> bytes:
    """Of the question what one's own member approved; sequence 0: the newest."""
    return lifecycle_pb2.QueryApprovedChaincodeDefinitionArgs(
        name=name, sequence=sequence
    ).SerializeToString()


def decode_approved(name: str, raw: bytes) -> Approval:
    """The answer to it."""
    wire = lifecycle_pb2.QueryApprovedChaincodeDefinitionResult.FromString(raw)
    return Approval(_answered(name, wire), wire.source.local_package.package_id)


def decode_all_installed(raw: bytes) -> dict[str, list[tuple[str, str]]]:
    """(chaincode, version) that run from each package, by package id."""
    wire = lifecycle_pb2.QueryInstalledChaincodesResult.FromString(raw)
    return {
        one.package_id: [
            (chaincode.name, chaincode.version)
            for references in one.references.values()
            for chaincode in references.chaincodes
        ]
        for one in wire.installed_chaincodes
    }


def _answered(name: str, wire: Any) -> FullDefinition:
    return replace(
        FullDefinition(name, wire.sequence, wire.version),
        policy=wire.validation_parameter,
        endorsement_plugin=wire.endorsement_plugin,
        validation_plugin=wire.validation_plugin,
        collections=wire.collections.SerializeToString(deterministic=True),
        init_required=wire.init_required,
    )


# -- answers --------------------------------------------------------------------------------------

References = Mapping[str, Iterable[tuple[str, str]]]
"""(chaincode, version) that run from a package, by channel."""


def encode_installed(package_id: str, label: str, references: References) -> bytes:
    """One installed package."""
    result = lifecycle_pb2.QueryInstalledChaincodeResult(package_id=package_id, label=label)
    _add_references(result, references)
    return result.SerializeToString(deterministic=True)


def encode_all_installed(packages: Iterable[tuple[str, str, References]]) -> bytes:
    """(package id, label, references) of all of them."""
    result = lifecycle_pb2.QueryInstalledChaincodesResult()
    for package_id, label, references in packages:
        one = result.installed_chaincodes.add(package_id=package_id, label=label)
        _add_references(one, references)
    return result.SerializeToString(deterministic=True)


def _add_references(result: Any, references: References) -> None:
    for channel_id, chaincodes in references.items():
        for name, version in chaincodes:
            result.references[channel_id].chaincodes.add(name=name, version=version)


def encode_readiness(readiness: Readiness) -> bytes:
    """Who approved."""
    result = lifecycle_pb2.CheckCommitReadinessResult(approvals=readiness.approvals)
    for mspid, items in readiness.mismatches.items():
        result.mismatches[mspid].items.extend(items)
    return result.SerializeToString(deterministic=True)


def encode_approved(approval: Approval) -> bytes:
    """One approval of the peer's own member."""
    return lifecycle_pb2.QueryApprovedChaincodeDefinitionResult(
        source=source_of(approval.package_id), **answered_fields(approval.definition)
    ).SerializeToString(deterministic=True)


def encode_all_approved(approvals: Iterable[Approval]) -> bytes:
    """All of them."""
    result = lifecycle_pb2.QueryApprovedChaincodeDefinitionsResult()
    for one in approvals:
        result.approved_chaincode_definitions.add(
            name=one.definition.name,
            source=source_of(one.package_id),
            **answered_fields(one.definition),
        )
    return result.SerializeToString(deterministic=True)


def encode_committed(definition: FullDefinition, approvals: Mapping[str, bool]) -> bytes:
    """One committed definition."""
    return lifecycle_pb2.QueryChaincodeDefinitionResult(
        approvals=approvals, **answered_fields(definition)
    ).SerializeToString(deterministic=True)


def encode_all_committed(definitions: Iterable[FullDefinition]) -> bytes:
    """All of them."""
    result = lifecycle_pb2.QueryChaincodeDefinitionsResult()
    for one in definitions:
        result.chaincode_definitions.add(name=one.name, **answered_fields(one))
    return result.SerializeToString(deterministic=True)
