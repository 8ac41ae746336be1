"""Private writes on their way from the peer that simulated to the peers of the members.

They leave before the endorsement does: a client can only submit what enough members hold
(`required_peer_count`). Fabric's rules and words.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from zlib import crc32

from ledger.endorsement.runtimes.peer_session import ExecutionFailed
from ledger.errors import InvalidMessage, Reason
from ledger.model.config import Consenter
from ledger.model.private_rwset import (
    PrivateCollectionSet,
    PrivateReadWriteSet,
    decode_private_read_write_set,
    encode_private_read_write_set,
)
from ledger.node.private_data.members import PrivateMembers
from ledger.rpc.misbehaviour import RejectionHandler, nobody_counts
from ledger.rpc.validator_links import ValidatorLinks
from ledger.rpc.validator_service import Reply
from ledger.storage.transient_store import OWN, TransientStore
from ledger.wire.validator_pb2 import Item, PrivateDataOffer, PrivateDataReceipt

RECEIPT_TIMEOUT_MS = 3_000
"""How long an endorsement waits for members' peers that must have the values."""
TX_ID_CHARACTERS = 64

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Plan:
    """Which peers get which sets, and how many of them must have each."""

    sets_of: dict[int, list[PrivateCollectionSet]] = field(default_factory=dict)
    required: list[tuple[int, frozenset[int]]] = field(default_factory=list)
    """(peers needed, peers chosen) of each set that needs any."""


