"""Which private data collections one transaction may use, and what its creator may do there.

The refusals are Fabric's, word for word: clients of its samples look for them.
"""

from collections.abc import Callable

from ledger.crypto.msp import MspRegistry
from ledger.crypto.policy import is_satisfied
from ledger.endorsement.simulation.use import SimulationRefused
from ledger.model.private_collections import Collection, implicit_member
from ledger.model.state import StateSnapshot
from ledger.model.transaction import SignedProposal
from ledger.validation.committed_collections import CommittedCollections

Find = Callable[[str, str], Collection | None]
"""(namespace, collection) to its definition at the transaction's snapshot."""


def _nowhere(_namespace: str, _collection: str) -> Collection | None:
    """For simulations without private data."""
    return None


def _nobody(_collection: Collection) -> bool:
    return False


def access_of(
    proposal: SignedProposal, registry: MspRegistry, snapshot: StateSnapshot
) -> "CollectionAccess":
    """What the creator of a proposal may do with the collections defined in a snapshot."""
    committed = CommittedCollections(snapshot)

    def find(namespace: str, name: str) -> Collection | None:
        mspid = implicit_member(name)
        if mspid is not None and not registry.is_member(mspid):
            return None
        return committed.find(namespace, name)

    def is_member(collection: Collection) -> bool:
        creator = registry.identity(proposal.header.creator)
        return is_satisfied(collection.member_policy, [creator])

    return CollectionAccess(proposal.header.channel.channel_id, find, is_member)


class CollectionAccess:
    """For one proposal; `is_member` says whether its creator satisfies the member policy."""

    __slots__ = ("_channel_id", "_find", "_found", "_is_member", "_members")

    def __init__(
        self,
        channel_id: str = "",
        find: Find = _nowhere,
        is_member: Callable[[Collection], bool] = _nobody,
    ) -> None:
        self._channel_id = channel_id
        self._find = find
        self._is_member = is_member
        self._found: dict[tuple[str, str], Collection | None] = {}
        self._members: dict[Collection, bool] = {}

    def require_defined(self, namespace: str, name: str) -> Collection:
        """The collection, or SimulationRefused."""
        found = self._collection(namespace, name)
        if found is None:
            raise SimulationRefused(
                f"collection [{name}] not defined in the collection config"
                f" for chaincode [{namespace}]"
            )
        return found

    def require_readable(self, namespace: str, name: str) -> None:
        """Refuse a creator who is not among those who may read."""
        collection = self._known(namespace, name)
        if collection.member_only_read and not self._creator_is_member(collection):
            raise SimulationRefused(_no_access("read", namespace, name))

    def require_writable(self, namespace: str, name: str) -> None:
        """Refuse a creator who is not among those who may write."""
        collection = self._known(namespace, name)
        if collection.member_only_write and not self._creator_is_member(collection):
            raise SimulationRefused(_no_access("write", namespace, name))

    def _known(self, namespace: str, name: str) -> Collection:
        found = self._collection(namespace, name)
        if found is None:
            place = f"{self._channel_id}/{namespace}/{name}"
            raise SimulationRefused(f"collection {place} could not be found")
        return found

    def _collection(self, namespace: str, name: str) -> Collection | None:
        place = (namespace, name)
        if place not in self._found:
            self._found[place] = self._find(namespace, name)
        return self._found[place]

    def _creator_is_member(self, collection: Collection) -> bool:
        known = self._members.get(collection)
        if known is None:
            known = self._members[collection] = self._is_member(collection)
        return known


def _no_access(what: str, namespace: str, name: str) -> str:
    return (
        f"tx creator does not have {what} access permission on privatedata in"
        f" chaincodeName:{namespace} collectionName: {name}"
    )
