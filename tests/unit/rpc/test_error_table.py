"""Fabric's table of gateway errors, row by row: status, text and details as a client sees them.

Everything from the service down to the plan is real; what the peers answer is the test's choice.
"""

import asyncio

import grpc
import pytest
from grpc import aio

from ledger.errors import InvalidMessage, Reason
from ledger.node.committing.transaction_lookup import LedgerLookup
from ledger.node.endorsing import endorsements
from ledger.rpc import gateway_service
from ledger.rpc.access import RequestAccess
from ledger.rpc.block_source import BlockSource
from ledger.rpc.event_stream import ChaincodeEventStream
from ledger.rpc.gateway_service import GatewayService
from ledger.rpc.status import GatewayError, PeerError
from ledger.wire import gateway_pb2
from ledger.wire.rpc_status_pb2 import RpcStatus
from tests.support.endorsing_peers import CRASHED, EndorsingScene
from tests.support.identities import CHANNEL_ID, MSPIDS, make_consortium
from tests.unit.rpc.loopback import serving
from tests.unit.rpc.serving_world import ServingWorld
from tests.unit.rpc.test_gateway_service import failure, status_request

pytestmark = pytest.mark.anyio
COOP, MUNICIPALITY, DSO, _ = MSPIDS
DETAIL_TYPE = "type.googleapis.com/gateway.ErrorDetail"
OWN = ("peer1:7051", COOP)


class Scene(EndorsingScene):
    """Peers 1 and 3 are the cooperative's; the policy asks for three of the four members."""

    def __init__(self) -> None:
        super().__init__((COOP, MUNICIPALITY, COOP, DSO, MSPIDS[3]))
        self.serving = ServingWorld()
        self.refusal: Exception | None = None
        lookup = LedgerLookup(self.serving.store)
        self.service = GatewayService(
            access=RequestAccess(
                channel_id=CHANNEL_ID,
                signatures=self.serving.verifier,
                clock_ms=lambda: self.serving.now_ms,
            ),
            endorsements=self.collector,
            evaluations=self.evaluator,
            submission=self,
            lookup=lookup,
            notifier=self.serving.notifier,
            events=ChaincodeEventStream(
                BlockSource(self.serving.store, self.serving.notifier), lookup
            ),
            own=OWN,
        )

    async def submit(self, envelope_raw: bytes) -> None:
        if self.refusal is not None:
            raise self.refusal
        await asyncio.Event().wait()

    def request(self, **options: object) -> bytes:
        """An EndorseRequest, which has the shape of an EvaluateRequest."""
        organizations = options.pop("organizations", ())
        proposal = self.propose(**options)
        request = gateway_pb2.EndorseRequest(
            channel_id=proposal.header.channel.channel_id,
            transaction_id=proposal.tx_id,
            endorsing_organizations=organizations,
        )
        request.proposed_transaction.proposal_bytes = proposal.proposal_raw
        request.proposed_transaction.signature = proposal.signature
        return request.SerializeToString()


@pytest.fixture
async def scene(monkeypatch):
    monkeypatch.setattr(endorsements, "CONNECT_WAIT_MS", 5)
    made = Scene()
    yield made
    made.serving.close()
    made.close()


@pytest.fixture
async def channel(scene):
    async with serving(scene.service.rpc_handlers()) as connected:
        yield connected


def details(error: aio.AioRpcError) -> list[tuple[str, str, str]]:
    """(address, MSP id, message) of each detail; the trailer must agree with the status."""
    trailer = dict(error.trailing_metadata())
    if "grpc-status-details-bin" not in trailer:
        return []
    status = RpcStatus.FromString(trailer["grpc-status-details-bin"])
    assert (status.code, status.message) == (error.code().value[0], error.details())
    assert {packed.type_url for packed in status.details} == {DETAIL_TYPE}
    found = [gateway_pb2.ErrorDetail.FromString(packed.value) for packed in status.details]
    return [(one.address, one.msp_id, one.message) for one in found]


# -- Endorse --------------------------------------------------------------------------------------


async def test_endorse_contract_error(scene, channel):
    for member in scene.members:
        member.status = 500
    error = await failure(channel, "Endorse", scene.request())
    assert error.code() is grpc.StatusCode.ABORTED
    assert error.details().startswith("failed to endorse transaction, see attached details")
    assert details(error) == [
        ("peer1:7051", COOP, "chaincode response 500, it says so"),
        ("peer3:7051", COOP, "chaincode response 500, it says so"),
    ]


