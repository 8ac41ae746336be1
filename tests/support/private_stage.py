"""Peers of different members over ledgers of their own, with private data between them.

All get the same blocks. Their links are calls in this process: `down` says whose are cut.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ledger.endorsement.lifecycle.definitions import LIFECYCLE_DEFINITION
from ledger.endorsement.simulation.collection_access import CollectionAccess
from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.errors import InvalidMessage
from ledger.model.codec import decode_envelope
from ledger.model.codes import ValidationCode
from ledger.model.definition_keys import LIFECYCLE_NAMESPACE
from ledger.model.private_collections import Collection
from ledger.model.private_rwset import PrivateReadWriteSet
from ledger.node.membership.channel import open_channel
from ledger.node.private_data.commit import PrivateCommit
from ledger.node.private_data.delivery import PrivateDelivery
from ledger.node.private_data.dissemination import PrivateDissemination
from ledger.node.private_data.members import PrivateMembers
from ledger.node.private_data.reconciler import PrivateReconciler
from ledger.node.private_data.requests import PrivateRequests
from ledger.storage.transient_store import TransientStore
from ledger.validation.committed_collections import CommittedCollections
from ledger.wire.validator_pb2 import Item
from tests.support.conditions import until
from tests.support.identities import CHANNEL_ID
from tests.support.ledger_world import CHAINCODE, LedgerWorld, market, put


class StageLinks:
    """One peer's streams to the others; what it sends is handled in the next turn of the loop."""

    def __init__(self, stage: "PrivateStage", own_id: int) -> None:
        self._stage = stage
        self._own_id = own_id
        self.sent: list[tuple[int, Item]] = []

    def is_connected(self, consenter_id: int) -> bool:
        down = self._stage.down
        return consenter_id in self._stage.peers and not down & {consenter_id, self._own_id}

    def send(self, consenter_id: int, item: Item) -> bool:
        if not self.is_connected(consenter_id):
            return False
        self.sent.append((consenter_id, item))
        asked, asking = self._stage.peers[consenter_id], self._stage.peers[self._own_id]

        def reply(answer: Item) -> bool:
            asking.on_answer(consenter_id, self._stage.changed(consenter_id, answer))
            return True

        asked.on_request(self._own_id, item, reply)
        return True

    def of(self, kind: str) -> list[int]:
        return [to for to, item in self.sent if item.WhichOneof("kind") == kind]


class StagePeer:
    """What a peer does with private data, without consensus and services."""

    def __init__(self, stage: "PrivateStage", consenter_id: int, mspid: str) -> None:
        self.consenter_id = consenter_id
        self.mspid = mspid
        self.world = LedgerWorld()
        self.links = StageLinks(stage, consenter_id)
        self.rejected: list[tuple[int, InvalidMessage]] = []
        self.executor = ThreadPoolExecutor(max_workers=1)
        self.tasks: set[asyncio.Task[None]] = set()
        self.restart()

    def restart(self) -> None:
        """Everything that reads the ledger, made anew."""
        self.transient = TransientStore(self.world.kv)
        self.channel = open_channel(self.world.store, self.world.consortium.genesis)
        self.members = PrivateMembers(
            mspid=self.mspid,
            own_id=self.consenter_id,
            channel=self.channel,
            state=self.world.store,
        )
        self.requests = PrivateRequests(
            members=self.members,
            links=self.links,
            view=self.world.store.snapshot,
            transient=self.transient,
            executor=self.executor,
            on_rejected=self._reject,
        )
        self.dissemination = PrivateDissemination(
            channel_id=CHANNEL_ID,
            members=self.members,
            links=self.links,
            transient=self.transient,
            height=self.world.store.height,
            executor=self.executor,
            on_rejected=self._reject,
        )
        self.reconciler = PrivateReconciler(
            store=self.world.store,
            members=self.members,
            requests=self.requests,
            is_connected=self.links.is_connected,
            executor=self.executor,
            on_rejected=self._reject,
        )
        self.delivery = PrivateDelivery(self.world.store, self.channel, self.reconciler.settled)

    def on_request(self, sender: int, item: Item, reply: Callable[[Item], bool]) -> None:
        if item.HasField("private_data_offer"):
            work = self.dissemination.on_offer(sender, item.private_data_offer, reply)
        else:
            work = self.requests.on_request(sender, item.private_data_request, reply)
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def on_answer(self, sender: int, item: Item) -> None:
        if item.HasField("private_data_receipt"):
            self.dissemination.on_receipt(sender, item.private_data_receipt)
        else:
            loop = asyncio.get_running_loop()
            loop.call_soon(self.requests.on_response, sender, item.private_data_response)

    def commit(self, *entries: bytes) -> tuple[ValidationCode, ...]:
        """The next block; what it lacks is told to the reconciler as the peer would."""
        private = PrivateCommit(self.mspid, self.transient)
        codes = self.world.commit(*entries, private=private)
        if next(self.world.store.snapshot().private.missing(), None) is not None:
            self.reconciler.on_missing()
        return codes

    def value(self, key: str, collection: str = "prices") -> bytes | None:
        found = self.world.store.snapshot().get_private(CHAINCODE, collection, key)
        return None if found is None else found.value

    def missing(self) -> int:
        return len(list(self.world.store.snapshot().private.missing()))

    async def until(self, *conditions: Callable[[], bool]) -> None:
        """Reconcile until the conditions held, one after the other."""
        running = asyncio.get_running_loop().create_task(self.reconciler.run())
        try:
            for condition in conditions:
                await until(condition, poll_s=0)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def _reject(self, sender: int, error: InvalidMessage) -> None:
        self.rejected.append((sender, error))


