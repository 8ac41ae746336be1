"""Whether this peer may run a chaincode now, and which package of its own it runs for it.

Committed on the channel, approved by the peer's own member, the package installed, initialised
where the definition asks for it. Texts are Fabric's.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ledger.crypto.hashing import sha256
from ledger.endorsement.lifecycle.definitions import (
    METADATA_END,
    METADATA_PREFIX,
    PACKAGE_FIELD,
    PARAMETER_FIELDS,
    FullDefinition,
    approval_structure,
    decode_definition,
    full_definition,
)
from ledger.endorsement.lifecycle.structures import (
    NAMESPACES,
    SOURCES,
    field_key,
    number_data,
    text_data,
)
from ledger.endorsement.runtimes.peer_session import ExecutionFailed
from ledger.endorsement.simulation.simulator import SimulationRefused, TransactionSimulator
from ledger.model.definition_keys import LIFECYCLE_NAMESPACE
from ledger.model.private_collections import implicit_name
from ledger.model.state import StateReader, StateSnapshot, hashed_key, hashed_namespace
from ledger.model.transaction import SignedProposal

INITIALIZED_KEY = "\0\U0010ffffinitialized"
"""State key in a chaincode's own namespace with the version that was initialised last."""


class NotInvocable(ExecutionFailed):
    """The channel's members, or this peer's operator, have not made the chaincode ready here."""


@dataclass(frozen=True, slots=True)
class Invocable:
    """A chaincode this peer runs."""

    name: str
    version: str
    package_id: str
    init_required: bool


class MemberChaincodes:
    """What one member agreed to run, told by its own peers from the ledger.

    The hashes that everybody has are enough, as in Fabric: a peer that lost its ledger, and with
    it what only its member's peers keep, still runs what its member approved.
    """

    def __init__(
        self, *, mspid: str, channel_id: str, packages: Callable[[], Iterable[str]]
    ) -> None:
        """`packages` are the ids of what this peer could run."""
        self._collection = implicit_name(mspid)
        self._hashes = hashed_namespace(LIFECYCLE_NAMESPACE, self._collection)
        self._channel_id = channel_id
        self._packages = packages
        self._found: dict[str, tuple[int, Invocable]] = {}
        """The answer for each chaincode at the height it was asked for last."""

    def invocable(self, name: str, state: StateSnapshot) -> Invocable:
        """The chaincode as it is to be run at this height; raises NotInvocable."""
        height, found = self._found.get(name, (0, None))
        if found is not None and height == state.height:
            return found
        found = self._invocable(name, state)
        self._found[name] = (state.height, found)
        return found

    def _invocable(self, name: str, state: StateSnapshot) -> Invocable:
        try:
            definition = _require_committed(name, state)
            package_id = self._package(definition, state)
        except NotInvocable as reason:
            raise NotInvocable(
                f"make sure the chaincode {name[:80]} has been successfully defined on channel"
                f" {self._channel_id} and try again: {reason}"
            ) from reason
        return Invocable(name, definition.version, package_id, definition.init_required)

    def _package(self, definition: FullDefinition, state: StateSnapshot) -> str:
        name, sequence = definition.name, definition.sequence
        if not self._has_approved(definition, state):
            raise NotInvocable(
                f"chaincode definition for '{name}' at sequence {sequence} on channel"
                f" '{self._channel_id}' has not yet been approved by this org"
            )
        package_id = self._package_id(definition, state)
        if not package_id:
            raise NotInvocable(
                f"chaincode definition for '{name}' exists, but chaincode is not installed"
            )
        return package_id

    def _has_approved(self, definition: FullDefinition, state: StateReader) -> bool:
        structure = approval_structure(definition)
        return all(self._is_hash_of(key, value, state) for key, value in structure.entries())

    def _package_id(self, definition: FullDefinition, state: StateReader) -> str:
        """Which of this peer's packages the member runs for a definition; empty: none."""
        key = field_key(SOURCES, definition.private_name, PACKAGE_FIELD)
        for package_id in self._packages():
            if self._is_hash_of(key, text_data(package_id), state):
                return package_id
        return ""

    def _is_hash_of(self, key: str, value: bytes, state: StateReader) -> bool:
        found = state.get_state(self._hashes, hashed_key(sha256(key.encode())))
        return found is not None and found.value == sha256(value)

    def to_run(self, state: StateSnapshot) -> Iterator[Invocable]:
        """What is committed, and approved successors, as far as this peer has the packages."""
        for name in committed_names(state):
            try:
                yield self.invocable(name, state)
            except NotInvocable:
                continue
        rows = state.range_private(
            LIFECYCLE_NAMESPACE, self._collection, METADATA_PREFIX, METADATA_END
        )
        for key, _ in rows:
            name, _, number = key.removeprefix(METADATA_PREFIX).rpartition("#")
            committed = full_definition(name, state)
            if int(number) != (1 if committed is None else committed.sequence + 1):
                continue
            approved = self._approved(name, int(number), state)
            if package_id := self._package_id(approved, state):
                yield Invocable(name, approved.version, package_id, approved.init_required)

    def _approved(self, name: str, sequence: int, state: StateSnapshot) -> FullDefinition:
        """What this peer was given of its member's approval."""
        private_name = f"{name}#{sequence}"
        found = [
            state.get_private(
                LIFECYCLE_NAMESPACE, self._collection, field_key(NAMESPACES, private_name, field)
            )
            for field in PARAMETER_FIELDS
        ]
        fields = [b"" if one is None else one.value for one in found]
        return decode_definition(name, number_data(sequence), *fields)

    def references(self, package_id: str, state: StateSnapshot) -> list[tuple[str, str]]:
        """(chaincode, version) on the channel that run from a package."""
        found = []
        for name in committed_names(state):
            definition = full_definition(name, state)
            if definition is not None and self._package_id(definition, state) == package_id:
                found.append((name, definition.version))
        return found