async def test_endorse_later_endorser_fails(scene, channel):
    scene.members[1].status = 500
    error = await failure(
        channel, "Endorse", scene.request(organizations=(COOP, MUNICIPALITY, DSO))
    )
    assert error.code() is grpc.StatusCode.ABORTED
    assert error.details().startswith("failed to collect enough transaction endorsements")
    assert details(error) == [("peer2:7051", MUNICIPALITY, "chaincode response 500, it says so")]


async def test_endorse_results_differ(scene, channel):
    for member in scene.members[1:]:
        member.written = lambda _height: b"other"
    error = await failure(channel, "Endorse", scene.request())
    assert error.code() is grpc.StatusCode.ABORTED
    assert error.details().startswith("failed to collect enough transaction endorsements")
    assert {message for *_, message in details(error)} == {"ProposalResponsePayloads do not match"}


@pytest.mark.parametrize(
    "reason", [Reason.BAD_SIGNATURE, Reason.POLICY_NOT_SATISFIED, Reason.CERTIFICATE_REVOKED]
)
async def test_endorse_access_denied(scene, channel, reason):
    for member in scene.members:
        member.refusal = InvalidMessage(reason, "for this reason")
    error = await failure(channel, "Endorse", scene.request())
    assert error.code() is grpc.StatusCode.ABORTED
    assert error.details().startswith("failed to endorse transaction")
    assert [(address, mspid) for address, mspid, _ in details(error)] == [
        ("peer1:7051", COOP),
        ("peer3:7051", COOP),
    ]
    for *_, message in details(error):
        assert message.startswith(
            "error validating proposal: access denied: channel [energy] creator org [CoopMSP]"
        )
        assert message.endswith(f"{reason}: for this reason")


@pytest.mark.parametrize(
    ("reason", "beginning"),
    [
        (Reason.UNKNOWN_MEMBER, "error validating proposal: access denied: channel [energy]"),
        (Reason.BAD_TRANSACTION_ID, "error validating proposal: incorrectly computed txid '"),
        (Reason.REPLAYED, "duplicate transaction found ["),
        (Reason.OVERSIZED, "error validating proposal: OVERSIZED: "),
    ],
)
async def test_endorse_other_refusals_of_the_request(scene, channel, reason, beginning):
    for member in scene.members:
        member.refusal = InvalidMessage(reason, "for this reason")
    error = await failure(channel, "Endorse", scene.request())
    assert error.code() is grpc.StatusCode.ABORTED
    assert all(message.startswith(beginning) for *_, message in details(error))


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"chaincode": "nothing"}, "chaincode nothing in channel energy"),
        ({"channel_id": "elsewhere"}, "chaincode market in channel elsewhere"),
    ],
)
async def test_endorse_unknown_chaincode_or_channel(scene, channel, options, names):
    error = await failure(channel, "Endorse", scene.request(**options))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == (
        "no combination of peers can be derived which satisfy the endorsement policy: "
        f"No metadata was found for {names}"
    )
    assert details(error) == []


async def test_endorse_named_organization_without_a_peer(scene, channel):
    scene.streams.down = {4}
    error = await failure(
        channel, "Endorse", scene.request(organizations=(COOP, DSO, "NobodyMSP"))
    )
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert error.details() == (f"failed to find any endorsing peers for org(s): {DSO}, NobodyMSP")
    assert details(error) == []


async def test_endorse_peers_away(scene, channel):
    scene.streams.down = {2, 4}
    error = await failure(channel, "Endorse", scene.request())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert error.details() == (
        "failed to select a set of endorsers that satisfy the endorsement policy due to "
        "unavailability of peers: [peer2:7051 peer4:7051]"
    )


async def test_endorse_takes_too_long(scene, channel, monkeypatch):
    monkeypatch.setattr(gateway_service, "ENDORSE_TIMEOUT_MS", 10)
    scene.members[0].is_silent = True
    error = await failure(channel, "Endorse", scene.request())
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error.details().startswith("endorsement timeout expired")
    assert details(error) == []


