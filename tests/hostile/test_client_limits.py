"""Rows 3, 19, 21, 22, 23: what clients may have under way at a peer, and what more is answered."""

import asyncio

import grpc
import pytest
from grpc import aio

from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import encode_envelope, encode_request_payload
from ledger.model.codes import HeaderType
from ledger.model.transaction import ChaincodeResponse, SignedProposal
from ledger.rpc import client_streams, gateway_service
from ledger.rpc.broadcast_service import BroadcastService, broadcast_handlers
from ledger.rpc.client_limits import (
    CALL_BYTES_MAX,
    QUESTION_BYTES_MAX,
    ClientLimits,
    RefusalCounter,
    Slots,
)
from ledger.rpc.deliver_service import DeliverService
from ledger.rpc.event_stream import ChaincodeEventStream
from ledger.rpc.gateway_service import GatewayService
from ledger.rpc.transport import identity_bytes
from ledger.wire import common_pb2, gateway_pb2, orderer_pb2, protos_pb2
from tests.support.conditions import until
from tests.support.endorsing_world import EndorsingWorld
from tests.support.identities import CHANNEL_ID
from tests.support.ledger_world import market, put
from tests.unit.rpc.loopback import serving, unary
from tests.unit.rpc.serving_world import ServingWorld

pytestmark = pytest.mark.anyio
LIMITS = ClientLimits(
    calls_max=2,
    status_waits_max=3,
    status_waits_per_identity_max=2,
    event_streams_max=3,
    block_streams_max=3,
    streams_per_identity_max=2,
    opening_streams_max=3,
)
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


