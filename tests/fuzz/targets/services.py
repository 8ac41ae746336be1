"""Requests of clients and validators, as far as the services behind gRPC take them.

Where a signature stands before everything else, the target signs the changed bytes with a
member's key: a member may be hostile too. Handlers that only read the ledger are awaited on an
event loop of the target's own.
"""

import asyncio
import atexit
from collections.abc import Awaitable, Callable
from functools import cache
from types import SimpleNamespace

from google.protobuf.message import DecodeError

from ledger.endorsement.limits import SimulationLimits
from ledger.endorsement.proposal_checks import ProposalRules, check_proposal
from ledger.errors import InvalidMessage
from ledger.model.codec import encode_envelope, encode_request_payload
from ledger.model.codec_proposal import decode_proposal
from ledger.model.codes import HeaderType
from ledger.model.transaction import ChaincodeResponse, SignedProposal
from ledger.node.committing.transaction_lookup import LedgerLookup
from ledger.node.following.catch_up import CatchUp
from ledger.node.membership.signatures import SignatureVerifier
from ledger.node.ordering.admission import Admission, AdmissionRules
from ledger.ordering.envelopes import EnvelopeMemory
from ledger.ordering.pool import BlockLimits, PoolLimits, TransactionPool
from ledger.rpc.access import RequestAccess
from ledger.rpc.block_source import BlockSource
from ledger.rpc.commit_notifier import CommitNotifier
from ledger.rpc.deliver_service import DeliverService, SeekRefused
from ledger.rpc.event_stream import ChaincodeEventStream
from ledger.rpc.gateway_service import GatewayService
from ledger.rpc.status import GatewayError
from ledger.wire import common_pb2, gateway_pb2, orderer_pb2
from ledger.wire.validator_pb2 import BlockRequest, BlockResponse, Status
from tests.fuzz import samples
from tests.fuzz.engine import REFUSALS, Attempt, FuzzTarget
from tests.fuzz.targets.model import TRANSACTION_BYTES_MAX
from tests.support.identities import CHANNEL_ID
from tests.support.ledger_world import START_NS
from tests.unit.node.fake_links import FakeLinks

REQUEST_BYTES_MAX = TRANSACTION_BYTES_MAX
NOW_MS = START_NS // 1_000_000 + 60_000


@cache
def event_loop() -> asyncio.AbstractEventLoop:
    """One for all targets that await something; it ends with the process."""
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop


class _Neighbours:
    """What stands behind the gateway's calls: the proposal or the envelope got through."""

    async def endorse(self, proposal: SignedProposal, organizations: tuple[str, ...]) -> bytes:
        return proposal.proposal_raw

    async def evaluate(
        self, proposal: SignedProposal, organizations: tuple[str, ...]
    ) -> ChaincodeResponse:
        return ChaincodeResponse(200, "", b"")

    async def submit(self, envelope_raw: bytes) -> None:
        pass


class _Serving:
    """The client side of a peer over the samples' ledger."""

    def __init__(self) -> None:
        here = samples.world()
        self.loop = event_loop()
        notifier = CommitNotifier(here.store.height())
        access = RequestAccess(
            channel_id=CHANNEL_ID,
            signatures=_OnTheLoop(here.verifier),
            clock_ms=lambda: NOW_MS,
        )
        self.source = BlockSource(here.store, notifier)
        lookup = LedgerLookup(here.store)
        self.events = ChaincodeEventStream(self.source, lookup)
        neighbours = _Neighbours()
        self.gateway = GatewayService(
            access=access,
            endorsements=neighbours,
            evaluations=neighbours,
            submission=neighbours,
            lookup=lookup,
            notifier=notifier,
            events=self.events,
        )
        self.deliver = DeliverService(
            channel_id=CHANNEL_ID, source=self.source, access=access, clock_ms=lambda: NOW_MS
        )

    def calling(self, handler: Callable[[bytes], Awaitable[object]]) -> Attempt:
        return lambda raw: self.loop.run_until_complete(_at_once(handler(raw)))


class _OnTheLoop:
    """Signatures are checked where they are asked for: one thread is enough to fuzz."""

    def __init__(self, verifier: SignatureVerifier) -> None:
        self._verifier = verifier
        self.registry = verifier.registry

    async def check_off_loop(self, identity: bytes, message: bytes, signature: bytes) -> None:
        self._verifier.check(identity, message, signature)