# -- Evaluate -------------------------------------------------------------------------------------


async def test_evaluate_contract_error(scene, channel):
    scene.members[0].status = 500
    error = await failure(channel, "Evaluate", scene.request())
    assert error.code() is grpc.StatusCode.UNKNOWN
    assert error.details() == (
        "evaluate call to endorser returned error: chaincode response 500, it says so"
    )
    assert details(error) == [("peer1:7051", COOP, "chaincode response 500, it says so")]
    assert scene.asked == [1, 0, 0, 0, 0]


async def test_evaluate_crashing_chaincode(scene, channel):
    for member in scene.members:
        member.failure = CRASHED
    error = await failure(channel, "Evaluate", scene.request())
    assert error.code() is grpc.StatusCode.ABORTED
    assert error.details().startswith("failed to evaluate transaction, see attached details")
    assert len(details(error)) == 5
    assert all(message.endswith("chaincode stream terminated") for *_, message in details(error))


async def test_evaluate_access_denied(scene, channel):
    scene.members[0].refusal = InvalidMessage(Reason.BAD_SIGNATURE, "it does not fit")
    error = await failure(channel, "Evaluate", scene.request())
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    text = "error validating proposal: access denied: channel [energy] creator org [CoopMSP]"
    assert error.details().startswith(f"evaluate call to endorser returned error: {text}")
    [(address, mspid, message)] = details(error)
    assert (address, mspid, message.startswith(text)) == (*OWN, True)


async def test_evaluate_unknown_chaincode(scene, channel):
    error = await failure(channel, "Evaluate", scene.request(chaincode="nothing"))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "no peers available to evaluate chaincode nothing in channel energy"
    assert details(error) == []


async def test_evaluate_unknown_channel(scene, channel):
    error = await failure(channel, "Evaluate", scene.request(channel_id="elsewhere"))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert error.details() == "failed to get config for channel [elsewhere]"
    assert details(error) == []


async def test_evaluate_takes_too_long(scene, channel, monkeypatch):
    monkeypatch.setattr(gateway_service, "ENDORSE_TIMEOUT_MS", 10)
    scene.members[0].is_silent = True
    error = await failure(channel, "Evaluate", scene.request())
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error.details() == "evaluate timeout expired"


# -- malformed requests ---------------------------------------------------------------------------

UNSIGNED = gateway_pb2.SubmitRequest(
    prepared_transaction={"payload": b"payload"}
).SerializeToString()


@pytest.mark.parametrize(
    ("call", "request_raw", "text"),
    [
        ("Endorse", b"", "the proposed transaction must contain a signed proposal"),
        ("Endorse", b"\xff", "MALFORMED: "),
        ("Evaluate", b"", "failed to unpack transaction proposal: a signed proposal is required"),
        ("Evaluate", b"\xff", "failed to unpack transaction proposal: MALFORMED: "),
        ("Submit", b"", "a prepared transaction is required"),
        ("Submit", UNSIGNED, "prepared transaction must be signed"),
        ("CommitStatus", b"", "a commit status request is required"),
        ("CommitStatus", b"\xff", "MALFORMED: "),
    ],
)
async def test_malformed_requests(channel, call, request_raw, text):
    error = await failure(channel, call, request_raw)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(text)
    assert details(error) == []


@pytest.mark.parametrize("call", ["Endorse", "Evaluate"])
@pytest.mark.parametrize(
    ("field", "reason"),
    [("channel_id", Reason.MALFORMED), ("transaction_id", Reason.BAD_TRANSACTION_ID)],
)
async def test_request_that_contradicts_its_proposal(scene, channel, call, field, reason):
    request = gateway_pb2.EndorseRequest.FromString(scene.request())
    setattr(request, field, "other")
    error = await failure(channel, call, request.SerializeToString())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert f"{reason}: the request and its proposal name different" in error.details()
    assert details(error) == []


@pytest.mark.parametrize(
    ("request_raw", "text"),
    [(b"", "a chaincode events request is required"), (b"\xff", "MALFORMED: ")],
)
async def test_malformed_requests_for_events(channel, request_raw, text):
    error = await stream_failure(channel, request_raw)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(text)


# -- Submit ---------------------------------------------------------------------------------------


