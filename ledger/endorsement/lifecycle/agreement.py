"""Approving, committing and asking for chaincode definitions, in one peer's simulation."""

from collections.abc import Callable, Sequence

from ledger.endorsement.lifecycle.definitions import (
    METADATA_END,
    METADATA_PREFIX,
    PACKAGE_FIELD,
    PARAMETER_FIELDS,
    FullDefinition,
    approval_structure,
    decode_definition,
    definition_structure,
    source_structure,
)
from ledger.endorsement.lifecycle.messages import (
    Approval,
    Readiness,
    definition_of,
    encode_all_approved,
    encode_all_committed,
    encode_approved,
    encode_committed,
    encode_readiness,
)
from ledger.endorsement.lifecycle.rules import (
    LifecycleRefused,
    require_approvable,
    require_definable,
    require_next,
)
from ledger.endorsement.lifecycle.structures import (
    NAMESPACES,
    SOURCES,
    LifecycleState,
    MemberState,
    PublicState,
    differing_fields,
    field_key,
    metadata_key,
    number_data,
    text_of,
    write_structure,
)
from ledger.endorsement.simulation.simulator import LIFECYCLE_NAMESPACE, TransactionSimulator
from ledger.endorsement.system.chaincodes import STATUS_NOT_FOUND
from ledger.model.private_collections import implicit_name
from ledger.wire import lifecycle_pb2


