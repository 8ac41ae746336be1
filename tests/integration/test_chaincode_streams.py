"""Chaincodes that others run, over real gRPC: services dialled, and chaincodes that dial in."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import grpc
import pytest
from grpc import aio

from ledger.endorsement.limits import StreamLimits
from ledger.endorsement.packages.package import ServiceConnection
from ledger.endorsement.runtimes.peer_session import ExecutionFailed
from ledger.errors import InvalidMessage, Reason
from ledger.rpc.chaincode_connect import chaincode_service
from ledger.rpc.chaincode_support import (
    AllowedChaincode,
    ChaincodeDoor,
    ChaincodeSupportService,
    certificate_fingerprint,
    dialled_in_chaincode,
)
from network.certificates.authority import MemberAuthority
from tests.support.conditions import until
from tests.support.endorsing_world import EndorsingWorld
from tests.support.grpc_chaincode import REGISTER_METHOD, GrpcChaincode, listening
from tests.support.ledger_world import CHAINCODE

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ID = f"market_1.0:{64 * 'a'}"
QUICK = StreamLimits(transaction_timeout_ms=2_000)


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module", autouse=True)
async def one_loop(anyio_backend):
    """gRPC's poller is one for the process: a loop closed after each test would miss its news."""
    yield  # noqa: PT022 - the loop lives as long as this


@pytest.fixture
def world():
    return EndorsingWorld()


@pytest.fixture(scope="module")
def authority():
    return MemberAuthority.create("CoopMSP", "Coop", now=datetime.now(UTC))


def connection(address, **settings):
    return ServiceConnection(address=address, dial_timeout_ms=2_000, **settings)


@asynccontextmanager
async def running(runtime):
    await runtime.start()
    try:
        yield runtime
    finally:
        await runtime.stop()


@asynccontextmanager
async def service(chaincode, limits=None, **settings):
    """The runtime of a chaincode that listens."""
    async with listening(chaincode.handlers()) as address:
        link = connection(address, **settings)
        async with running(chaincode_service(CHAINCODE, ID, link, limits=limits)) as runtime:
            yield runtime


# -- the peer dials ------------------------------------------------------------------------------


async def test_a_service_runs_what_a_ledger_commits(world):
    async with service(GrpcChaincode(ID)) as runtime:
        await world.submit(runtime, "put", "a", "1")
        moved = await world.submit(runtime, "move", '["a","b"]', "c")
        assert moved.response.payload == b"2"
        assert moved.event.name == "moved"
        await world.submit(runtime, "fill", "reading", "250")
        counted = await world.run(runtime, "count", "reading")
        assert counted.response.payload.count(b",") == 249


async def test_many_transactions_interleave_on_one_stream(world):
    chaincode = GrpcChaincode(ID)
    async with service(chaincode) as runtime:
        ran = await asyncio.gather(
            *(world.run(runtime, "move", f'["k{n}"]', f"t{n}") for n in range(200))
        )
    assert chaincode.streams == 1
    for n, execution in enumerate(ran):
        market = execution.simulator.results().namespaces[1]
        assert [read.key for read in market.reads] == [f"k{n}"]
        assert [write.key for write in market.writes] == [f"t{n}"]


async def test_a_rich_query_runs_beside_everything_else(world):
    async with service(GrpcChaincode(ID)) as runtime:
        for key, owner in (("a", "tom"), ("b", "ann")):
            await world.submit(runtime, "put", key, f'{{"owner":"{owner}"}}')
        found = [world.run(runtime, "search", '{"owner":"tom"}') for _ in range(20)]
        read = [world.run(runtime, "get", "b") for _ in range(20)]
        ran = await asyncio.gather(*found, *read)
        assert [one.response.payload for one in ran] == [b'["a"]'] * 20 + [b'{"owner":"ann"}'] * 20
        refused = await world.run(runtime, "search", '{"owner":{"$regex":"("}}')
        assert "rich query: $regex" in refused.response.message


async def test_a_service_that_is_not_there_is_named_with_its_reason(world):
    async with listening(GrpcChaincode(ID).handlers()) as address:
        pass
    link = replace(connection(address), dial_timeout_ms=200)
    async with running(chaincode_service(CHAINCODE, ID, link)) as runtime:
        with pytest.raises(ExecutionFailed) as failed:
            await world.run(runtime, "get", "k")
    text = str(failed.value)
    assert f"could not launch chaincode {ID}: connection to {address} failed: UNAVAILABLE" in text


async def test_a_transaction_waits_for_a_service_that_comes_up_meanwhile(world):
    async with listening(GrpcChaincode(ID).handlers()) as address:
        pass
    async with running(chaincode_service(CHAINCODE, ID, connection(address))) as runtime:
        waiting = asyncio.create_task(world.run(runtime, "put", "k", "v"))
        await asyncio.sleep(0)
        async with listening(GrpcChaincode(ID).handlers(), address=address):
            assert (await waiting).response.status == 200