class Peer(ServingWorld, EndorsingWorld):
    """A peer whose contracts and pools take their time."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = RefusalCounter()
        self.go_on = asyncio.Event()
        self.neighbour = self.consortium.members[1].client
        self.gateway = GatewayService(
            access=self.access,
            endorsements=self,
            evaluations=self,
            submission=self,
            lookup=self.lookup,
            notifier=self.notifier,
            events=ChaincodeEventStream(self.source, self.lookup),
            limits=LIMITS,
            refusals=self.refusals,
        )
        self.deliver = DeliverService(
            channel_id=CHANNEL_ID,
            source=self.source,
            access=self.access,
            clock_ms=lambda: self.now_ms,
            limits=LIMITS,
            refusals=self.refusals,
        )
        self.broadcast = BroadcastService(
            self, calls=self.gateway.calls, limits=LIMITS, refusals=self.refusals
        )

    async def endorse(self, proposal: SignedProposal, organizations: tuple[str, ...]) -> bytes:
        await self.go_on.wait()
        return b"payload"

    async def evaluate(
        self, proposal: SignedProposal, organizations: tuple[str, ...]
    ) -> ChaincodeResponse:
        await self.go_on.wait()
        return ChaincodeResponse(200, "", b"")

    async def submit(self, envelope_raw: bytes) -> None:
        await self.go_on.wait()

    # -- what clients send ------------------------------------------------------------------------

    def endorse_request(self) -> bytes:
        proposal = self.propose("run")
        request = gateway_pb2.EndorseRequest(channel_id=CHANNEL_ID)
        request.proposed_transaction.proposal_bytes = proposal.proposal_raw
        request.proposed_transaction.signature = proposal.signature
        return request.SerializeToString()

    def submit_request(self) -> bytes:
        envelope = common_pb2.Envelope(payload=b"p", signature=b"s")
        return gateway_pb2.SubmitRequest(prepared_transaction=envelope).SerializeToString()

    def status_request(self, signer=None, tx_id: str = "ab") -> bytes:
        who = signer or self.client
        request = gateway_pb2.CommitStatusRequest(
            transaction_id=tx_id, channel_id=CHANNEL_ID, identity=who.serialized
        ).SerializeToString()
        return gateway_pb2.SignedCommitStatusRequest(
            request=request, signature=who.sign(request)
        ).SerializeToString()

    def events_request(self, signer=None) -> bytes:
        who = signer or self.client
        request = gateway_pb2.ChaincodeEventsRequest(
            channel_id=CHANNEL_ID, identity=who.serialized, chaincode_id="market"
        ).SerializeToString()
        return gateway_pb2.SignedChaincodeEventsRequest(
            request=request, signature=who.sign(request)
        ).SerializeToString()

    def seek(self, signer=None, *, until_block: int = 2**64 - 1) -> bytes:
        who = signer or self.client
        info = orderer_pb2.SeekInfo()
        info.start.oldest.SetInParent()
        info.stop.specified.number = until_block
        payload = encode_request_payload(
            header_type=HeaderType.DELIVER_SEEK_INFO,
            channel_id=CHANNEL_ID,
            creator=who.serialized,
            nonce=bytes(24),
            timestamp_ns=self.now_ms * 1_000_000,
            data=info.SerializeToString(),
        )
        return encode_envelope(payload, who.sign(payload))


@pytest.fixture
async def peer():
    made = Peer()
    yield made
    made.close()


@pytest.fixture
async def channel(peer):
    handlers = (
        peer.gateway.rpc_handlers(),
        peer.deliver.rpc_handlers(),
        broadcast_handlers(peer.broadcast, peer.deliver.orderer_handler()),
    )
    async with serving(*handlers) as connected:
        yield connected


def gateway(channel: aio.Channel, name: str, raw: bytes) -> aio.UnaryUnaryCall:
    return unary(channel, f"/gateway.Gateway/{name}")(raw)


async def refused(call: aio.Call) -> aio.AioRpcError:
    with pytest.raises(aio.AioRpcError) as caught:
        async with asyncio.timeout(60):
            await (call if hasattr(call, "__await__") else call.read())
    return caught.value


async def opened(channel: aio.Channel, method: str, *requests: bytes) -> aio.StreamStreamCall:
    """A stream with its requests written; nothing is read."""
    call = channel.stream_stream(method, identity_bytes, identity_bytes)()
    for request in requests:
        await call.write(request)
    return call


DELIVER = "/protos.Deliver/Deliver"
BROADCAST = "/orderer.AtomicBroadcast/Broadcast"

# -- calls ----------------------------------------------------------------------------------------


async def test_work_is_limited_over_all_calls_and_services(peer, channel):
    working = [
        gateway(channel, "Endorse", peer.endorse_request()),
        gateway(channel, "Submit", peer.submit_request()),
    ]
    await until(lambda: peer.gateway.calls.taken == 2)
    for name, raw in (("Endorse", peer.endorse_request()), ("Submit", peer.submit_request())):
        error = await refused(gateway(channel, name, raw))
        assert (error.code(), "OVERLOADED" in error.details()) == (EXHAUSTED, True)
        assert peer.refusals[f"refused.{name}.OVERLOADED"] == 1
    stream = await opened(channel, BROADCAST, b"envelope")
    answer = orderer_pb2.BroadcastResponse.FromString(await stream.read())
    assert answer.status == common_pb2.SERVICE_UNAVAILABLE
    stream.cancel()
    peer.go_on.set()
    await asyncio.gather(*working)
    assert peer.gateway.calls.taken == 0
    await gateway(channel, "Submit", peer.submit_request())


async def test_callers_that_wait_for_a_commit_take_no_place_from_those_who_work(peer, channel):
    waiting = [gateway(channel, "CommitStatus", peer.status_request()) for _ in range(2)]
    await until(lambda: peer.gateway.waits.taken == 2)
    peer.go_on.set()
    await gateway(channel, "Submit", peer.submit_request())
    error = await refused(gateway(channel, "CommitStatus", peer.status_request()))
    assert error.code() is EXHAUSTED
    other = gateway(channel, "CommitStatus", peer.status_request(peer.neighbour))
    await until(lambda: peer.gateway.waits.taken == 3)
    error = await refused(gateway(channel, "CommitStatus", peer.status_request(peer.neighbour)))
    assert error.details() == (
        "too many requests for /gateway.Gateway, exceeding concurrency limit (3); "
        "OVERLOADED: try again later"
    )
    for call in (*waiting, other):
        call.cancel()
    await until(lambda: peer.gateway.waits.taken == 0)


async def test_a_name_without_its_signature_takes_no_place(peer, channel):
    signed = gateway_pb2.SignedCommitStatusRequest.FromString(peer.status_request())
    signed.signature = peer.neighbour.sign(signed.request)
    for _ in range(5):
        error = await refused(gateway(channel, "CommitStatus", signed.SerializeToString()))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert peer.gateway.waits.taken == 0


async def test_a_wait_ends_at_its_deadline(peer, channel, monkeypatch):
    monkeypatch.setattr(gateway_service, "STATUS_TIMEOUT_MS", 10)
    error = await refused(gateway(channel, "CommitStatus", peer.status_request()))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("Endorse", CALL_BYTES_MAX),
        ("Evaluate", CALL_BYTES_MAX),
        ("Submit", CALL_BYTES_MAX),
        ("CommitStatus", QUESTION_BYTES_MAX),
    ],
)
async def test_a_request_too_large_for_its_kind_is_not_parsed(peer, channel, name, limit):
    error = await refused(gateway(channel, name, b"\xff" * (limit + 1)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "OVERSIZED" in error.details()
    assert peer.refusals[f"refused.{name}.OVERSIZED"] == 1


# -- streams --------------------------------------------------------------------------------------


def events(channel: aio.Channel, raw: bytes) -> aio.UnaryStreamCall:
    method = "/gateway.Gateway/ChaincodeEvents"
    return channel.unary_stream(method, identity_bytes, identity_bytes)(raw)


async def test_event_streams_are_limited_for_an_identity_and_for_all(peer, channel):
    streams = peer.gateway.streams
    mine = [events(channel, peer.events_request()) for _ in range(2)]
    await until(lambda: streams.taken == 2)
    error = await refused(events(channel, peer.events_request()))
    assert error.code() is EXHAUSTED
    assert "one identity has at most 2" in error.details()
    other = events(channel, peer.events_request(peer.neighbour))
    await until(lambda: streams.taken == 3)
    error = await refused(events(channel, peer.events_request(peer.neighbour)))
    assert error.details().startswith(
        "too many requests for /gateway.Gateway, exceeding concurrency limit (3)"
    )
    for call in (*mine, other):
        call.cancel()
    await until(lambda: streams.taken == 0)


async def test_block_streams_are_limited_for_an_identity_and_for_all(peer, channel):
    streams = peer.deliver._streams
    open_ = [await opened(channel, DELIVER, peer.seek()) for _ in range(2)]
    await until(lambda: streams.taken == 2)
    assert await refusal(channel, peer.seek()) == common_pb2.SERVICE_UNAVAILABLE
    open_.append(
        await opened(channel, "/orderer.AtomicBroadcast/Deliver", peer.seek(peer.neighbour))
    )
    await until(lambda: streams.taken == 3)
    assert await refusal(channel, peer.seek(peer.neighbour)) == common_pb2.SERVICE_UNAVAILABLE
    assert peer.refusals["refused.Deliver.OVERLOADED"] == 2
    for call in open_:
        call.cancel()
    await until(lambda: streams.taken == 0)


async def refusal(channel: aio.Channel, request: bytes) -> int:
    """The status a block stream ends with at once."""
    stream = await opened(channel, DELIVER, request)
    return protos_pb2.DeliverResponse.FromString(await stream.read()).status


@pytest.mark.parametrize("method", [DELIVER, BROADCAST, "/orderer.AtomicBroadcast/Deliver"])
async def test_a_stream_on_which_nothing_is_said_ends(peer, channel, monkeypatch, method):
    monkeypatch.setattr(client_streams, "STREAM_SILENCE_MS", 10)
    error = await refused(await opened(channel, method))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_streams_on_which_nothing_is_said_are_limited(peer, channel):
    silent = [await opened(channel, DELIVER) for _ in range(3)]
    await until(lambda: peer.deliver._opening.taken == 3)
    error = await refused(await opened(channel, DELIVER))
    assert error.code() is EXHAUSTED
    for call in silent:
        call.cancel()
    await until(lambda: peer.deliver._opening.taken == 0)


async def test_who_does_not_read_loses_its_stream(peer, channel, monkeypatch):
    monkeypatch.setattr(client_streams, "STREAM_WRITE_TIMEOUT_MS", 50)
    large = [peer.transaction(market(writes=[put("a", bytes(900_000))])) for _ in range(4)]
    peer.commit(*large)
    stream = await opened(channel, DELIVER, *[peer.seek(until_block=1)] * 10)
    await until(lambda: peer.refusals["refused.Deliver.TOO_SLOW"])
    await until(lambda: peer.deliver._streams.taken == 0)
    stream.cancel()


async def test_a_request_for_blocks_too_large_for_one_is_not_parsed(peer, channel):
    stream = await opened(channel, DELIVER, bytes(QUESTION_BYTES_MAX + 1))
    raw = await stream.read()
    assert protos_pb2.DeliverResponse.FromString(raw).status == common_pb2.BAD_REQUEST
    assert peer.refusals["refused.Deliver.OVERSIZED"] == 1


# -- counting -------------------------------------------------------------------------------------


async def test_each_refusal_is_counted_by_call_and_reason(peer, channel):
    for raw in (b"\xff", b"\xff"):
        await refused(gateway(channel, "Endorse", raw))
    assert peer.refusals["refused.Endorse.MALFORMED"] == 2


def test_places_are_given_back_whatever_happens():
    slots = Slots("calls", total=1)
    with pytest.raises(KeyError), slots.place(b"a"):
        raise KeyError
    with slots.place(b"b"):
        with pytest.raises(InvalidMessage) as caught, slots.place(b"c"):
            pass
        assert caught.value.reason is Reason.OVERLOADED
    assert slots.taken == 0
