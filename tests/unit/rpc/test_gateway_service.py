"""gateway.Gateway over a real connection: which status each kind of wrong becomes."""

import asyncio

import grpc
import pytest
from grpc import aio

from ledger.client.refusals import peer_errors
from ledger.crypto.signing import SigningIdentity
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import decode_envelope, encode_envelope
from ledger.model.codes import ValidationCode
from ledger.model.transaction import ChaincodeResponse, SignedProposal
from ledger.rpc import gateway_service
from ledger.rpc.client_limits import Slots
from ledger.rpc.event_stream import ChaincodeEventStream
from ledger.rpc.gateway_service import GatewayService
from ledger.rpc.status import CODE_BY_REASON, GatewayError, PeerError
from ledger.wire import gateway_pb2
from ledger.wire.rpc_status_pb2 import RpcStatus
from tests.support.conditions import until
from tests.support.endorsing_world import EndorsingWorld
from tests.support.identities import CHANNEL_ID, make_consortium
from tests.support.ledger_world import CHAINCODE
from tests.unit.rpc.loopback import serving, unary
from tests.unit.rpc.serving_world import ServingWorld

pytestmark = pytest.mark.anyio
NEVER = 60.0


class World(ServingWorld, EndorsingWorld):
    """The service's neighbours are the test: `failure` is what they raise, or they wait."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: Exception | None = None
        self.is_slow = False
        self.entered = asyncio.Event()
        self.left = asyncio.Event()
        self.submitted: list[bytes] = []
        self.service = GatewayService(
            access=self.access,
            endorsements=self,
            evaluations=self,
            submission=self,
            lookup=self.lookup,
            notifier=self.notifier,
            events=ChaincodeEventStream(self.source, self.lookup),
        )

    async def _act(self) -> None:
        self.entered.set()
        try:
            if self.is_slow:
                await asyncio.Event().wait()
        finally:
            self.left.set()
        if self.failure is not None:
            raise self.failure

    async def endorse(self, proposal: SignedProposal, organizations: tuple[str, ...]) -> bytes:
        await self._act()
        return f"{proposal.chaincode_name} by {','.join(organizations)}".encode()

    async def evaluate(
        self, proposal: SignedProposal, organizations: tuple[str, ...]
    ) -> ChaincodeResponse:
        await self._act()
        return ChaincodeResponse(200, "fine", b"answer")

    async def submit(self, envelope_raw: bytes) -> None:
        await self._act()
        self.submitted.append(envelope_raw)


@pytest.fixture
async def world():
    made = World()
    yield made
    made.close()


@pytest.fixture
async def channel(world):
    async with serving(world.service.rpc_handlers()) as connected:
        yield connected


def endorse_request(world: World, **changes: object) -> bytes:
    proposal = world.propose("run")
    request = gateway_pb2.EndorseRequest(
        **{"channel_id": CHANNEL_ID, "transaction_id": proposal.tx_id, **changes}
    )
    request.proposed_transaction.proposal_bytes = proposal.proposal_raw
    request.proposed_transaction.signature = proposal.signature
    return request.SerializeToString()


def status_request(
    world: World, tx_id: str, signer: SigningIdentity | None = None, **changes: object
) -> bytes:
    who = signer or world.client
    request = gateway_pb2.CommitStatusRequest(
        **{
            "transaction_id": tx_id,
            "channel_id": CHANNEL_ID,
            "identity": who.serialized,
            **changes,
        }
    ).SerializeToString()
    signed = gateway_pb2.SignedCommitStatusRequest(request=request, signature=who.sign(request))
    return signed.SerializeToString()


async def call(channel: aio.Channel, name: str, request: bytes) -> bytes:
    return await unary(channel, f"/gateway.Gateway/{name}")(request, timeout=NEVER)


async def failure(channel: aio.Channel, name: str, request: bytes) -> aio.AioRpcError:
    with pytest.raises(aio.AioRpcError) as failed:
        await call(channel, name, request)
    return failed.value


# -- endorse, evaluate, submit --------------------------------------------------------------------


async def test_endorse_gives_the_prepared_payload(world, channel):
    raw = await call(
        channel, "Endorse", endorse_request(world, endorsing_organizations=["A", "B"])
    )
    payload = gateway_pb2.EndorseResponse.FromString(raw).prepared_transaction.payload
    assert payload == f"{CHAINCODE} by A,B".encode()


async def test_evaluate_gives_the_contracts_answer(world, channel):
    raw = await call(channel, "Evaluate", endorse_request(world))
    result = gateway_pb2.EvaluateResponse.FromString(raw).result
    assert (result.status, result.message, result.payload) == (200, "fine", b"answer")


async def test_submit_hands_over_payload_and_signature(world, channel):
    request = gateway_pb2.SubmitRequest(channel_id=CHANNEL_ID)
    request.prepared_transaction.payload = b"payload"
    request.prepared_transaction.signature = b"signature"
    await call(channel, "Submit", request.SerializeToString())
    assert world.submitted == [encode_envelope(b"payload", b"signature")]


@pytest.mark.parametrize("name", ["Endorse", "Evaluate", "Submit"])
@pytest.mark.parametrize("request_raw", [b"\xff\xff", b""])
async def test_malformed_and_empty_requests(world, channel, name, request_raw):
    error = await failure(channel, name, request_raw)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert not world.entered.is_set()


@pytest.mark.parametrize(("reason", "code"), CODE_BY_REASON.items())
async def test_each_reason_has_its_status(world, channel, reason, code):
    world.failure = InvalidMessage(reason, "in one sentence")
    error = await failure(channel, "Endorse", endorse_request(world))
    assert error.code() is code
    assert error.details() == f"{reason}: in one sentence"


def test_every_reason_a_client_can_meet_has_a_status():
    from_clients = {
        Reason.MALFORMED,
        Reason.OVERSIZED,
        Reason.WRONG_CHANNEL,
        Reason.UNKNOWN_MEMBER,
        Reason.CERTIFICATE_INVALID,
        Reason.CERTIFICATE_EXPIRED,
        Reason.CERTIFICATE_NOT_YET_VALID,
        Reason.CERTIFICATE_REVOKED,
        Reason.ROLE_NOT_ALLOWED,
        Reason.BAD_SIGNATURE,
        Reason.HIGH_S_SIGNATURE,
        Reason.BAD_TRANSACTION_ID,
        Reason.REPLAYED,
        Reason.TIMESTAMP_OUT_OF_WINDOW,
        Reason.UNKNOWN_CHAINCODE,
        Reason.POLICY_NOT_SATISFIED,
        Reason.OVERLOADED,
    }
    assert from_clients <= set(CODE_BY_REASON)


async def test_each_peers_words_travel_in_the_details(world, channel):
    world.failure = GatewayError(
        grpc.StatusCode.ABORTED,
        "failed to endorse",
        [PeerError("p1:7051", "OneMSP", "first"), PeerError("p2:7051", "TwoMSP", "second")],
    )
    error = await failure(channel, "Endorse", endorse_request(world))
    assert [one.message for one in peer_errors(error)] == ["first", "second"]
    trailer = dict(error.trailing_metadata())
    status = RpcStatus.FromString(trailer["grpc-status-details-bin"])
    assert (status.code, status.message) == (10, "failed to endorse")
    assert {d.type_url for d in status.details} == {"type.googleapis.com/gateway.ErrorDetail"}


@pytest.mark.parametrize("broken", [AssertionError("no"), KeyError("k"), ValueError("v")])
async def test_our_own_mistakes_end_the_call_and_nothing_else(world, channel, broken):
    world.failure = broken
    error = await failure(channel, "Endorse", endorse_request(world))
    assert error.code() is grpc.StatusCode.UNKNOWN
    world.failure = None
    await call(channel, "Endorse", endorse_request(world))
    assert world.service.calls.taken == 0


async def test_a_call_that_takes_too_long(world, channel, monkeypatch):
    monkeypatch.setattr(gateway_service, "ENDORSE_TIMEOUT_MS", 10)
    world.is_slow = True
    for name, text in (("Endorse", "endorsement"), ("Evaluate", "evaluate")):
        error = await failure(channel, name, endorse_request(world))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert error.details() == f"{text} timeout expired"


async def test_a_client_that_leaves_ends_the_work(world, channel):
    world.is_slow = True
    running = unary(channel, "/gateway.Gateway/Endorse")(endorse_request(world))
    async with asyncio.timeout(60):
        await world.entered.wait()
        running.cancel()
        await world.left.wait()
    world.is_slow = False
    await call(channel, "Endorse", endorse_request(world))
    assert world.service.calls.taken == 0


async def test_calls_at_once_are_limited(world, channel):
    world.service.calls = Slots("calls", total=1)
    world.is_slow = True
    running = unary(channel, "/gateway.Gateway/Endorse")(endorse_request(world))
    async with asyncio.timeout(60):
        await world.entered.wait()
    error = await failure(channel, "Endorse", endorse_request(world))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    running.cancel()


# -- commit status --------------------------------------------------------------------------------


async def status(channel: aio.Channel, request: bytes) -> tuple[int, int]:
    response = gateway_pb2.CommitStatusResponse.FromString(
        await call(channel, "CommitStatus", request)
    )
    return response.result, response.block_number


async def test_a_recorded_transaction_is_answered_at_once(world, channel):
    good, bad = world.transaction(), world.transaction(endorsers=())
    world.commit(good, bad)
    ids = [decode_envelope(raw).tx_id for raw in (good, bad)]
    assert await status(channel, status_request(world, ids[0])) == (ValidationCode.VALID, 1)
    assert await status(channel, status_request(world, ids[1])) == (
        ValidationCode.ENDORSEMENT_POLICY_FAILURE,
        1,
    )


async def test_the_first_recorded_code_stays(world, channel):
    raw = world.transaction()
    world.commit(raw)
    assert world.commit(raw) == (ValidationCode.DUPLICATE_TXID,)
    tx_id = decode_envelope(raw).tx_id
    assert await status(channel, status_request(world, tx_id)) == (ValidationCode.VALID, 1)


async def test_a_waiting_client_hears_of_the_commit(world, channel):
    raw = world.transaction()
    tx_id = decode_envelope(raw).tx_id
    waiting = asyncio.create_task(status(channel, status_request(world, tx_id)))
    await until(lambda: world.notifier._waiting)
    world.commit(raw)
    async with asyncio.timeout(60):
        assert await waiting == (ValidationCode.VALID, 1)


async def test_a_client_that_stops_waiting_leaves_nothing(world, channel):
    call_ = unary(channel, "/gateway.Gateway/CommitStatus")(status_request(world, "ab"))
    await until(lambda: world.notifier._waiting)
    call_.cancel()
    await until(lambda: not world.notifier._waiting and not world.service.waits.taken)


async def test_commit_status_is_for_members(world, channel):
    stranger = make_consortium(world.consortium.created).members[0].client
    other = world.consortium.members[1].client
    requests = {
        "stranger": status_request(world, "ab", stranger),
        "other channel": status_request(world, "ab", channel_id="other"),
        "another's name": status_request(world, "ab", identity=other.serialized),
    }
    for request in requests.values():
        error = await failure(channel, "CommitStatus", request)
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"channel_id": ""}, "no channel ID provided"),
        ({"identity": b""}, "no identity provided"),
        ({"transaction_id": ""}, "transaction ID should not be empty"),
    ],
)
async def test_an_incomplete_commit_status_request(world, channel, changes, text):
    error = await failure(channel, "CommitStatus", status_request(world, "ab", **changes))
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, text)


async def test_an_expired_certificate_opens_nothing(world, channel):
    world.now_ms += 100 * 366 * 24 * 3600 * 1000
    error = await failure(channel, "CommitStatus", status_request(world, "ab"))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "CERTIFICATE_EXPIRED" in error.details()