def _require_committed(name: str, state: StateReader) -> FullDefinition:
    definition = full_definition(name, state)
    if definition is None:
        raise NotInvocable(f"chaincode {name[:80]} not found")
    return definition


def committed_names(state: StateReader) -> list[str]:
    """Chaincodes that are defined on the channel, by name."""
    rows = state.range_state(LIFECYCLE_NAMESPACE, METADATA_PREFIX, METADATA_END)
    return [key.removeprefix(METADATA_PREFIX) for key, _ in rows]


def require_initialised(
    chaincode: Invocable, proposal: SignedProposal, state: StateReader, *, is_init: bool
) -> None:
    """Initialise exactly once for each version, where asked for; raises ExecutionFailed."""
    found = state.get_state(chaincode.name, INITIALIZED_KEY)
    is_done = found is not None and found.value == chaincode.version.encode()
    name = f"chaincode '{chaincode.name}'"
    if is_init and not chaincode.init_required:
        reason = f"{name} does not require initialization but called as init"
    elif is_init and is_done:
        reason = f"{name} is already initialized but called as init"
    elif not is_init and chaincode.init_required and not is_done:
        reason = f"{name} has not been initialized for this version, must call as init first"
    else:
        return
    raise ExecutionFailed(
        f"failed to execute transaction {proposal.tx_id}: invalid invocation: {reason}"
    )


def note_initialisation(
    chaincode: Invocable, simulator: TransactionSimulator, *, is_init: bool
) -> None:
    """Record what `require_initialised` read, and that this transaction initialises.

    Raises ExecutionFailed when the simulation has come to a limit, or may write no more.
    """
    try:
        if chaincode.init_required:
            simulator.get_state(chaincode.name, INITIALIZED_KEY)
        if is_init:
            simulator.put_state(chaincode.name, INITIALIZED_KEY, chaincode.version.encode())
    except SimulationRefused as refusal:
        raise ExecutionFailed(str(refusal)) from refusal