def submit_request(channel_id: str = CHANNEL_ID) -> bytes:
    envelope = {"payload": b"payload", "signature": b"signature"}
    return gateway_pb2.SubmitRequest(
        channel_id=channel_id, prepared_transaction=envelope
    ).SerializeToString()


NO_QUORUM = (
    "insufficient number of orderers could successfully process transaction to satisfy quorum "
    "requirement"
)


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.BAD_SIGNATURE, "FORBIDDEN"),
        (Reason.POLICY_NOT_SATISFIED, "FORBIDDEN"),
        (Reason.WRONG_CHANNEL, "NOT_FOUND"),
        (Reason.NO_SPACE, "SERVICE_UNAVAILABLE"),
    ],
)
async def test_submit_refused_by_the_own_orderer(scene, channel, reason, status):
    scene.refusal = InvalidMessage(reason, "for this reason")
    error = await failure(channel, "Submit", submit_request())
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert error.details() == f"{NO_QUORUM}; {reason}: for this reason"
    text = f"received unsuccessful response from orderer: status={status}, info={reason}: "
    assert details(error) == [(*OWN, f"{text}for this reason")]


async def test_submit_refused_by_too_many(scene, channel):
    scene.refusal = GatewayError(
        grpc.StatusCode.UNAVAILABLE, NO_QUORUM, [PeerError("o2:7050", MUNICIPALITY, "no")]
    )
    error = await failure(channel, "Submit", submit_request())
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, NO_QUORUM)
    assert details(error) == [("o2:7050", MUNICIPALITY, "no")]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.MALFORMED, grpc.StatusCode.INVALID_ARGUMENT),
        (Reason.OVERSIZED, grpc.StatusCode.INVALID_ARGUMENT),
        (Reason.BAD_TRANSACTION_ID, grpc.StatusCode.INVALID_ARGUMENT),
        (Reason.REPLAYED, grpc.StatusCode.ALREADY_EXISTS),
        (Reason.OVERLOADED, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
)
async def test_submit_refusals_that_are_no_orderers_judgement(scene, channel, reason, code):
    scene.refusal = InvalidMessage(reason, "for this reason")
    error = await failure(channel, "Submit", submit_request())
    assert (error.code(), error.details()) == (code, f"{reason}: for this reason")


async def test_submit_unknown_channel(channel):
    error = await failure(channel, "Submit", submit_request("elsewhere"))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "failed to get config for channel [elsewhere]"


async def test_submit_takes_too_long(channel, monkeypatch):
    monkeypatch.setattr(gateway_service, "SUBMIT_TIMEOUT_MS", 10)
    error = await failure(channel, "Submit", submit_request())
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error.details().startswith("submit timeout expired")


# -- CommitStatus and ChaincodeEvents -------------------------------------------------------------


def events_request(scene: Scene, channel_id: str, signer: object = None) -> bytes:
    who = signer or scene.serving.client
    request = gateway_pb2.ChaincodeEventsRequest(
        channel_id=channel_id, identity=who.serialized, chaincode_id="market"
    ).SerializeToString()
    return gateway_pb2.SignedChaincodeEventsRequest(
        request=request, signature=who.sign(request)
    ).SerializeToString()


async def stream_failure(channel: aio.Channel, request: bytes) -> aio.AioRpcError:
    call = channel.unary_stream(
        "/gateway.Gateway/ChaincodeEvents", lambda raw: raw, lambda raw: raw
    )(request)
    with pytest.raises(aio.AioRpcError) as failed:
        async with asyncio.timeout(60):
            await call.read()
    return failed.value


async def test_commit_status_and_events_not_allowed(scene, channel):
    stranger = make_consortium(scene.serving.consortium.created).members[0].client
    for error in (
        await failure(channel, "CommitStatus", status_request(scene.serving, "ab", stranger)),
        await stream_failure(channel, events_request(scene, CHANNEL_ID, stranger)),
    ):
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert error.details().startswith("CERTIFICATE_INVALID: ")
        assert details(error) == []


async def test_commit_status_and_events_of_an_unknown_channel(scene, channel):
    status = status_request(scene.serving, "ab", channel_id="elsewhere")
    for error in (
        await failure(channel, "CommitStatus", status),
        await stream_failure(channel, events_request(scene, "elsewhere")),
    ):
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert details(error) == []
