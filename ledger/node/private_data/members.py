"""Which peers are members of a private data collection, in the configuration in force."""

from ledger.model.config import Consenter
from ledger.model.private_collections import Collection
from ledger.model.state import StateReader
from ledger.node.membership.channel import CurrentChannel
from ledger.validation.committed_collections import CommittedCollections


class PrivateMembers:
    """Of one peer's point of view."""

    def __init__(
        self, *, mspid: str, own_id: int, channel: CurrentChannel, state: StateReader
    ) -> None:
        self.mspid = mspid
        self._own_id = own_id
        self._channel = channel
        self._state = state

    def collection(self, namespace: str, name: str) -> Collection | None:
        """The committed collection of now."""
        return CommittedCollections(self._state).find(namespace, name)

    def is_own(self, collection: Collection) -> bool:
        """Whether this peer's organization is a member."""
        return self.mspid in collection.members

    def has(self, consenter_id: int, collection: Collection) -> bool:
        """Whether another validator's peer may have the collection's values."""
        return any(
            one.consenter_id == consenter_id and one.mspid in collection.members
            for one in self._consenters()
        )

    def others(self, collection: Collection) -> list[Consenter]:
        """The other members' peers, and other peers of this organization."""
        return [
            one
            for one in self._consenters()
            if one.mspid in collection.members and one.consenter_id != self._own_id
        ]

    def of_organizations(self, mspids: frozenset[str]) -> list[int]:
        """Consenter ids of other peers of these members."""
        return [
            one.consenter_id
            for one in self._consenters()
            if one.mspid in mspids and one.consenter_id != self._own_id
        ]

    def _consenters(self) -> tuple[Consenter, ...]:
        return self._channel.state.config.consenters
