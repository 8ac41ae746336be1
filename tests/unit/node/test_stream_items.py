"""Items of other validators: routed by kind, within what one of them may have under way."""

import asyncio
from dataclasses import dataclass, field

import pytest

from ledger.node import stream_items
from ledger.node.consensus.consensus_queue import ConsensusQueue, RawMessage
from ledger.node.following.observers import Observers
from ledger.node.membership.channel import open_channel
from ledger.node.private_parts import PrivateStreams
from ledger.node.stream_items import StreamItems
from ledger.rpc.validator_service import Reply
from ledger.wire.validator_pb2 import (
    BlockRequest,
    BlockResponse,
    EndorseRequest,
    EndorseResult,
    Item,
    PrivateDataOffer,
    PrivateDataReceipt,
    PrivateDataRequest,
    PrivateDataResponse,
    Status,
    TransactionBatch,
    TransactionBatchResult,
)
from tests.support.ledger_world import LedgerWorld

pytestmark = pytest.mark.anyio


@dataclass
class Part:
    """Every part of a node behind the streams: notes what it is told; requests wait for `done`."""

    told: list[tuple[str, object]] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None

    async def on_batch(self, batch: TransactionBatch, reply: Reply) -> None:
        await self._work("batch")

    async def _work(self, name: str) -> None:
        self.told.append((name, None))
        await self.done.wait()
        if self.failure is not None:
            raise self.failure

    def __getattr__(self, name: str):
        return lambda *args, **_kwargs: self.told.append((name, args[0] if args else None))


class Requests(Part):
    async def on_request(self, sender: int, asked: PrivateDataRequest, reply: Reply) -> None:
        await self._work("ask")


class Dissemination(Part):
    async def on_offer(self, sender: int, offer: PrivateDataOffer, reply: Reply) -> None:
        await self._work("offer")


class Endorsers(Part):
    async def on_request(self, request: EndorseRequest, reply: Reply) -> None:
        await self._work("endorse")


@pytest.fixture
async def items():
    world = LedgerWorld()
    made = StreamItems(
        queue=ConsensusQueue(),
        submission=Part(),
        endorsers=Endorsers(),
        catch_up=Part(),
        observers=Observers(open_channel(world.store, world.consortium.genesis), Status),
        private=PrivateStreams(Dissemination(), Requests(), Part()),
        is_validator=lambda: True,
    )
    yield made
    for task in list(made.tasks):
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


def reply(_item: Item) -> bool:
    return True


BATCH = Item(transactions=TransactionBatch(envelopes=[bytes(100)]))


async def test_requests_reach_their_part(items):
    items.on_request(3, Item(consensus_message=b"vote"), reply)
    items.on_request(3, Item(block_request=BlockRequest()), reply)
    items.on_request(3, Item(status=Status()), reply)
    items.on_request(3, BATCH, reply)
    items.on_request(3, Item(endorse_request=EndorseRequest()), reply)
    items.on_request(3, Item(private_data_offer=PrivateDataOffer()), reply)
    items.on_request(3, Item(private_data_request=PrivateDataRequest()), reply)
    await asyncio.sleep(0)
    assert items.queue.take(0) == RawMessage(3, b"vote")
    assert items.catch_up.told == [("on_request", 3), ("on_status", 3)]
    assert items.submission.told == [("batch", None)]
    assert items.endorsers.told == [("endorse", None)]
    assert items.private.dissemination.told == [("offer", None)]
    assert items.private.requests.told == [("ask", None)]


async def test_who_only_follows_has_no_part_in_private_data(items):
    items.observers.heard = lambda *_: True
    items.on_request(-1, Item(private_data_offer=PrivateDataOffer()), reply)
    items.on_request(-1, Item(private_data_request=PrivateDataRequest()), reply)
    await asyncio.sleep(0)
    assert items.private.dissemination.told == []
    assert items.private.requests.told == []


async def test_answers_reach_their_part(items):
    items.on_answer(2, Item(transactions_result=TransactionBatchResult()))
    items.on_answer(2, Item(endorse_result=EndorseResult()))
    items.on_answer(2, Item(block_response=BlockResponse()))
    items.on_answer(2, Item(private_data_receipt=PrivateDataReceipt()))
    items.on_answer(2, Item(private_data_response=PrivateDataResponse()))
    assert items.submission.told == [("on_result", 2)]
    assert items.endorsers.told == [("on_result", 2)]
    assert items.catch_up.told == [("on_response", 2)]
    assert items.private.dissemination.told == [("on_receipt", 2)]
    assert items.private.requests.told == [("on_response", 2)]


async def test_items_on_the_wrong_side_and_empty_ones_are_ignored(items):
    items.on_request(3, Item(block_response=BlockResponse()), reply)
    items.on_request(3, Item(), reply)
    items.on_answer(3, Item(consensus_message=b"vote"))
    items.on_answer(3, Item())
    assert items.queue.is_empty()
    assert items.tasks == set()


@pytest.mark.parametrize(
    ("limit", "value"), [("REQUESTS_PER_SENDER_MAX", 2), ("REQUEST_BYTES_PER_SENDER_MAX", 250)]
)
async def test_a_flood_of_one_validator_leaves_room_for_the_others(
    items, monkeypatch, limit, value
):
    monkeypatch.setattr(stream_items, limit, value)
    for _ in range(5):
        items.on_request(3, BATCH, reply)
    assert len(items.tasks) == 2
    items.on_request(4, BATCH, reply)
    assert len(items.tasks) == 3
    items.submission.done.set()
    await asyncio.gather(*items.tasks)
    await asyncio.sleep(0)
    items.on_request(3, BATCH, reply)
    assert len(items.tasks) == 1, "room again"


async def test_a_request_that_fails_is_reported_and_over(items, monkeypatch):
    reported = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_exception_handler", reported.append)
    items.submission.failure = KeyError("ours")
    items.submission.done.set()
    items.on_request(3, BATCH, reply)
    await asyncio.gather(*items.tasks, return_exceptions=True)
    await asyncio.sleep(0)
    assert items.tasks == set()
    assert [problem["exception"] for problem in reported] == [items.submission.failure]


async def test_a_new_link_hears_our_height_and_what_waits(items):
    items.on_connected(2)
    assert items.catch_up.told == [("on_connected", 2)]
    assert items.submission.told == [("send_pool_to", 2)]


async def test_a_lost_link_ends_what_waits_for_it(items):
    items.on_disconnected(2)
    assert items.submission.told == items.endorsers.told == [("on_disconnected", 2)]