class PrivateDissemination:
    """Both ends of it."""

    def __init__(
        self,
        *,
        channel_id: str,
        members: PrivateMembers,
        links: ValidatorLinks,
        transient: TransientStore,
        height: Callable[[], int],
        executor: Executor,
        on_rejected: RejectionHandler = nobody_counts,
    ) -> None:
        self._channel_id = channel_id
        self._members = members
        self._links = links
        self._transient = transient
        self._height = height
        self._executor = executor
        self._on_rejected = on_rejected
        self._ids = itertools.count(1)
        self._waiting: dict[int, tuple[int, asyncio.Future[bool]]] = {}

    async def keep(self, tx_id: str, private: PrivateReadWriteSet) -> None:
        """`ledger.endorsement.endorser.KeepPrivate`."""
        plan = self._plan(tx_id, private)
        await self._keep(tx_id, private, OWN)
        receipts = {peer: self._offer(peer, tx_id, sets) for peer, sets in plan.sets_of.items()}
        if not plan.required:
            return
        stored = await self._stored(receipts)
        failed = [needed for needed, chosen in plan.required if len(chosen & stored) < needed]
        if failed:
            raise self._failure(
                tx_id,
                f"Failed disseminating {len(failed)} out of {len(plan.required)}"
                " private dissemination plans",
            )

    async def on_offer(self, sender: int, offer: PrivateDataOffer, reply: Reply) -> None:
        """Another peer hands over private writes it endorsed."""
        receipt = PrivateDataReceipt(request_id=offer.request_id)
        try:
            private = self._accepted(offer)
            await self._keep(offer.tx_id, private, sender)
        except InvalidMessage as error:
            receipt.reason, receipt.detail = error.reason, error.detail
            if error.reason is not Reason.POLICY_NOT_SATISFIED:
                self._on_rejected(sender, error)
        reply(Item(private_data_receipt=receipt))

    def on_receipt(self, sender: int, receipt: PrivateDataReceipt) -> None:
        """An answer to one of our offers; only the peer it was made to may give it."""
        waiting = self._waiting.get(receipt.request_id)
        if waiting is None or waiting[0] != sender:
            return
        if receipt.reason:
            log.info("consenter %d keeps no private data: %.200s", sender, receipt.detail)
        if not waiting[1].done():
            waiting[1].set_result(not receipt.reason)

    def on_disconnected(self, consenter_id: int) -> None:
        """Receipts that will not come any more."""
        for asked, future in self._waiting.values():
            if asked == consenter_id and not future.done():
                future.set_result(False)

    # -- planning ---------------------------------------------------------------------------------

    def _plan(self, tx_id: str, private: PrivateReadWriteSet) -> _Plan:
        plan = _Plan()
        for one in private.collections:
            collection = self._members.collection(one.namespace, one.collection)
            if collection is None:
                continue  # its definition changed while the contract ran; the block will say so
            known = [
                peer
                for peer in self._members.others(collection)
                if self._links.is_connected(peer.consenter_id)
            ]
            if len(known) < collection.required_peer_count:
                raise self._failure(
                    tx_id,
                    f"required to disseminate to at least {collection.required_peer_count} peers,"
                    f" but know of only {len(known)} eligible peers",
                )
            chosen = _spread(known, tx_id)[: collection.maximum_peer_count]
            for peer in chosen:
                plan.sets_of.setdefault(peer, []).append(one)
            if collection.required_peer_count:
                plan.required.append((collection.required_peer_count, frozenset(chosen)))
        return plan

    def _failure(self, tx_id: str, why: str) -> ExecutionFailed:
        return ExecutionFailed(
            f"failed to distribute private collection, txID {tx_id},"
            f" channel {self._channel_id}: {why}"
        )

    async def _keep(self, tx_id: str, private: PrivateReadWriteSet, sender: int) -> None:
        """On disk when it returns."""
        put = partial(self._transient.put, tx_id, private, sender=sender, height=self._height())
        await asyncio.get_running_loop().run_in_executor(self._executor, put)

    # -- handing over -----------------------------------------------------------------------------

    def _offer(
        self, peer: int, tx_id: str, sets: list[PrivateCollectionSet]
    ) -> "asyncio.Future[bool]":
        request_id = next(self._ids)
        offer = PrivateDataOffer(
            request_id=request_id,
            tx_id=tx_id,
            private_rwset=encode_private_read_write_set(PrivateReadWriteSet(tuple(sets))),
        )
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = (peer, future)

        def answered(answer: "asyncio.Future[bool]") -> None:
            self._waiting.pop(request_id, None)
            if not answer.cancelled() and answer.result():
                self._transient.received(tx_id, sets)

        future.add_done_callback(answered)
        asyncio.get_running_loop().call_later(RECEIPT_TIMEOUT_MS / 1000, _give_up, future)
        if not self._links.send(peer, Item(private_data_offer=offer)):
            future.set_result(False)
        return future

    async def _stored(self, receipts: "dict[int, asyncio.Future[bool]]") -> frozenset[int]:
        answers = await asyncio.gather(*receipts.values())
        return frozenset(peer for peer, is_kept in zip(receipts, answers, strict=True) if is_kept)

    def _accepted(self, offer: PrivateDataOffer) -> PrivateReadWriteSet:
        is_hex = all(c in "0123456789abcdef" for c in offer.tx_id)
        if len(offer.tx_id) != TX_ID_CHARACTERS or not is_hex:
            raise InvalidMessage(Reason.MALFORMED, "private writes of no transaction id")
        private = decode_private_read_write_set(offer.private_rwset)
        for one in private.collections:
            collection = self._members.collection(one.namespace, one.collection)
            if collection is None or not self._members.is_own(collection):
                raise InvalidMessage(
                    Reason.POLICY_NOT_SATISFIED,
                    f"{self._members.mspid} is no member of {one.collection[:80]!r}",
                )
        return private


def _spread(peers: list[Consenter], tx_id: str) -> list[int]:
    """One peer of each member first; where it begins differs from transaction to transaction."""
    turn = crc32(tx_id.encode())
    shifted = [peers[(turn + n) % len(peers)] for n in range(len(peers))]
    first_of = {peer.mspid: peer.consenter_id for peer in reversed(shifted)}
    firsts = [one.consenter_id for one in shifted if first_of[one.mspid] == one.consenter_id]
    return firsts + [one.consenter_id for one in shifted if one.consenter_id not in firsts]


def _give_up(future: "asyncio.Future[bool]") -> None:
    if not future.done():
        future.set_result(False)