@dataclass
class PrivateStage:
    """The peers, and what a hostile one changes in its answers."""

    peers: dict[int, StagePeer] = field(default_factory=dict)
    down: set[int] = field(default_factory=set)
    lies: dict[int, Callable[[Item], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for member in LedgerWorld().consortium.members:
            self.add(member.consenter_id, member.mspid)

    def add(self, consenter_id: int, mspid: str) -> StagePeer:
        peer = self.peers[consenter_id] = StagePeer(self, consenter_id, mspid)
        return peer

    def changed(self, consenter_id: int, answer: Item) -> Item:
        if consenter_id in self.lies:
            self.lies[consenter_id](answer)
        return answer

    def define(self, *collections: Collection) -> None:
        entry = self.peers[1].world.definition_of(*collections)
        for peer in self.peers.values():
            peer.world.definitions.setdefault(LIFECYCLE_NAMESPACE, LIFECYCLE_DEFINITION)
        self.commit(entry)

    def commit(self, *entries: bytes, only: Sequence[int] = ()) -> None:
        for consenter_id in only or self.peers:
            codes = self.peers[consenter_id].commit(*entries)
            assert set(codes) == {ValidationCode.VALID}

    def pass_blocks(self, count: int) -> None:
        for _ in range(count):
            self.commit(self.peers[1].world.transaction(market(writes=[put("other")])))

    def simulate(
        self, work: Callable[[TransactionSimulator], None], on: int = 1
    ) -> tuple[bytes, str, PrivateReadWriteSet]:
        """(envelope, tx id, private writes) of a contract run on one peer."""
        world = self.peers[on].world
        find = CommittedCollections(world.store).find
        simulator = TransactionSimulator(
            world.store.snapshot(), "", None, CollectionAccess(CHANNEL_ID, find)
        )
        work(simulator)
        entry = self.peers[1].world.transaction(simulator.results())
        return entry, tx_id_of(entry), simulator.private_results()

    async def endorse(self, work: Callable[[TransactionSimulator], None], on: int = 1) -> bytes:
        """The envelope of a transaction whose private writes were handed out."""
        entry, tx_id, private = self.simulate(work, on)
        await self.peers[on].dissemination.keep(tx_id, private)
        await self.settle()
        return entry

    async def settle(self) -> None:
        """Until everything handed over is on disk."""
        for peer in self.peers.values():
            await asyncio.gather(*peer.tasks)

    def close(self) -> None:
        for peer in self.peers.values():
            peer.executor.shutdown(wait=True)


def tx_id_of(entry: bytes) -> str:
    return decode_envelope(entry).tx_id
