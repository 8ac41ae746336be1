"""Asking members' peers for private data, and answering them.

Only peers of a collection's members get anything. What comes back is believed by nobody: it is
compared with the ledger's hashes where it is stored (`ledger.node.private_data.reconciler`).
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

from ledger.errors import InvalidMessage, Reason
from ledger.model.private_rwset import encode_private_writes
from ledger.model.rwset import KeyWrite, Version
from ledger.node.private_data.members import PrivateMembers
from ledger.rpc.misbehaviour import RejectionHandler, nobody_counts
from ledger.rpc.validator_links import ValidatorLinks
from ledger.rpc.validator_service import Reply
from ledger.storage.private_batch import MissingSet
from ledger.storage.private_keyspace import SetPlace
from ledger.storage.state_view import StateView
from ledger.storage.transient_store import TransientStore
from ledger.wire.validator_pb2 import (
    Item,
    PrivateDataRequest,
    PrivateDataResponse,
    PrivateSetName,
    PrivateValuesPage,
)

WANTED_MAX = 100
"""Sets in one request."""
VALUES_PER_PAGE_MAX = 1_000
PAGE_BYTES_MAX = 1024 * 1024
RESPONSE_BYTES_MAX = 8 * 1024 * 1024
"""After this much the asking peer has to ask again; a single larger set goes alone."""
RESPONSE_TIMEOUT_MS = 5_000
REQUESTS_PER_SENDER_MAX = 4
"""Under way at once; a peer of ours asks one after the other."""


@dataclass(frozen=True, slots=True)
class WantedSet:
    """A missing set and the transaction that wrote it."""

    missing: MissingSet
    tx_id: str


class PrivateRequests:
    """Both ends."""

    def __init__(
        self,
        *,
        members: PrivateMembers,
        links: ValidatorLinks,
        view: Callable[[], StateView],
        transient: TransientStore,
        executor: Executor,
        on_rejected: RejectionHandler = nobody_counts,
    ) -> None:
        self._members = members
        self._links = links
        self._view = view
        self._transient = transient
        self._executor = executor
        self._on_rejected = on_rejected
        self._answering: Counter[int] = Counter()
        self._ids = itertools.count(1)
        self._waiting: dict[int, tuple[int, asyncio.Future[PrivateDataResponse | None]]] = {}

    async def sets(self, consenter_id: int, wanted: list[WantedSet]) -> dict[SetPlace, bytes]:
        """What the peer has of these, by place; empty when it does not answer."""
        request = PrivateDataRequest(wanted=[_name(one) for one in wanted])
        response = await self._ask(consenter_id, request)
        found: dict[SetPlace, bytes] = {}
        for one in response.found if response is not None else ():
            if one.index >= len(wanted):
                self._on_rejected(
                    consenter_id,
                    InvalidMessage(Reason.MALFORMED, "private data nobody asked for"),
                )
                return {}
            found[wanted[one.index].missing.place] = one.rwset
        return found

    async def values(
        self, consenter_id: int, namespace: str, collection: str, after: bytes
    ) -> tuple[bytes, bytes] | None:
        """(kvrwset.KVRWSet of a page, its last key hash or empty at the end); None: no answer."""
        page = PrivateValuesPage(namespace=namespace, collection=collection, after_key_hash=after)
        response = await self._ask(consenter_id, PrivateDataRequest(page=page))
        return None if response is None else (response.values, response.last_key_hash)

    async def on_request(self, sender: int, request: PrivateDataRequest, reply: Reply) -> None:
        """A member's peer asks; one that asks without waiting for answers is refused."""
        if self._answering[sender] >= REQUESTS_PER_SENDER_MAX:
            text = f"more than {REQUESTS_PER_SENDER_MAX} requests for private data under way"
            self._on_rejected(sender, InvalidMessage(Reason.OVERLOADED, text))
            return
        self._answering[sender] += 1
        loop = asyncio.get_running_loop()
        try:
            response = await loop.run_in_executor(self._executor, self.answer, sender, request)
        except InvalidMessage as error:
            self._on_rejected(sender, error)
            return
        finally:
            self._answering[sender] -= 1
        reply(Item(private_data_response=response))

    def answer(self, sender: int, request: PrivateDataRequest) -> PrivateDataResponse:
        """What the sender may have of what it asks for; raises InvalidMessage OVERSIZED."""
        if len(request.wanted) > WANTED_MAX:
            raise InvalidMessage(Reason.OVERSIZED, f"more than {WANTED_MAX} private sets")
        response = PrivateDataResponse(request_id=request.request_id)
        self._add_sets(response, sender, request.wanted)
        if request.HasField("page"):
            self._add_page(response, sender, request.page)
        return response

    def on_response(self, sender: int, response: PrivateDataResponse) -> None:
        """An answer to one of our requests; only the peer that was asked may give it."""
        waiting = self._waiting.get(response.request_id)
        if waiting is not None and waiting[0] == sender and not waiting[1].done():
            waiting[1].set_result(response)

    def on_disconnected(self, consenter_id: int) -> None:
        """Answers that will not come any more."""
        for asked, future in self._waiting.values():
            if asked == consenter_id and not future.done():
                future.set_result(None)

    async def _ask(
        self, consenter_id: int, request: PrivateDataRequest
    ) -> PrivateDataResponse | None:
        request.request_id = next(self._ids)
        if not self._links.send(consenter_id, Item(private_data_request=request)):
            return None
        future: asyncio.Future[PrivateDataResponse | None] = (
            asyncio.get_running_loop().create_future()
        )
        self._waiting[request.request_id] = (consenter_id, future)
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT_MS / 1000):
                return await future
        except TimeoutError:
            return None
        finally:
            del self._waiting[request.request_id]

    # -- answering --------------------------------------------------------------------------------

    def _may_have(self, sender: int, namespace: str, name: str) -> bool:
        collection = self._members.collection(namespace, name)
        return collection is not None and self._members.has(sender, collection)

    def _add_sets(
        self, response: PrivateDataResponse, sender: int, wanted: Iterable[PrivateSetName]
    ) -> None:
        view = self._view()
        size = 0
        for index, name in enumerate(wanted):
            if not self._may_have(sender, name.namespace, name.collection):
                continue
            version = Version(name.block_number, name.tx_number)
            raw = view.private.set_at(SetPlace(version, name.namespace, name.collection))
            if raw is None:  # an endorser that is no member itself
                raw = self._transient.find(
                    name.tx_id, name.namespace, name.collection, name.set_hash
                )
            if raw is None:
                continue
            size += len(raw)
            if response.found and size > RESPONSE_BYTES_MAX:
                return
            response.found.add(index=index, rwset=raw)

    def _add_page(
        self, response: PrivateDataResponse, sender: int, page: PrivateValuesPage
    ) -> None:
        if not self._may_have(sender, page.namespace, page.collection):
            return
        writes: list[KeyWrite] = []
        size, last = 0, b""
        rows = self._view().private.by_hash(page.namespace, page.collection, page.after_key_hash)
        for key_hash, key, value in rows:
            size += len(key.encode()) + len(value.value)
            if writes and (size > PAGE_BYTES_MAX or len(writes) >= VALUES_PER_PAGE_MAX):
                response.last_key_hash = last
                break
            writes.append(KeyWrite(key, value.value))
            last = key_hash
        response.values = encode_private_writes(writes, ())


def _name(wanted: WantedSet) -> PrivateSetName:
    place = wanted.missing.place
    return PrivateSetName(
        block_number=place.version.block_number,
        tx_number=place.version.tx_number,
        tx_id=wanted.tx_id,
        namespace=place.namespace,
        collection=place.collection,
        set_hash=wanted.missing.set_hash,
    )