async def test_a_service_that_restarts_is_dialled_again(world):
    first, second = GrpcChaincode(ID), GrpcChaincode(ID)
    async with listening(first.handlers()) as address:
        runtime = chaincode_service(CHAINCODE, ID, connection(address))
        await runtime.start()
        assert (await world.run(runtime, "put", "k", "v")).response.status == 200
    async with listening(second.handlers(), address=address):
        await until(lambda: second.streams and runtime.is_ready)
        assert (await world.run(runtime, "put", "k", "v")).response.status == 200
    await runtime.stop()


@pytest.mark.parametrize("function", ["leave", "shout"])
async def test_a_stream_that_ends_fails_what_was_in_it_with_fabrics_words(world, function):
    chaincode = GrpcChaincode(ID)
    async with service(chaincode) as runtime:
        hanging = asyncio.create_task(world.run(runtime, "hang"))
        await asyncio.sleep(0)
        with pytest.raises(ExecutionFailed, match="chaincode stream terminated"):
            await world.run(runtime, function)
        with pytest.raises(ExecutionFailed, match="chaincode stream terminated"):
            await hanging
        assert (await world.run(runtime, "put", "k", "v")).response.status == 200
        assert chaincode.streams == 2


async def test_a_transaction_that_hangs_fails_alone(world):
    chaincode = GrpcChaincode(ID)
    async with service(chaincode, QUICK) as runtime:
        with pytest.raises(ExecutionFailed, match="timeout expired while executing transaction"):
            await world.run(runtime, "hang")
        assert (await world.run(runtime, "put", "k", "v")).response.status == 200
        assert chaincode.streams == 1


async def test_keepalive_is_answered_and_silence_ends_the_stream(world):
    chaincode = GrpcChaincode(ID)
    async with service(chaincode, StreamLimits(keepalive_ms=500)) as runtime:
        await until(lambda: chaincode.keepalives >= 2)
        assert chaincode.streams == 1
        chaincode.is_deaf = True
        await until(lambda: chaincode.streams == 2)
        chaincode.is_deaf = False
        await until(lambda: runtime.is_ready)
        assert (await world.run(runtime, "put", "k", "v")).response.status == 200


async def test_a_service_under_another_package_id_is_not_spoken_to(world):
    chaincode = GrpcChaincode("other:1")
    async with service(chaincode) as runtime:
        with pytest.raises(ExecutionFailed, match=f"'other:1' registered where {ID} is expected"):
            await world.run(runtime, "get", "k")


async def test_stopping_fails_what_runs(world):
    async with service(GrpcChaincode(ID)) as runtime:
        hanging = asyncio.create_task(world.run(runtime, "hang"))
        await until(lambda: runtime.is_ready)
        await runtime.stop()
        with pytest.raises(ExecutionFailed, match="is stopped"):
            await hanging


async def test_one_transaction_is_not_simulated_twice_at_once(world):
    async with service(GrpcChaincode(ID)) as runtime:
        proposal = world.propose("put", "k", "v")
        first = asyncio.create_task(runtime.execute(proposal, world.simulator(proposal)))
        await asyncio.sleep(0)
        with pytest.raises(InvalidMessage) as refusal:
            await runtime.execute(proposal, world.simulator(proposal))
        assert refusal.value.reason == Reason.REPLAYED
        await first


# -- TLS ------------------------------------------------------------------------------------------


def server_tls(authority, *, clients):
    keys = authority.issue_tls("contract", now=datetime.now(UTC))
    return grpc.ssl_server_credentials(
        [(keys.key_pem, keys.certificate_pem)],
        root_certificates=authority.tls.certificate_pem if clients else None,
        require_client_auth=clients,
    )


def client_settings(authority):
    keys = authority.issue_tls("peer", now=datetime.now(UTC))
    return {
        "client_auth_required": True,
        "client_key": keys.key_pem,
        "client_certificate": keys.certificate_pem,
    }


@pytest.mark.parametrize("clients", [False, True])
async def test_tls_to_a_service(world, authority, clients):
    tls = server_tls(authority, clients=clients)
    trusted = {"tls_required": True, "root_certificate": authority.tls.certificate_pem}
    if clients:
        trusted |= client_settings(authority)
    async with listening(GrpcChaincode(ID).handlers(), credentials=tls) as address:
        link = connection(address, **trusted)
        async with running(chaincode_service(CHAINCODE, ID, link)) as runtime:
            assert (await world.run(runtime, "put", "k", "v")).response.status == 200


