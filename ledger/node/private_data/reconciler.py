"""Fetching private data this peer lacks: right after a block, and again until it is here.

What a block named and the transient store did not have is asked of the members' peers and of
those that endorsed it, newest first, and compared with the hashes of the ledger. Whole collections
are fetched beside that (`ledger.node.private_data.filling`).
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor

from ledger.errors import InvalidMessage
from ledger.node.private_data.filling import PrivateFilling
from ledger.node.private_data.lacks import Lack, PrivateLedger
from ledger.node.private_data.members import PrivateMembers
from ledger.node.private_data.requests import PrivateRequests
from ledger.node.private_data.settle_wait import SettleWait
from ledger.node.private_data.writing import write_private
from ledger.rpc.misbehaviour import RejectionHandler, nobody_counts
from ledger.storage.kv import KeyValueReader
from ledger.storage.ledger_store import LedgerStore, Writes
from ledger.storage.private_batch import HeldSet, PrivateBatch
from ledger.storage.private_keyspace import SetPlace

RETRY_MS = 5_000
"""Between two rounds while something is missing."""
REFILL_MS = 600_000
"""Between two attempts to fetch a whole collection that no other peer has whole."""
PAGES_PER_ROUND_MAX = 10

log = logging.getLogger(__name__)


class PrivateReconciler:
    """Belongs to the event loop; what it stores is written in a thread."""

    def __init__(
        self,
        *,
        store: LedgerStore,
        members: PrivateMembers,
        requests: PrivateRequests,
        is_connected: Callable[[int], bool],
        executor: Executor,
        on_rejected: RejectionHandler = nobody_counts,
    ) -> None:
        self._store = store
        self._members = members
        self._requests = requests
        self._is_connected = is_connected
        self._executor = executor
        self._on_rejected = on_rejected
        self._ledger = PrivateLedger(store, members)
        self._wake = asyncio.Event()
        self._filling = PrivateFilling(
            store=store,
            members=members,
            requests=requests,
            ledger=self._ledger,
            is_connected=is_connected,
            is_urgent=self._wake.is_set,
            executor=executor,
            on_rejected=on_rejected,
        )
        self._settling = SettleWait()
        self._looks_for_collections = True
        self._before: SetPlace | None = None

    def on_missing(self) -> None:
        """A block was committed whose private data is not all here."""
        self._settling.begin()
        self._before = None
        self._wake.set()

    def on_connected(self) -> None:
        """Another peer can be asked, or collections or their members changed."""
        self._looks_for_collections = True
        self._wake.set()

    async def settled(self) -> None:
        """Wait a little while values of the newest blocks are on their way here."""
        await self._settling.wait()

    async def run(self) -> None:
        """Fetch until cancelled."""
        while True:
            await self._pause()
            self._wake.clear()
            await self._fetch_sets()
            if not self._wake.is_set():
                self._settling.end()
            if self._looks_for_collections:
                self._looks_for_collections = False
                if not await self._filling.fill():
                    self._looks_for_collections = True

    async def _pause(self) -> None:
        lacks_any = next(self._store.snapshot().private.missing(), None) is not None
        timeout_ms = RETRY_MS if lacks_any else REFILL_MS
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await self._wake.wait()
        except TimeoutError:
            self._looks_for_collections |= not lacks_any

    # -- missing sets -----------------------------------------------------------------------------

    async def _fetch_sets(self) -> None:
        """A few pages of what is missing; the next round goes on where this one ended."""
        for _ in range(PAGES_PER_ROUND_MAX):
            page = self._ledger.page(self._before)
            await self._store_sets((), page.given_up)
            await self._fetch(list(page.lacks))
            if self._wake.is_set():
                return  # something newer is missing
            self._before = page.last
            if page.last is None:
                return

    async def _fetch(self, lacks: list[Lack]) -> None:
        sources = {lack.place: self._sources(lack) for lack in lacks}
        peers = dict.fromkeys(peer for lack in lacks for peer in sources[lack.place])
        left = {lack.place: lack for lack in lacks}
        for peer in peers:
            asked = [lack for place, lack in left.items() if peer in sources[place]]
            if not asked:
                continue
            found = await self._requests.sets(peer, [lack.wanted for lack in asked])
            held = [
                good
                for place, raw in found.items()
                if (good := self._verified(peer, left[place], raw)) is not None
            ]
            await self._store_sets(held, ())
            for one in held:
                del left[one.place]

    def _sources(self, lack: Lack) -> list[int]:
        """Peers that may have it: members' first, then those that endorsed it."""
        members = [one.consenter_id for one in self._members.others(lack.collection)]
        endorsers = self._members.of_organizations(lack.endorsed_by)
        known = dict.fromkeys([*members, *endorsers])
        return [peer for peer in known if self._is_connected(peer)]

    def _verified(self, peer: int, lack: Lack, raw: bytes) -> HeldSet | None:
        try:
            return lack.verified(raw, self._store)
        except InvalidMessage as error:
            self._on_rejected(peer, error)
            return None

    async def _store_sets(
        self, held: "list[HeldSet] | tuple[()]", given_up: tuple[SetPlace, ...]
    ) -> None:
        if not held and not given_up:
            return

        def change(reader: KeyValueReader) -> Writes:
            batch = PrivateBatch(reader)
            for one in held:
                batch.add_late(one, self._store)
            for place in given_up:
                batch.give_up(place)
            return batch.writes()

        await write_private(self._store, self._executor, change)
        if held:
            log.info("fetched %d private sets that were missing", len(held))
