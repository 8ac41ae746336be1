"""Block streams over a real connection: positions, ends and refusals."""

import asyncio
from time import time_ns

import pytest
from grpc import aio

from ledger.client.blocks import follow_blocks, newest_block
from ledger.crypto.msp import Identity
from ledger.crypto.signing import SigningIdentity
from ledger.errors import InvalidMessage, Reason
from ledger.model.block import Block
from ledger.model.codec import encode_envelope, encode_request_payload
from ledger.model.codec_block import decode_block
from ledger.model.codes import HeaderType, ValidationCode
from ledger.rpc.broadcast_service import BroadcastService, broadcast_handlers
from ledger.rpc.deliver_service import ENDLESS_STOP, DeliverService
from ledger.rpc.transport import identity_bytes
from ledger.wire import common_pb2, orderer_pb2, protos_pb2
from tests.support.conditions import until
from tests.support.identities import CHANNEL_ID, make_consortium
from tests.support.ledger_world import CHAINCODE
from tests.unit.rpc.loopback import serving, streamed
from tests.unit.rpc.serving_world import ServingWorld

pytestmark = pytest.mark.anyio
SUCCESS, BAD_REQUEST, FORBIDDEN, NOT_FOUND = 200, 400, 403, 404
UNTIL_READY, FAIL = orderer_pb2.SeekInfo.BLOCK_UNTIL_READY, orderer_pb2.SeekInfo.FAIL_IF_NOT_READY
HOUR_NS = 3_600_000_000_000


class World(ServingWorld):
    """Blocks 0 to 3, and every stream service."""

    def __init__(self) -> None:
        super().__init__()
        for _ in range(3):
            self.commit(self.transaction(event_of=CHAINCODE), self.transaction(endorsers=()))
        self.deliver = DeliverService(
            channel_id=CHANNEL_ID,
            source=self.source,
            access=self.access,
            clock_ms=lambda: self.now_ms,
        )
        self.now_ns = self.now_ms * 1_000_000

    async def submit(self, envelope_raw: bytes) -> None:
        raise AssertionError("nobody broadcasts here")

    def seek(
        self,
        start: int | str = "oldest",
        stop: int | str = "newest",
        behavior: int = UNTIL_READY,
        *,
        content_type: int = orderer_pb2.SeekInfo.BLOCK,
        signer: SigningIdentity | None = None,
        data: bytes | None = None,
        **header: object,
    ) -> bytes:
        info = orderer_pb2.SeekInfo(behavior=behavior, content_type=content_type)
        for position, value in ((info.start, start), (info.stop, stop)):
            if isinstance(value, int):
                position.specified.number = value
            elif value:
                getattr(position, value).SetInParent()
        who = signer or self.client
        payload = encode_request_payload(
            **{
                "header_type": HeaderType.DELIVER_SEEK_INFO,
                "channel_id": CHANNEL_ID,
                "creator": who.serialized,
                "nonce": b"",  # official clients send none
                "timestamp_ns": self.now_ns,
                "data": info.SerializeToString() if data is None else data,
                **header,
            }
        )
        return encode_envelope(payload, who.sign(payload))


@pytest.fixture
async def world():
    made = World()
    yield made
    made.close()


@pytest.fixture
async def channel(world):
    orderer = broadcast_handlers(BroadcastService(world), world.deliver.orderer_handler())
    async with serving(world.deliver.rpc_handlers(), orderer) as connected:
        yield connected


async def deliver(channel: aio.Channel, *requests: bytes) -> list[int]:
    """Block numbers, and a status as a negative number."""
    answers = await streamed(channel, "/protos.Deliver/Deliver", requests)
    responses = [protos_pb2.DeliverResponse.FromString(raw) for raw in answers]
    return [
        r.block.header.number if r.WhichOneof("Type") == "block" else -r.status for r in responses
    ]


@pytest.mark.parametrize(
    ("start", "stop", "numbers"),
    [
        ("oldest", "newest", [0, 1, 2, 3]),
        ("newest", "newest", [3]),
        ("oldest", "oldest", [0]),
        (2, "oldest", [2]),
        (1, 2, [1, 2]),
        (2, 2, [2]),
        (2, "newest", [2, 3]),
    ],
)
async def test_ranges(world, channel, start, stop, numbers):
    assert await deliver(channel, world.seek(start, stop)) == [*numbers, -SUCCESS]


@pytest.mark.parametrize("stop", [ENDLESS_STOP, 2**64 - 1])
@pytest.mark.parametrize("start", ["next_commit", 4])
async def test_a_stream_without_end_follows_the_commits(world, channel, start, stop):
    call = channel.stream_stream("/protos.Deliver/Deliver", identity_bytes, identity_bytes)()
    await call.write(world.seek(start, stop))
    await until(lambda: world.notifier._grown._waiters)
    async with asyncio.timeout(60):
        for number in (4, 5, 6):
            world.commit(world.transaction())
            assert _number(await call.read()) == number
    call.cancel()
    await until(lambda: not world.notifier._grown._waiters)


def _number(raw: bytes) -> int:
    return protos_pb2.DeliverResponse.FromString(raw).block.header.number


async def test_several_requests_on_one_stream(world, channel):
    found = await deliver(channel, world.seek(1, 1), world.seek(3, 3))
    assert found == [1, -SUCCESS, 3, -SUCCESS]


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (1, 2, [1, 2, -SUCCESS]),
        (2, 9, [2, 3, -NOT_FOUND]),
        (2, 2**64 - 1, [2, 3, -NOT_FOUND]),
        (4, 4, [-NOT_FOUND]),
        ("next_commit", 9, [-NOT_FOUND]),
    ],
)
async def test_who_does_not_wait_is_told_where_the_blocks_end(
    world, channel, start, stop, expected
):
    assert await deliver(channel, world.seek(start, stop, FAIL)) == expected