async def test_a_service_of_another_authority_is_not_trusted(world, authority):
    stranger = MemberAuthority.create("StrangerMSP", "Stranger", now=datetime.now(UTC))
    tls = server_tls(stranger, clients=False)
    async with listening(GrpcChaincode(ID).handlers(), credentials=tls) as address:
        link = replace(
            connection(address, tls_required=True, root_certificate=authority.tls.certificate_pem),
            dial_timeout_ms=300,
        )
        async with running(chaincode_service(CHAINCODE, ID, link)) as runtime:

            async def is_known_as_unavailable() -> bool:
                """On a busy machine the first call ends before the first handshake has failed."""
                with pytest.raises(ExecutionFailed) as failure:
                    await world.run(runtime, "get", "k")
                return "UNAVAILABLE" in str(failure.value)

            await until(is_known_as_unavailable)


# -- the chaincode dials -------------------------------------------------------------------------


class Desk:
    """A peer's listener for one chaincode, and that chaincode's certificate."""

    def __init__(self, authority):
        self.authority = authority
        self.keys = authority.issue_tls("contract", now=datetime.now(UTC))
        allowed = AllowedChaincode(ID, certificate_fingerprint(self.keys.certificate_pem))
        self.door = ChaincodeDoor(allowed)
        self.runtime = dialled_in_chaincode(CHAINCODE, self.door)
        self.address = ""

    @asynccontextmanager
    async def opened(self):
        handlers = ChaincodeSupportService([self.door]).rpc_handlers()
        tls = server_tls(self.authority, clients=True)
        async with listening(handlers, credentials=tls) as self.address, running(self.runtime):
            yield self

    @asynccontextmanager
    async def channel(self, keys=None):
        keys = keys or self.keys
        root = self.authority.tls.certificate_pem
        credentials = grpc.ssl_channel_credentials(root, keys.key_pem, keys.certificate_pem)
        async with aio.secure_channel(self.address, credentials) as channel:
            yield channel

    @asynccontextmanager
    async def dialled_in(self, chaincode):
        async with self.channel() as channel:
            dialled = asyncio.create_task(chaincode.dial(channel))
            await until(lambda: self.runtime.is_ready)
            yield
            dialled.cancel()
            await asyncio.gather(dialled, return_exceptions=True)
            await until(lambda: not self.door.is_taken and not self.runtime.is_ready)


@pytest.fixture
async def desk(authority):
    async with Desk(authority).opened() as desk:
        yield desk


async def test_a_chaincode_that_dials_in_runs_transactions_and_may_come_back(world, desk):
    for _ in range(3):
        async with desk.dialled_in(GrpcChaincode(ID)):
            await world.submit(desk.runtime, "put", "a", "1")
    assert (world.store.get_state(CHAINCODE, "a")).value == b"1"


async def test_a_runtime_that_was_stopped_begins_again(world, desk):
    async with desk.dialled_in(GrpcChaincode(ID)):
        await desk.runtime.stop()
        await until(lambda: not desk.door.is_taken)
    await desk.runtime.start()
    async with desk.dialled_in(GrpcChaincode(ID)):
        await world.submit(desk.runtime, "put", "a", "1")


async def test_a_chaincode_that_has_not_dialled_in_is_named(world, desk):
    with pytest.raises(ExecutionFailed) as failed:
        await world.run(desk.runtime, "get", "k")
    assert f"could not launch chaincode {ID}: it is not connected" in str(failed.value)


async def test_a_chaincode_that_leaves_fails_what_was_in_it(world, desk):
    async with desk.dialled_in(GrpcChaincode(ID)):
        with pytest.raises(ExecutionFailed, match="chaincode stream terminated"):
            await world.run(desk.runtime, "leave")


async def test_a_second_registration_is_refused_and_the_first_goes_on(world, desk):
    async with desk.dialled_in(GrpcChaincode(ID)), desk.channel() as channel:
        with pytest.raises(aio.AioRpcError) as refused:
            await GrpcChaincode(ID).dial(channel)
        assert refused.value.code() == grpc.StatusCode.ALREADY_EXISTS
        assert refused.value.details() == f"duplicate chaincodeID: {ID}"
        assert (await world.run(desk.runtime, "put", "k", "v")).response.status == 200


async def test_a_name_or_certificate_the_operator_did_not_allow_is_refused(desk):
    other_keys = desk.authority.issue_tls("contract", now=datetime.now(UTC))
    for name, keys in (("other:1.0", desk.keys), (ID, other_keys)):
        async with desk.channel(keys) as channel:
            with pytest.raises(aio.AioRpcError) as refused:
                await GrpcChaincode(name).dial(channel)
            assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
            assert name in refused.value.details()
    assert not desk.door.is_taken


@pytest.mark.parametrize("first", [b"\xff\xff\xff", b"", b"\x08\x05"])
async def test_what_is_no_registration_is_refused(desk, first):
    async with desk.channel() as channel:
        call = channel.stream_stream(REGISTER_METHOD)(iter([first]))
        with pytest.raises(aio.AioRpcError) as refused:
            await call.read()
        assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
