"""Private data in block streams: what the asking client's organization is a member of."""

from collections.abc import Awaitable, Callable, Mapping

from ledger.crypto.msp import Identity
from ledger.crypto.policy import is_satisfied
from ledger.errors import InvalidMessage
from ledger.model.private_rwset import PrivateCollectionSet, PrivateReadWriteSet
from ledger.node.membership.channel import CurrentChannel
from ledger.storage.ledger_store import LedgerStore
from ledger.storage.private_keyspace import SetPlace
from ledger.validation.committed_collections import CommittedCollections


class PrivateDelivery:
    """`ledger.rpc.deliver_service.PrivateDataOf` of one peer."""

    def __init__(
        self,
        store: LedgerStore,
        channel: CurrentChannel,
        settled: Callable[[], Awaitable[None]],
    ) -> None:
        """`settled` waits a little while values of the newest blocks are on their way here."""
        self._store = store
        self._channel = channel
        self._settled = settled

    async def __call__(self, number: int, identity: bytes) -> Mapping[int, PrivateReadWriteSet]:
        """Private writes by position in the block, of the collections in force now."""
        await self._settled()
        try:
            person = self._channel.state.registry.identity(identity)
        except InvalidMessage:
            return {}
        view = self._store.snapshot()
        collections = CommittedCollections(view)
        found: dict[int, list[PrivateCollectionSet]] = {}
        for place, raw in view.private.sets(number):
            if _may_have(person, place, collections):
                one = PrivateCollectionSet(place.namespace, place.collection, raw)
                found.setdefault(place.version.tx_number, []).append(one)
        return {tx_number: PrivateReadWriteSet(tuple(sets)) for tx_number, sets in found.items()}


def _may_have(person: Identity, place: SetPlace, collections: CommittedCollections) -> bool:
    collection = collections.find(place.namespace, place.collection)
    return collection is not None and is_satisfied(collection.member_policy, [person])