class DefinitionFunctions:
    """The functions of `_lifecycle` about definitions; each raises LifecycleRefused."""

    def __init__(
        self, *, mspid: str, channel_id: str, members: Callable[[], Sequence[str]]
    ) -> None:
        """`mspid` is the peer's own member, `members` are those of the channel now."""
        self._mspid = mspid
        self._channel_id = channel_id
        self._members = members

    def approve(self, raw: bytes, simulator: TransactionSimulator) -> bytes:
        """ApproveChaincodeDefinitionForMyOrg: written where only this member's peers read."""
        wire = lifecycle_pb2.ApproveChaincodeDefinitionForMyOrgArgs.FromString(raw)
        wanted, public = definition_of(wire), PublicState(simulator)
        package_id = wire.source.local_package.package_id
        committed = _committed(wanted.name, public)
        require_definable(wanted, committed, self._members())
        require_approvable(wanted, committed, _committed_sequence(wanted.name, public))
        own = MemberState(simulator, self._mspid)
        self._require_changed(Approval(wanted, package_id), committed, own)
        write_structure(own, approval_structure(wanted))
        write_structure(own, source_structure(wanted, package_id))
        return lifecycle_pb2.ApproveChaincodeDefinitionForMyOrgResult().SerializeToString()

    def _require_changed(
        self, wanted: Approval, committed: FullDefinition | None, own: MemberState
    ) -> None:
        """An approval that changes nothing would be an empty transaction."""
        definition = wanted.definition
        if _approval(definition.name, definition.sequence, own) != wanted:
            return
        if committed is not None and committed.sequence == definition.sequence:
            raise LifecycleRefused(
                "attempted to redefine the current committed sequence"
                f" ({definition.sequence}) for namespace {definition.name}"
            )
        raise LifecycleRefused(
            f"attempted to redefine uncommitted sequence ({definition.sequence}) for namespace"
            f" {definition.name} with unchanged content"
        )

    def query_approved(self, raw: bytes, simulator: TransactionSimulator) -> bytes:
        """QueryApprovedChaincodeDefinition; sequence 0 asks for the newest."""
        wire = lifecycle_pb2.QueryApprovedChaincodeDefinitionArgs.FromString(raw)
        own, name, sequence = MemberState(simulator, self._mspid), wire.name, wire.sequence
        if sequence == 0:
            sequence = _committed_sequence(name, PublicState(simulator))
            if own.get(metadata_key(NAMESPACES, f"{name}#{sequence + 1}")):
                sequence += 1
        approval = _approval(name, sequence, own)
        if approval is None:
            raise LifecycleRefused(
                f"could not fetch approved chaincode definition (name: '{name[:80]}', sequence:"
                f" '{sequence}') on channel '{self._channel_id}'"
            )
        return encode_approved(approval)

    def query_all_approved(self, _raw: bytes, simulator: TransactionSimulator) -> bytes:
        """QueryApprovedChaincodeDefinitions."""
        own = MemberState(simulator, self._mspid)
        scan = simulator.private.scan(
            LIFECYCLE_NAMESPACE, implicit_name(self._mspid), METADATA_PREFIX, METADATA_END
        )
        found = []
        while (row := scan.next_row()) is not None:
            name, _, sequence = row[0].removeprefix(METADATA_PREFIX).rpartition("#")
            found.append(_approval(name, int(sequence), own))
        return encode_all_approved(approval for approval in found if approval is not None)

    def check_readiness(self, raw: bytes, simulator: TransactionSimulator) -> bytes:
        """CheckCommitReadiness: who approved exactly this definition, and who another."""
        wanted = definition_of(lifecycle_pb2.CheckCommitReadinessArgs.FromString(raw))
        require_next(wanted, _committed_sequence(wanted.name, PublicState(simulator)))
        return encode_readiness(self._readiness(wanted, simulator))

    def commit(self, raw: bytes, simulator: TransactionSimulator) -> bytes:
        """CommitChaincodeDefinition: endorsed only where this member approved it."""
        wanted = definition_of(lifecycle_pb2.CommitChaincodeDefinitionArgs.FromString(raw))
        public = PublicState(simulator)
        require_definable(wanted, _committed(wanted.name, public), self._members())
        require_next(wanted, _committed_sequence(wanted.name, public))
        readiness = self._readiness(wanted, simulator)
        if not readiness.approvals.get(self._mspid):
            raise LifecycleRefused(
                f"chaincode definition not agreed to by this org ({self._mspid})"
            )
        write_structure(public, definition_structure(wanted))
        return lifecycle_pb2.CommitChaincodeDefinitionResult().SerializeToString()

    def query(self, raw: bytes, simulator: TransactionSimulator) -> bytes:
        """QueryChaincodeDefinition, with who approved it."""
        name = lifecycle_pb2.QueryChaincodeDefinitionArgs.FromString(raw).name
        found = _committed(name, PublicState(simulator)) if name else None
        if found is None:
            raise LifecycleRefused(f"namespace {name[:80]} is not defined", STATUS_NOT_FOUND)
        return encode_committed(found, self._readiness(found, simulator).approvals)

    def query_all(self, _raw: bytes, simulator: TransactionSimulator) -> bytes:
        """QueryChaincodeDefinitions."""
        public = PublicState(simulator)
        scan = simulator.scan(LIFECYCLE_NAMESPACE, METADATA_PREFIX, METADATA_END)
        found = []
        while (row := scan.next_row()) is not None:
            found.append(_committed(row[0].removeprefix(METADATA_PREFIX), public))
        return encode_all_committed(one for one in found if one is not None)

    def _readiness(self, wanted: FullDefinition, simulator: TransactionSimulator) -> Readiness:
        structure = approval_structure(wanted)
        differing = {
            mspid: differing_fields(MemberState(simulator, mspid), structure)
            for mspid in self._members()
        }
        return Readiness(
            approvals={mspid: not fields for mspid, fields in differing.items()},
            mismatches={mspid: tuple(fields) for mspid, fields in differing.items() if fields},
        )


def _committed_sequence(name: str, public: LifecycleState) -> int:
    raw = public.get(field_key(NAMESPACES, name, "Sequence"))
    return lifecycle_pb2.StateData.FromString(raw).Int64


def _committed(name: str, public: LifecycleState) -> FullDefinition | None:
    """As Fabric reads it: the fields of a definition only where there is one."""
    if not public.get(metadata_key(NAMESPACES, name)):
        return None
    fields = [
        public.get(field_key(NAMESPACES, name, field)) for field in ("Sequence", *PARAMETER_FIELDS)
    ]
    return decode_definition(name, *fields)


def _approval(name: str, sequence: int, own: LifecycleState) -> Approval | None:
    private_name = f"{name}#{sequence}"
    if not own.get(metadata_key(NAMESPACES, private_name)):
        return None
    fields = [own.get(field_key(NAMESPACES, private_name, field)) for field in PARAMETER_FIELDS]
    definition = decode_definition(name, number_data(sequence), *fields)
    own.get(metadata_key(SOURCES, private_name))
    package_id = text_of(own.get(field_key(SOURCES, private_name, PACKAGE_FIELD)))
    return Approval(definition, package_id)
