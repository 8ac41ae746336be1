"""Our contracts as a service, in this process and by the command, dialled by our own peer."""

import asyncio
import io
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from grpc import aio

from chaincode.shim import serve_command
from chaincode.shim.chaincode import Chaincode
from chaincode.shim.dialling import DiallingChaincode, PeerTls
from chaincode.shim.service import ChaincodeService, ServiceTls
from chaincode.shim.time_limit import TimeLimit
from ledger.crypto.hashing import sha256
from ledger.endorsement.packages.package import ServiceConnection
from ledger.endorsement.runtimes.peer_session import ExecutionFailed
from ledger.rpc.chaincode_connect import CONNECT_METHOD, chaincode_service
from ledger.rpc.chaincode_support import (
    AllowedChaincode,
    ChaincodeDoor,
    ChaincodeSupportService,
    dialled_in_chaincode,
)
from ledger.wire.protos_pb2 import ChaincodeMessage
from network.certificates.authority import MemberAuthority
from tests.support.conditions import until
from tests.support.endorsing_world import SAMPLE_MODULE, EndorsingWorld
from tests.support.grpc_chaincode import listening
from tests.support.ledger_world import CHAINCODE
from tests.unit.shim.sample_contracts import CONTRACTS

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ID = f"market_1.0:{64 * 'a'}"
HOST = "127.0.0.1"


@pytest.fixture
def world():
    return EndorsingWorld()


@pytest.fixture(scope="module")
def authority():
    return MemberAuthority.create("CoopMSP", "Coop", now=datetime.now(UTC))


@asynccontextmanager
async def served(**options):
    """The port of the sample contracts as a service in this process."""
    chaincode = Chaincode([contract() for contract in CONTRACTS])
    service = ChaincodeService(chaincode, ID, address=f"{HOST}:0", **options)
    port = await service.start()
    try:
        yield port
    finally:
        await service.stop()


@asynccontextmanager
async def dialled(port, **settings):
    """The peer's runtime for that service."""
    connection = ServiceConnection(address=f"{HOST}:{port}", dial_timeout_ms=5_000, **settings)
    runtime = chaincode_service(CHAINCODE, ID, connection)
    await runtime.start()
    try:
        yield runtime
    finally:
        await runtime.stop()


async def test_what_a_service_simulates_commits(world):
    async with served() as port, dialled(port) as runtime:
        await world.submit(runtime, "put", "a", "1")
        moved = await world.submit(runtime, "move", '["a","b"]', "c")
        assert (moved.response.payload, moved.event.name) == (b"2", "moved")
        await world.submit(runtime, "fill", "reading", "250")
        counted = await world.run(runtime, "count", "reading")
        assert counted.response.payload.count(b",") == 249
        history = await world.run(runtime, "history", "c")
        assert history.response.payload.startswith(b"[[")


async def test_several_peers_and_many_transactions_share_a_service(world):
    async with served() as port, dialled(port) as first, dialled(port) as second:
        ran = await asyncio.gather(
            *(world.run(peer, "put", f"k{n}", "v") for n in range(50) for peer in (first, second))
        )
    assert {execution.response.status for execution in ran} == {200}


async def test_a_function_that_loops_is_interrupted_and_the_service_lives(world):
    async with served(time_limit=TimeLimit(200)) as port, dialled(port) as runtime:
        looped = await world.run(runtime, "trouble:loop")
        assert looped.response.status == 500
        assert looped.response.message.startswith("TIMED_OUT: contract code ran 200 ms")
        await world.submit(runtime, "put", "a", "1")


@pytest.mark.parametrize("function", ["trouble:bug", "trouble:recurse"])
async def test_a_bug_fails_its_transaction_alone(world, function):
    async with served() as port, dialled(port) as runtime:
        arguments = ["secret"] if function == "trouble:bug" else []
        failed = await world.run(runtime, function, *arguments)
        assert failed.response.status == 500
        assert failed.response.message.startswith("INTERNAL")
        await world.submit(runtime, "put", "a", "1")


async def test_a_peer_that_breaks_the_protocol_loses_its_own_stream():
    async with served() as port, aio.insecure_channel(f"{HOST}:{port}") as channel:
        call = channel.stream_stream(CONNECT_METHOD)()
        registered = ChaincodeMessage.FromString(await call.read())
        assert registered.type == ChaincodeMessage.REGISTER
        await call.write(ChaincodeMessage(type=ChaincodeMessage.RESPONSE).SerializeToString())
        with pytest.raises(aio.AioRpcError) as refused:
            await call.read()
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        other = channel.stream_stream(CONNECT_METHOD)()
        assert await other.read()
        other.cancel()


# -- TLS ------------------------------------------------------------------------------------------


def service_tls(authority, *, clients):
    keys = authority.issue_tls("contract", now=datetime.now(UTC))
    client_ca = authority.tls.certificate_pem if clients else b""
    return ServiceTls(keys.certificate_pem, keys.key_pem, client_ca)


def trusting(authority):
    return {"tls_required": True, "root_certificate": authority.tls.certificate_pem}


def showing(authority):
    keys = authority.issue_tls("peer", now=datetime.now(UTC))
    return {
        "client_auth_required": True,
        "client_key": keys.key_pem,
        "client_certificate": keys.certificate_pem,
    }


async def test_tls_and_mutual_tls(world, authority):
    async with (
        served(tls=service_tls(authority, clients=False)) as port,
        dialled(port, **trusting(authority)) as runtime,
    ):
        await world.submit(runtime, "put", "a", "1")
    async with (
        served(tls=service_tls(authority, clients=True)) as port,
        dialled(port, **trusting(authority), **showing(authority)) as runtime,
    ):
        await world.submit(runtime, "put", "b", "1")