async def _at_once(work: Awaitable[object]) -> object:
    """The result, or a word for a call that would wait for a block."""
    task = asyncio.ensure_future(work)
    for _ in range(10):
        await asyncio.sleep(0)
        if task.done():
            return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return "waits"


# -- the gateway's calls --------------------------------------------------------------------------


def _proposal_requests() -> list[bytes]:
    requests = []
    for proposal in samples.proposals():
        request = gateway_pb2.EndorseRequest(
            transaction_id=proposal.tx_id,
            channel_id=CHANNEL_ID,
            endorsing_organizations=["CoopMSP", "DsoMSP"],
        )
        request.proposed_transaction.proposal_bytes = proposal.proposal_raw
        request.proposed_transaction.signature = proposal.signature
        requests.append(request.SerializeToString())
    return requests


def _submit_requests() -> list[bytes]:
    return [
        gateway_pb2.SubmitRequest(
            channel_id=CHANNEL_ID, prepared_transaction=common_pb2.Envelope.FromString(raw)
        ).SerializeToString()
        for raw in samples.transactions()
    ]


def _status_requests() -> list[bytes]:
    here = samples.world()
    return [
        gateway_pb2.CommitStatusRequest(
            transaction_id=tx_id, channel_id=CHANNEL_ID, identity=here.client.serialized
        ).SerializeToString()
        for tx_id in (samples.proposals()[0].tx_id, _committed_id(), "")
    ]


def _committed_id() -> str:
    block = samples.blocks()[1]
    decoded = samples.world().memory.decode(block.entries[0])
    assert not isinstance(decoded, BaseException)
    return decoded.tx_id


def _events_requests() -> list[bytes]:
    here = samples.world()
    request = gateway_pb2.ChaincodeEventsRequest(
        channel_id=CHANNEL_ID, identity=here.client.serialized, chaincode_id="market"
    )
    found = [request.SerializeToString()]
    request.start_position.specified.number = 1
    found.append(request.SerializeToString())
    request.after_transaction_id = _committed_id()
    found.append(request.SerializeToString())
    return found


def _commit_status() -> Attempt:
    serving, client = _Serving(), samples.world().client

    def attempt(raw: bytes) -> object:
        signed = gateway_pb2.SignedCommitStatusRequest(request=raw, signature=client.sign(raw))
        return serving.calling(serving.gateway._commit_status)(signed.SerializeToString())

    return attempt


def _chaincode_events() -> Attempt:
    """A stream up to where it would wait."""
    serving, client = _Serving(), samples.world().client

    async def first(raw: bytes) -> object:
        signed = gateway_pb2.SignedChaincodeEventsRequest(request=raw, signature=client.sign(raw))
        context = SimpleNamespace(abort=_raise_status, write=_nothing)
        return await serving.gateway._chaincode_events(signed.SerializeToString(), context)

    return serving.calling(first)


async def _nothing(_raw: bytes) -> None:
    """A client that reads at once."""


async def _raise_status(code: object, message: str, trailing_metadata: object = ()) -> None:
    raise GatewayError(code, message)


# -- block streams --------------------------------------------------------------------------------


def _seek() -> Attempt:
    serving, client = _Serving(), samples.world().client

    def attempt(raw: bytes) -> object:
        payload = encode_request_payload(
            header_type=HeaderType.DELIVER_SEEK_INFO,
            channel_id=CHANNEL_ID,
            creator=client.serialized,
            nonce=bytes(24),
            timestamp_ns=NOW_MS * 1_000_000,
            data=raw,
        )
        envelope = encode_envelope(payload, client.sign(payload))
        return serving.calling(serving.deliver._seek)(envelope)

    return attempt


def _seeks() -> list[bytes]:
    info = orderer_pb2.SeekInfo()
    info.start.oldest.SetInParent()
    info.stop.specified.number = 2
    found = [info.SerializeToString()]
    info.start.specified.number = 1
    info.stop.newest.SetInParent()
    info.behavior = orderer_pb2.SeekInfo.FAIL_IF_NOT_READY
    found.append(info.SerializeToString())
    info.start.next_commit.SetInParent()
    info.stop.specified.number = 2**64 - 1
    found.append(info.SerializeToString())
    return found


# -- admission and proposals ----------------------------------------------------------------------


def _admitting() -> Attempt:
    """A client's envelope on its way into the pool, signed whatever it says."""
    here = samples.world()
    admission = Admission(
        rules=_admission_rules(),
        pool=TransactionPool(PoolLimits()),
        memory=EnvelopeMemory(),
        signatures=here.verifier,
        executor=here.threads,
        on_added=lambda: None,
    )

    def attempt(payload: bytes) -> None:
        verdict = admission._judge(here.sign(payload))
        if isinstance(verdict, InvalidMessage):
            raise verdict

    return attempt


