"""Fetching whole collections: for a peer that became a member later or began with a snapshot."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from ledger.errors import InvalidMessage
from ledger.model.private_collections import Collection
from ledger.model.rwset import KeyWrite
from ledger.node.private_data.lacks import PrivateLedger
from ledger.node.private_data.members import PrivateMembers
from ledger.node.private_data.requests import PrivateRequests
from ledger.node.private_data.writing import write_private
from ledger.rpc.misbehaviour import RejectionHandler
from ledger.storage.kv import KeyValueReader
from ledger.storage.ledger_store import LedgerStore, PrivateChange, Writes
from ledger.storage.private_batch import PrivateBatch
from ledger.validation.private_hashes import values_in_force

VALUE_PAGES_MAX = 100_000
"""Pages of one peer in one go."""


class PrivateFilling:
    """Asks members' peers for the values in force, page by page, until nothing is lacking."""

    def __init__(
        self,
        *,
        store: LedgerStore,
        members: PrivateMembers,
        requests: PrivateRequests,
        ledger: PrivateLedger,
        is_connected: Callable[[int], bool],
        is_urgent: Callable[[], bool],
        executor: Executor,
        on_rejected: RejectionHandler,
    ) -> None:
        """`is_urgent` says that something newer is missing; then filling goes on later."""
        self._store = store
        self._members = members
        self._requests = requests
        self._ledger = ledger
        self._is_connected = is_connected
        self._is_urgent = is_urgent
        self._executor = executor
        self._on_rejected = on_rejected
        self._reached: dict[tuple[str, str, int], bytes] = {}
        """Hash of the last key fetched, where filling was interrupted."""

    async def fill(self) -> bool:
        """Fill what can be filled; false when it was interrupted."""
        for namespace, collection in list(self._ledger.own_collections()):
            view = self._store.snapshot()
            if not view.private.is_filled(namespace, collection.name):
                await self._fill(namespace, collection)
            if self._is_urgent():
                return False
        return True

    async def _fill(self, namespace: str, collection: Collection) -> None:
        name = collection.name
        for peer in self._members.others(collection):
            if self._is_urgent() or not await self._has_holes(namespace, name):
                break
            if self._is_connected(peer.consenter_id):
                await self._fetch_values(peer.consenter_id, namespace, name)
        if not await self._has_holes(namespace, name):
            await write_private(self._store, self._executor, _mark_filled(namespace, name))

    async def _fetch_values(self, peer: int, namespace: str, collection: str) -> None:
        after = self._reached.pop((namespace, collection, peer), b"")
        for _ in range(VALUE_PAGES_MAX):
            page = await self._requests.values(peer, namespace, collection, after)
            if page is None:
                return
            raw, last = page
            try:
                values = values_in_force(raw, self._store, namespace, collection)
            except InvalidMessage as error:
                self._on_rejected(peer, error)
                return
            if values:
                await write_private(
                    self._store, self._executor, self._add(namespace, collection, values)
                )
            if last <= after:  # the end, or a peer that would lead us in circles
                return
            after = last
            if self._is_urgent():
                self._reached[namespace, collection, peer] = after
                return

    def _add(self, namespace: str, collection: str, values: tuple[KeyWrite, ...]) -> PrivateChange:
        def change(reader: KeyValueReader) -> Writes:
            batch = PrivateBatch(reader)
            batch.add_values(namespace, collection, values, self._store)
            return batch.writes()

        return change

    async def _has_holes(self, namespace: str, collection: str) -> bool:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._executor, self._ledger.has_holes, namespace, collection
        )


def _mark_filled(namespace: str, collection: str) -> PrivateChange:
    def change(reader: KeyValueReader) -> Writes:
        batch = PrivateBatch(reader)
        batch.filled(namespace, collection)
        return batch.writes()

    return change
