"""Chaincode events: of valid transactions only, replayed from where the client says."""

import asyncio

import grpc
import pytest

from ledger.model.codec import decode_envelope
from ledger.rpc.event_stream import ChaincodeEventStream
from ledger.rpc.status import GatewayError
from ledger.wire.gateway_pb2 import ChaincodeEventsRequest, ChaincodeEventsResponse
from tests.support.ledger_world import CHAINCODE
from tests.unit.rpc.serving_world import ServingWorld

pytestmark = pytest.mark.anyio


class Scene:
    """Three blocks: (quiet, event, invalid with event), (event), (two events, one foreign)."""

    def __init__(self) -> None:
        self.world = world = ServingWorld()
        self.stream = ChaincodeEventStream(world.source, world.lookup)
        self.quiet, self.first = world.transaction(), self.with_event()
        self.invalid = self.with_event(endorsers=())
        world.commit(self.quiet, self.first, self.invalid)
        self.second = self.with_event()
        world.commit(self.second)
        self.third, self.fourth = self.with_event(), self.with_event()
        world.commit(self.third, self.fourth)

    def with_event(self, **changes: object) -> bytes:
        return self.world.transaction(event_of=CHAINCODE, **changes)

    async def blocks(self, count: int, **request: object) -> list[tuple[int, list[str]]]:
        """The next responses: block number and transaction ids."""
        asked = ChaincodeEventsRequest(**{"chaincode_id": CHAINCODE, **request})
        found = []
        async with asyncio.timeout(60):
            async for raw in self.stream.follow(asked):
                response = ChaincodeEventsResponse.FromString(raw)
                found.append((response.block_number, [e.tx_id for e in response.events]))
                if len(found) == count:
                    break
        return found


def ids(*raws: bytes) -> list[str]:
    return [decode_envelope(raw).tx_id for raw in raws]


def specified(number: int) -> dict[str, object]:
    request = ChaincodeEventsRequest()
    request.start_position.specified.number = number
    return {"start_position": request.start_position}


@pytest.fixture
async def scene():
    made = Scene()
    yield made
    made.world.close()


async def test_one_response_for_each_block_that_has_events(scene):
    assert await scene.blocks(3, **specified(0)) == [
        (1, ids(scene.first)),
        (2, ids(scene.second)),
        (3, ids(scene.third, scene.fourth)),
    ]


async def test_from_the_next_commit_when_no_start_is_given(scene):
    following = asyncio.create_task(scene.blocks(1))
    await asyncio.sleep(0)
    new = scene.with_event()
    scene.world.commit(new)
    assert await following == [(4, ids(new))]


async def test_after_a_transaction_within_its_block(scene):
    (tx_id,) = ids(scene.third)
    assert await scene.blocks(1, after_transaction_id=tx_id) == [(3, ids(scene.fourth))]


@pytest.mark.parametrize("name", ["quiet", "invalid"])
async def test_after_a_transaction_without_an_event_of_its_own(scene, name):
    (tx_id,) = ids(getattr(scene, name))
    expected = {"quiet": (1, ids(scene.first)), "invalid": (2, ids(scene.second))}
    assert await scene.blocks(1, after_transaction_id=tx_id) == [expected[name]]


async def test_after_an_unknown_transaction_the_start_counts(scene):
    found = await scene.blocks(1, after_transaction_id="ab" * 32, **specified(2))
    assert found == [(2, ids(scene.second))]


async def test_events_of_other_chaincodes_are_left_out(scene):
    following = asyncio.create_task(scene.blocks(1, chaincode_id="other", **specified(0)))
    await asyncio.sleep(0)
    assert not following.done()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


@pytest.mark.parametrize("kind", ["oldest", "newest"])
async def test_other_start_positions_are_refused(scene, kind):
    request = ChaincodeEventsRequest()
    getattr(request.start_position, kind).SetInParent()
    with pytest.raises(GatewayError) as refused:
        await scene.blocks(1, start_position=request.start_position)
    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_start_far_ahead_just_waits(scene):
    following = asyncio.create_task(scene.blocks(1, **specified(2**64 - 1)))
    await asyncio.sleep(0)
    scene.world.commit(scene.with_event())
    await asyncio.sleep(0)
    assert not following.done()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