def _admission_rules() -> AdmissionRules:
    return AdmissionRules(
        channel_id=CHANNEL_ID,
        is_committed=lambda _: False,
        clock_ms=lambda: NOW_MS,
        require_writer=lambda _: None,
        check_config=lambda _: None,
        limits=BlockLimits,
    )


def _checking_proposals() -> Attempt:
    here = samples.world()
    rules = ProposalRules(
        channel_id=CHANNEL_ID,
        registry=here.consortium.registry(),
        policies=here.policies,
        is_recorded=lambda tx_id: here.store.transaction_location(tx_id) is not None,
        limits=SimulationLimits(),
    )
    return lambda raw: check_proposal(decode_proposal(raw, here.client.sign(raw)), rules, NOW_MS)


# -- catching up ----------------------------------------------------------------------------------


def _catching_up() -> Attempt:
    """Answers and questions of another validator about blocks."""
    here = samples.world()
    loop = event_loop()

    async def attempt(raw: bytes) -> None:
        catch_up = CatchUp(
            reader=here.store,
            links=FakeLinks(2, 3, 4),
            deliver=lambda _block, _source: None,
            status=Status,
        )
        catch_up.on_status(2, Status(height=2**64 - 1))
        catch_up._ask()
        response = _parsed(BlockResponse, raw)
        if response is not None:
            catch_up.on_response(2, response)
        request = _parsed(BlockRequest, raw)
        if request is not None:
            catch_up._answer(2, request, lambda _item: True)
        status = _parsed(Status, raw)
        if status is not None:
            catch_up.on_status(3, status)
            catch_up.on_behind(status.height, 4)
        catch_up._end_run()

    return lambda raw: loop.run_until_complete(attempt(raw))


def _parsed(kind: type, raw: bytes) -> object:
    try:
        return kind.FromString(raw)
    except DecodeError:
        return None


def _answers() -> list[bytes]:
    return [
        BlockResponse(blocks=samples.block_bytes()[1:3]).SerializeToString(),
        BlockResponse(blocks=samples.block_bytes()[3:]).SerializeToString(),
        BlockRequest(from_number=0, to_number=2**64 - 1).SerializeToString(),
        Status(height=7, block_hash=b"b" * 32).SerializeToString(),
    ]


CALL_ERRORS = (*REFUSALS, GatewayError)

TARGETS = (
    FuzzTarget(
        "gateway-endorse",
        "a client asks for endorsements",
        _proposal_requests,
        lambda: (serving := _Serving()).calling(serving.gateway._endorse),
        REQUEST_BYTES_MAX,
        allowed=CALL_ERRORS,
    ),
    FuzzTarget(
        "gateway-submit",
        "a client submits",
        _submit_requests,
        lambda: (serving := _Serving()).calling(serving.gateway._submit),
        REQUEST_BYTES_MAX,
        allowed=CALL_ERRORS,
    ),
    FuzzTarget(
        "gateway-commit-status",
        "a member asks what became of a transaction",
        _status_requests,
        _commit_status,
        REQUEST_BYTES_MAX,
        allowed=CALL_ERRORS,
    ),
    FuzzTarget(
        "gateway-events",
        "a member asks for chaincode events",
        _events_requests,
        _chaincode_events,
        REQUEST_BYTES_MAX,
        allowed=CALL_ERRORS,
    ),
    FuzzTarget(
        "deliver-seek",
        "a member asks for blocks",
        _seeks,
        _seek,
        REQUEST_BYTES_MAX,
        allowed=(*CALL_ERRORS, SeekRefused),
    ),
    FuzzTarget(
        "admission",
        "what a client signed, on its way into the pool",
        lambda: [common_pb2.Envelope.FromString(raw).payload for raw in samples.transactions()],
        _admitting,
        TRANSACTION_BYTES_MAX - 200,
    ),
    FuzzTarget(
        "proposal-checks",
        "a proposal its client signed, before a contract runs",
        lambda: [proposal.proposal_raw for proposal in samples.proposals()],
        _checking_proposals,
        2 * TRANSACTION_BYTES_MAX,
    ),
    FuzzTarget(
        "catch-up",
        "another validator's blocks, questions and claims",
        _answers,
        _catching_up,
        TRANSACTION_BYTES_MAX,
        allowed=(),
    ),
)