async def test_requests_that_make_no_sense(world, channel):
    bad = [
        b"",
        b"\xff\xff",
        world.seek("", "newest"),
        world.seek("oldest", ""),
        world.seek(3, 1),
        world.seek(data=b"\xff"),
        world.seek(header_type=HeaderType.MESSAGE),
        world.seek(timestamp_ns=world.now_ns - HOUR_NS),
        world.seek(timestamp_ns=world.now_ns + HOUR_NS),
    ]
    for request in bad:
        assert await deliver(channel, request) == [-BAD_REQUEST]


async def test_another_channel_is_not_found(world, channel):
    assert await deliver(channel, world.seek(channel_id="other")) == [-NOT_FOUND]


async def test_only_members_may_read(world, channel):
    stranger = make_consortium(world.consortium.created).members[0].client
    other = world.consortium.members[1].client
    for request in (
        world.seek(signer=stranger),
        world.seek(creator=other.serialized),
        world.seek(creator=b""),
    ):
        assert await deliver(channel, request) == [-FORBIDDEN]


async def test_a_refusal_ends_the_stream(world, channel):
    assert await deliver(channel, world.seek(channel_id="other"), world.seek()) == [-NOT_FOUND]


async def test_filtered_blocks_show_fates_not_contents(world, channel):
    raws = await streamed(channel, "/protos.Deliver/DeliverFiltered", [world.seek(1, 1)])
    block = protos_pb2.DeliverResponse.FromString(raws[0]).filtered_block
    assert (block.channel_id, block.number) == (CHANNEL_ID, 1)
    codes = [t.tx_validation_code for t in block.filtered_transactions]
    assert codes == [ValidationCode.VALID, ValidationCode.ENDORSEMENT_POLICY_FAILURE]
    action = block.filtered_transactions[0].transaction_actions.chaincode_actions[0]
    assert action.chaincode_event.event_name == "Happened"
    assert action.chaincode_event.payload == b""


@pytest.mark.parametrize(
    ("method", "kind", "block_of"),
    [
        ("/protos.Deliver/Deliver", protos_pb2.DeliverResponse, lambda r: r.block),
        (
            "/protos.Deliver/DeliverWithPrivateData",
            protos_pb2.DeliverResponse,
            lambda r: r.block_and_private_data.block,
        ),
        ("/orderer.AtomicBroadcast/Deliver", orderer_pb2.DeliverResponse, lambda r: r.block),
    ],
)
async def test_blocks_arrive_as_stored(world, channel, method, kind, block_of):
    block, end = await streamed(channel, method, [world.seek(2, 2)])
    assert block_of(kind.FromString(block)).SerializeToString() == world.store.block_raw(2)
    assert kind.FromString(end).status == SUCCESS


async def test_our_own_client_reads_what_our_service_sends(world, channel):
    world.now_ms = time_ns() // 1_000_000
    async with asyncio.timeout(60):
        found = [block async for block in follow_blocks(channel, world.client, CHANNEL_ID, 1, 3)]
        newest = await newest_block(channel, world.client, CHANNEL_ID)
    assert found == [stored(world, number) for number in (1, 2, 3)]
    assert newest == stored(world, 3)


def stored(world: World, number: int) -> Block:
    raw = world.store.block_raw(number)
    assert raw is not None
    return decode_block(raw)


# -- headers only ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["/protos.Deliver/Deliver", "/orderer.AtomicBroadcast/Deliver"])
async def test_who_wants_signatures_gets_headers_and_metadata(world, channel, method):
    request = world.seek(1, 2, content_type=orderer_pb2.SeekInfo.HEADER_WITH_SIG)
    first, second, _ = await streamed(channel, method, [request])
    for number, raw in ((1, first), (2, second)):
        block = protos_pb2.DeliverResponse.FromString(raw).block
        whole = common_pb2.Block.FromString(world.store.block_raw(number))
        assert block.header == whole.header
        assert block.metadata == whole.metadata
        assert whole.data.data
        assert not block.HasField("data")


async def test_the_configuration_stays_in_its_block(world, channel):
    request = world.seek(0, 0, content_type=orderer_pb2.SeekInfo.HEADER_WITH_SIG)
    raw, _ = await streamed(channel, "/protos.Deliver/Deliver", [request])
    block = protos_pb2.DeliverResponse.FromString(raw).block
    assert block.SerializeToString() == world.store.block_raw(0)


# -- who may not any more -------------------------------------------------------------------------


async def test_a_stream_ends_when_its_reader_may_not_read_any_more(world, channel):
    call = channel.stream_stream("/protos.Deliver/Deliver", identity_bytes, identity_bytes)()
    await call.write(world.seek("next_commit", ENDLESS_STOP))
    await until(lambda: world.notifier._grown._waiters)
    world.commit(world.transaction())
    async with asyncio.timeout(60):
        assert _number(await call.read()) == 4
        world.now_ms += 100 * 366 * 24 * 3600 * 1000
        world.commit(world.transaction())
        assert protos_pb2.DeliverResponse.FromString(await call.read()).status == FORBIDDEN
        assert await call.read() is aio.EOF


async def test_a_member_whom_the_channel_does_not_let_read(world, channel):
    def refuse(_member: Identity) -> None:
        raise InvalidMessage(Reason.POLICY_NOT_SATISFIED, "no reader")

    world.access._require_reader = refuse
    assert await deliver(channel, world.seek()) == [-FORBIDDEN]
