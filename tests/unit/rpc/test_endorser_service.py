"""protos.Endorser and orderer.AtomicBroadcast/Broadcast over a real connection."""

import asyncio

import grpc
import pytest
from grpc import aio

from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_proposal import encode_signed_proposal
from ledger.model.transaction import ChaincodeResponse, ProposalResponse, SignedProposal
from ledger.rpc import endorser_service
from ledger.rpc.broadcast_service import BroadcastService, broadcast_handlers
from ledger.rpc.client_limits import CALL_BYTES_MAX, ClientLimits, RefusalCounter
from ledger.rpc.deliver_service import DeliverService
from ledger.rpc.endorser_service import EndorserService
from ledger.rpc.transport import identity_bytes
from ledger.wire import common_pb2, orderer_pb2, protos_pb2
from tests.support.conditions import until
from tests.support.endorsing_world import EndorsingWorld
from tests.support.identities import CHANNEL_ID
from tests.unit.rpc.loopback import serving, streamed, unary
from tests.unit.rpc.serving_world import ServingWorld

pytestmark = pytest.mark.anyio
PROCESS = "/protos.Endorser/ProcessProposal"
BROADCAST = "/orderer.AtomicBroadcast/Broadcast"


class World(ServingWorld, EndorsingWorld):
    """A peer that refuses with `failure`, or takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: InvalidMessage | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.submitted: list[bytes] = []
        self.refusals = RefusalCounter()
        self.service = EndorserService(
            self.process, limits=ClientLimits(proposals_max=2), refusals=self.refusals
        )
        deliver = DeliverService(
            channel_id=CHANNEL_ID,
            source=self.source,
            access=self.access,
            clock_ms=lambda: self.now_ms,
        )
        self.handlers = (
            self.service.rpc_handlers(),
            broadcast_handlers(BroadcastService(self), deliver.orderer_handler()),
        )

    async def process(self, proposal: SignedProposal) -> ProposalResponse:
        await self.go_on.wait()
        if self.failure is not None:
            raise self.failure
        return ProposalResponse(ChaincodeResponse(200, "fine", b""), b"payload", None)

    async def submit(self, envelope_raw: bytes) -> None:
        if envelope_raw == b"bad":
            raise InvalidMessage(Reason.BAD_SIGNATURE, "it does not fit")
        self.submitted.append(envelope_raw)

    def signed(self, *args: bytes, **options: str) -> bytes:
        proposal = self.propose("run", *args, **options)
        return encode_signed_proposal(proposal.proposal_raw, proposal.signature)


@pytest.fixture
async def world():
    made = World()
    yield made
    made.close()


@pytest.fixture
async def channel(world):
    async with serving(*world.handlers) as connected:
        yield connected


async def process(channel: aio.Channel, raw: bytes) -> protos_pb2.ProposalResponse:
    async with asyncio.timeout(60):
        return protos_pb2.ProposalResponse.FromString(await unary(channel, PROCESS)(raw))


async def refused(channel: aio.Channel, raw: bytes) -> aio.AioRpcError:
    with pytest.raises(aio.AioRpcError) as failed:
        await process(channel, raw)
    return failed.value


async def test_one_peers_answer(world, channel):
    answer = await process(channel, world.signed())
    assert (answer.version, answer.response.status, answer.payload) == (1, 200, b"payload")


async def test_a_request_that_may_not_be_simulated_fails_the_call(world, channel):
    world.failure = InvalidMessage(Reason.BAD_SIGNATURE, "it does not fit")
    error = await refused(channel, world.signed())
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error.details() == (
        "error validating proposal: access denied: channel [energy] creator org [CoopMSP]; "
        "BAD_SIGNATURE: it does not fit"
    )
    world.failure = InvalidMessage(Reason.REPLAYED, "known")
    error = await refused(channel, world.signed())
    assert error.code() is grpc.StatusCode.ALREADY_EXISTS
    assert error.details().startswith("duplicate transaction found [")
    error = await refused(channel, b"\xff")
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert world.refusals["refused.ProcessProposal.MALFORMED"] == 1


async def test_an_unknown_channel_is_an_answer(world, channel):
    world.failure = InvalidMessage(Reason.WRONG_CHANNEL, "not here")
    answer = await process(channel, world.signed(channel_id="elsewhere"))
    assert answer.response.status == 500
    assert answer.response.message == "channel 'elsewhere' not found"
    assert not answer.payload


async def test_proposals_at_once_are_limited_in_fabrics_words(world, channel):
    world.go_on.clear()
    running = [asyncio.create_task(process(channel, world.signed())) for _ in range(2)]
    await until(lambda: world.service.places.taken == 2)
    error = await refused(channel, world.signed())
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details().startswith(
        "too many requests for /protos.Endorser, exceeding concurrency limit (2)"
    )
    world.go_on.set()
    await asyncio.gather(*running)
    assert world.service.places.taken == 0
    await process(channel, world.signed())


def test_the_limits_are_fabrics():
    limits = ClientLimits()
    found = (limits.calls_max, limits.proposals_max, limits.block_streams_max)
    assert found == (500, 2_500, 2_500)


async def test_few_large_proposals_at_once(world, channel, monkeypatch):
    monkeypatch.setattr(world.service, "_large", endorser_service.Slots("large", total=1))
    world.go_on.clear()
    large = world.signed(bytes(CALL_BYTES_MAX))
    running = asyncio.create_task(process(channel, large))
    await until(lambda: world.service.places.taken)
    error = await refused(channel, large)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    small = asyncio.create_task(process(channel, world.signed()))
    world.go_on.set()
    await asyncio.gather(running, small)
    assert world.service.places.taken == 0


# -- Broadcast ------------------------------------------------------------------------------------


async def broadcast(channel: aio.Channel, *envelopes: bytes) -> list[tuple[int, str]]:
    raws = await streamed(channel, BROADCAST, envelopes)
    answers = [orderer_pb2.BroadcastResponse.FromString(raw) for raw in raws]
    return [(answer.status, answer.info) for answer in answers]


async def test_each_envelope_is_answered_in_order(world, channel):
    assert await broadcast(channel, b"one", b"two") == [(common_pb2.SUCCESS, "")] * 2
    assert world.submitted == [b"one", b"two"]


async def test_a_refused_envelope_ends_the_stream(world, channel):
    call = channel.stream_stream(BROADCAST, identity_bytes, identity_bytes)()
    await call.write(b"bad")
    async with asyncio.timeout(60):
        answer = orderer_pb2.BroadcastResponse.FromString(await call.read())
        assert answer.status == common_pb2.FORBIDDEN
        assert answer.info == "BAD_SIGNATURE: it does not fit"
        assert await call.read() is aio.EOF
    assert world.submitted == []