async def test_a_peer_without_the_certificate_asked_for_gets_nowhere(world, authority):
    connection = {"dial_timeout_ms": 500, **trusting(authority)}
    async with served(tls=service_tls(authority, clients=True)) as port:
        link = ServiceConnection(address=f"{HOST}:{port}", **connection)
        runtime = chaincode_service(CHAINCODE, ID, link)
        await runtime.start()
        with pytest.raises(ExecutionFailed):
            await world.run(runtime, "get", "a")
        await runtime.stop()


# -- dialling in ----------------------------------------------------------------------------------


@asynccontextmanager
async def open_door(authority, certificate_pem):
    """A peer's listener that lets this certificate's chaincode in: runtime and address."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    door = ChaincodeDoor(AllowedChaincode(ID, sha256(certificate.public_bytes(Encoding.DER))))
    keys = authority.issue_tls("peer", now=datetime.now(UTC))
    credentials = grpc.ssl_server_credentials(
        [(keys.key_pem, keys.certificate_pem)],
        root_certificates=authority.tls.certificate_pem,
        require_client_auth=True,
    )
    runtime = dialled_in_chaincode(CHAINCODE, door)
    handlers = ChaincodeSupportService([door]).rpc_handlers()
    async with listening(handlers, credentials=credentials) as address:
        await runtime.start()
        try:
            yield runtime, address
        finally:
            await runtime.stop()


async def test_a_contract_dials_its_peer(world, authority, tmp_path):
    keys = authority.issue_tls("contract", now=datetime.now(UTC))
    files = {"cert": keys.certificate_pem, "key": keys.key_pem}
    files["ca"] = authority.tls.certificate_pem
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    options = [part for name in files for part in (f"--tls-{name}", str(tmp_path / name))]
    async with open_door(authority, keys.certificate_pem) as (runtime, address):
        command = await started("--peer", address, "--chaincode-id", ID, *options)
        await until(lambda: runtime.is_ready)
        await world.submit(runtime, "put", "a", "1")
    assert await command.stop() == 0


async def test_a_contract_dials_again_until_its_peer_is_there(world, authority):
    keys = authority.issue_tls("contract", now=datetime.now(UTC))
    tls = PeerTls(authority.tls.certificate_pem, keys.certificate_pem, keys.key_pem)
    chaincode = Chaincode([contract() for contract in CONTRACTS])
    async with open_door(authority, keys.certificate_pem) as (runtime, address):
        for name, is_accepted in (("other:1", False), (ID, True)):
            dialling = DiallingChaincode(chaincode, name, peer_address=address, tls=tls)
            running = asyncio.create_task(dialling.run())
            if is_accepted:
                await until(lambda: runtime.is_ready)
                await world.submit(runtime, "put", "a", "1")
            else:
                await asyncio.sleep(0)
                assert not runtime.is_ready
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


# -- the command ----------------------------------------------------------------------------------


@dataclass
class Command:
    """`gridledger chaincode serve` in a process of its own."""

    process: asyncio.subprocess.Process
    port: int

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


async def started(*options: str, **environment: str) -> Command:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "network.cli", "chaincode", "serve", SAMPLE_MODULE, *options),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
    )
    line = (await process.stdout.readline()).decode()
    assert line.startswith(f"{ID}: shelf, trouble "), line
    return Command(process, int(line.split(" (")[0].rpartition(":")[2]))


async def test_the_command_serves_until_it_is_told_to_stop(world):
    command = await started("--address", f"{HOST}:0", "--chaincode-id", ID)
    async with dialled(command.port) as runtime:
        await world.submit(runtime, "put", "a", "1")
    assert await command.stop() == 0


async def test_the_command_takes_fabrics_environment_and_tls_files(world, authority, tmp_path):
    tls = service_tls(authority, clients=False)
    for name, content in (("tls.crt", tls.certificate_pem), ("tls.key", tls.key_pem)):
        (tmp_path / name).write_bytes(content)
    command = await started(
        *("--tls-cert", str(tmp_path / "tls.crt"), "--tls-key", str(tmp_path / "tls.key")),
        CHAINCODE_SERVER_ADDRESS=f"{HOST}:0",
        CORE_CHAINCODE_ID=ID,
        CORE_PEER_LOCALMSPID="CoopMSP",
    )
    async with dialled(command.port, **trusting(authority)) as runtime:
        ran = await world.run(runtime, "peer_member")
        assert ran.response.payload == b"CoopMSP"
    assert await command.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([SAMPLE_MODULE], "either --address"),
        (["no_such_module", "--address", "x:1", "--chaincode-id", "i"], "cannot be loaded"),
        (["tests", "--address", "x:1", "--chaincode-id", "i"], "has no CONTRACTS"),
        (
            [SAMPLE_MODULE, "--address", "x:1", "--chaincode-id", "i", "--tls-cert", "c"],
            "belong together",
        ),
        (
            [
                *(SAMPLE_MODULE, "--address", "x:1", "--chaincode-id", "i"),
                *("--tls-cert", "/no/file", "--tls-key", "/no/file"),
            ],
            "No such file",
        ),
    ],
)
def test_wrong_use_is_one_sentence(arguments, told):
    errors = io.StringIO()
    assert serve_command.main(arguments, {}, io.StringIO(), errors) == 2
    assert told in errors.getvalue()
    assert errors.getvalue().count("\n") == 1
