"""Chaincodes on the official Fabric shims, unmodified: as TLS services, and dialling in over TLS.

npm `fabric-shim` and PyPI `fabric-chaincode-python` (which knows services only). No registry of
these tests has the Go shim: build `fabric_shims/contract.go` where its modules are, and name the
program in GRIDLEDGER_GO_CONTRACT.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest

from ledger.endorsement.limits import StreamLimits
from ledger.endorsement.packages.package import ServiceConnection
from ledger.endorsement.runtimes.peer_session import ExecutionFailed
from ledger.model.codes import ValidationCode
from ledger.rpc.chaincode_connect import chaincode_service
from ledger.rpc.chaincode_support import (
    AllowedChaincode,
    ChaincodeDoor,
    ChaincodeSupportService,
    certificate_fingerprint,
    dialled_in_chaincode,
)
from network.certificates.authority import MemberAuthority
from network.ports import free_port_range
from tests.support.conditions import until
from tests.support.endorsing_world import EndorsingWorld
from tests.support.grpc_chaincode import listening
from tests.support.ledger_world import CHAINCODE
from tests.support.node_runtime import node_runtime
from tests.support.python_packages import CACHE, install_python_packages

pytestmark = [pytest.mark.anyio, pytest.mark.full]

SOURCE = Path(__file__).parent / "fabric_shims"
ID = f"market_1.0:{64 * 'a'}"
LIMITS = StreamLimits(transaction_timeout_ms=3_000)
# The Python shim 2.5.4 loses an answer when it begins one write before another has ended: often
# with several transactions at a time, now and then with one right after the other.
ONE_AT_A_TIME = replace(LIMITS, in_flight_max=1)
PYTHON_TRIES = 3
DIAL_TIMEOUT_MS = 20_000
START_TIMEOUT_S = 60
BIG_BYTES = 2 * 1024 * 1024
GO_CONTRACT = os.environ.get("GRIDLEDGER_GO_CONTRACT", "")
GO, GO_DIALS = "go service", "go dials in"
NODE, NODE_DIALS, PYTHON = "node service", "node dials in", "python service"


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module", autouse=True)
async def one_loop(anyio_backend):
    """gRPC's poller is one for the process: a loop closed after each test would miss its news."""
    yield  # noqa: PT022 - the loop lives as long as this


@dataclass
class Place:
    """Files of one test: an authority, and keys under the names the shims ask for."""

    folder: Path
    authority: MemberAuthority

    def issue(self, name):
        keys = self.authority.issue_tls(name, now=datetime.now(UTC))
        (self.folder / "ca.pem").write_bytes(self.authority.tls.certificate_pem)
        for file, content in (("key", keys.key_pem), ("crt", keys.certificate_pem)):
            (self.folder / f"{name}.{file}").write_bytes(content)
            (self.folder / f"{name}.{file}.base64").write_bytes(base64.b64encode(content))
        return keys

    def file(self, name):
        return str(self.folder / name)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path, MemberAuthority.create("CoopMSP", "Coop", now=datetime.now(UTC)))


class Program:
    """A chaincode's process; started again by who runs it when it ends, as a supervisor would."""

    def __init__(self, command, folder, log, environment):
        self._command = command
        self._options = {
            "cwd": folder,
            "env": {"PATH": os.environ["PATH"], "CORE_PEER_LOCALMSPID": "CoopMSP", **environment},
            "stdout": log.open("ab"),
            "stderr": subprocess.STDOUT,
        }
        self.start()

    def start(self):
        self.process = subprocess.Popen(self._command, **self._options)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self._options["stdout"].close()


@asynccontextmanager
async def started(runtime, program):
    await runtime.start()
    try:
        await until(lambda: runtime.is_ready, START_TIMEOUT_S)
        yield Running(runtime, program)
    finally:
        await runtime.stop()
        program.stop()


@dataclass
class Running:
    runtime: object
    program: Program


def service_connection(place, address):
    keys = place.issue("peer")
    return ServiceConnection(
        address=address,
        dial_timeout_ms=DIAL_TIMEOUT_MS,
        tls_required=True,
        root_certificate=place.authority.tls.certificate_pem,
        client_auth_required=True,
        client_key=keys.key_pem,
        client_certificate=keys.certificate_pem,
    )


def node_command(place, *arguments):
    node = node_runtime()
    folder = node.install_packages(SOURCE)
    cli = folder / "node_modules" / "fabric-shim" / "cli.js"
    return [node.program, cli, *arguments], folder


@asynccontextmanager
async def node_service(place, call=None):
    place.issue("contract")
    address = f"127.0.0.1:{free_port_range(1)}"
    command, folder = node_command(
        place, "server", "--chaincode-address", address, "--chaincode-id", ID,
        "--chaincode-tls-key-file", place.file("contract.key"),
        "--chaincode-tls-cert-file", place.file("contract.crt"),
        "--chaincode-tls-client-cacert-file", place.file("ca.pem"),
    )  # fmt: skip
    program = Program(command, folder, place.folder / "node.log", {})
    link = service_connection(place, address)
    runtime = chaincode_service(CHAINCODE, ID, link, limits=LIMITS, call=call)
    async with started(runtime, program) as running:
        yield running


@asynccontextmanager
async def go_service(place, call=None):
    place.issue("contract")
    address = f"127.0.0.1:{free_port_range(1)}"
    environment = {
        "CHAINCODE_ID": ID,
        "CHAINCODE_SERVER_ADDRESS": address,
        "TLS_KEY": place.file("contract.key"),
        "TLS_CERTIFICATE": place.file("contract.crt"),
        "TLS_CA": place.file("ca.pem"),
    }
    program = Program([GO_CONTRACT], SOURCE, place.folder / "go.log", environment)
    link = service_connection(place, address)
    runtime = chaincode_service(CHAINCODE, ID, link, limits=LIMITS, call=call)
    async with started(runtime, program) as running:
        yield running


def node_dialling_in(place, call=None):
    def command(address):
        return node_command(place, "start", "--peer.address", address, "--chaincode-id-name", ID)

    return dialling_in(place, command, call)


def go_dialling_in(place, call=None):
    return dialling_in(
        place, lambda address: ([GO_CONTRACT, "-peer.address", address], SOURCE), call
    )


@asynccontextmanager
async def dialling_in(place, command_for, call):
    keys = place.issue("contract")
    door = ChaincodeDoor(AllowedChaincode(ID, certificate_fingerprint(keys.certificate_pem)))
    ours = place.issue("peer")
    credentials = grpc.ssl_server_credentials(
        [(ours.key_pem, ours.certificate_pem)], place.authority.tls.certificate_pem, True
    )
    service = ChaincodeSupportService([door]).rpc_handlers()
    async with listening(service, credentials=credentials) as address:
        command, folder = command_for(address)
        program = Program(
            command, folder, place.folder / "contract.log",
            {
                "CORE_CHAINCODE_ID_NAME": ID,
                "CORE_PEER_TLS_ENABLED": "true",
                "CORE_PEER_TLS_ROOTCERT_FILE": place.file("ca.pem"),
                "CORE_TLS_CLIENT_KEY_PATH": place.file("contract.key.base64"),
                "CORE_TLS_CLIENT_CERT_PATH": place.file("contract.crt.base64"),
            },
        )  # fmt: skip
        runtime = dialled_in_chaincode(CHAINCODE, door, limits=LIMITS, call=call)
        async with started(runtime, program) as running:
            yield running


@asynccontextmanager
async def python_service(place, call=None):
    packages = install_python_packages(
        (SOURCE / "requirements.txt").read_text(), CACHE / "fabric_chaincode_python"
    )
    place.issue("contract")
    address = f"127.0.0.1:{free_port_range(1)}"
    program = Program(
        [sys.executable, "-S", SOURCE / "contract.py"], SOURCE, place.folder / "python.log",
        {
            "PYTHONPATH": str(packages),
            "CHAINCODE_ID": ID,
            "CHAINCODE_SERVER_ADDRESS": address,
            "TLS_KEY": place.file("contract.key"),
            "TLS_CERTIFICATE": place.file("contract.crt"),
            "TLS_CA": place.file("ca.pem"),
        },
    )  # fmt: skip
    link = service_connection(place, address)
    runtime = chaincode_service(CHAINCODE, ID, link, limits=ONE_AT_A_TIME, call=call)
    async with started(runtime, program) as running:
        yield running


WHOLE = {NODE: node_service, NODE_DIALS: node_dialling_in}
if GO_CONTRACT:
    WHOLE |= {GO: go_service, GO_DIALS: go_dialling_in}
WAYS = WHOLE | {PYTHON: python_service}


class Scene:
    """A ledger and an official chaincode in it."""

    def __init__(self, running, way=""):
        self.world = EndorsingWorld()
        self.running = running
        self.tries = PYTHON_TRIES if way == PYTHON else 1

    async def run(self, function, *args, **options):
        return await self.world.run(self.running.runtime, f"shelf:{function}", *args, **options)

    async def answered(self, function, *args, **options):
        """Run again what the shim lost."""
        for _ in range(self.tries - 1):
            try:
                return await self.run(function, *args, **options)
            except ExecutionFailed as lost:
                assert "timeout expired" in str(lost)  # noqa: PT017 - anything else is ours
        return await self.run(function, *args, **options)

    async def submit(self, function, *args):
        execution = await self.answered(function, *args)
        assert execution.response.status == 200, execution.response
        assert self.world.commit_results(execution) == (ValidationCode.VALID,)
        return execution

    async def text(self, function, *args, **options):
        execution = await self.answered(function, *args, **options)
        assert execution.response.status == 200, execution.response
        return execution.response.payload.decode()

    async def json(self, function, *args, **options):
        return json.loads(await self.text(function, *args, **options))


@pytest.mark.parametrize("way", WAYS)
async def test_state_ranges_history_and_rich_queries(place, way):
    async with WAYS[way](place) as running:
        scene = Scene(running, way)
        await scene.submit("put", "a", '{"owner":"tom"}')
        await scene.submit("put", "b", '{"owner":"ann"}')
        assert await scene.text("get", "b") == '{"owner":"ann"}'
        assert await scene.text("get", "nothing") == ""
        await scene.submit("fill", "reading", "250")
        assert await scene.text("count", "reading") == "250"
        assert await scene.json("range", "a", "c") == ["a", "b"]
        await scene.submit("remove", "b")
        assert await scene.json("history", "b") == [None, '{"owner":"ann"}']
        found = await scene.json("search", '{"selector":{"owner":{"$regex":"^t"}}}')
        assert found == ["a"]


@pytest.mark.parametrize("way", WHOLE)
async def test_many_transactions_interleave(place, way):
    async with WAYS[way](place) as running:
        scene = Scene(running, way)
        ran = await asyncio.gather(*(scene.run("put", f"k{n}", str(n)) for n in range(100)))
    for n, execution in enumerate(ran):
        assert execution.response.status == 200
        (write,) = execution.simulator.results().namespaces[1].writes
        assert (write.key, write.value) == (f"k{n}", str(n).encode())


@pytest.mark.parametrize("way", WAYS)
async def test_a_refusal_a_crash_and_a_hang_stay_in_their_transactions(place, way):
    async with WAYS[way](place) as running:
        scene = Scene(running, way)
        refused = (await scene.answered("refuse")).response
        assert refused.status == 500
        assert "come back tomorrow" in refused.message
        hanging = asyncio.create_task(scene.run("hang"))
        assert (await scene.answered("put", "k", "v")).response.status == 200
        with pytest.raises(ExecutionFailed, match="timeout expired while executing transaction"):
            await hanging
        with pytest.raises(ExecutionFailed, match="chaincode stream terminated"):
            await scene.run("crash")
        running.program.process.wait()
        running.program.start()
        await until(lambda: running.runtime.is_ready, START_TIMEOUT_S)
        assert (await scene.answered("put", "k", "v")).response.status == 200


@pytest.mark.parametrize("way", WAYS)
async def test_a_large_answer_arrives_and_is_the_endorsers_to_refuse(place, way):
    async with WAYS[way](place) as running:
        payload = (await Scene(running, way).answered("shout", str(BIG_BYTES))).response.payload
        assert len(payload) >= BIG_BYTES


@pytest.mark.parametrize("way", WHOLE)
async def test_what_the_python_shim_has_not(place, way):
    async with WAYS[way](place) as running:
        scene = Scene(running, way)
        put = await scene.submit("put", "a", '{"n":1}')
        assert (put.event.name, put.event.payload) == ("put", b"a")
        for key in ("b", "c"):
            await scene.submit("put", key, '{"n":1}')
        page = await scene.json("page", "a", "z", "2", "")
        assert page == {"found": ["a", "b"], "fetched": 2, "bookmark": "c"}
        page = await scene.json("page", "a", "z", "2", page["bookmark"])
        assert page == {"found": ["c"], "fetched": 1, "bookmark": ""}
        first = await scene.json("searchPage", '{"selector":{"n":1}}', "2", "")
        assert first["found"] == ["a", "b"]
        rest = await scene.json("searchPage", '{"selector":{"n":1}}', "2", first["bookmark"])
        assert rest["found"] == ["c"]
        await scene.submit("move", "a", "d")
        assert await scene.text("get", "d") == '{"n":1}'
        await scene.submit("protect", "b", "policy")
        assert await scene.text("protect", "b", "other") == "policy"
        participant = scene.world.consortium.participant("IDG-7")
        assert await scene.json("who", client=participant) == ["CoopMSP", "prosumer"]
        assert await scene.text("secretSize", transient={"secret": b"12345"}) == "5"


async def test_a_node_contract_calls_a_python_contract(place, tmp_path_factory):
    elsewhere = Place(tmp_path_factory.mktemp("python"), place.authority)
    async with python_service(elsewhere) as called:

        async def call(transaction, request):
            if request.channel:
                raise ExecutionFailed(f"channel {request.channel!r} is not on this peer")
            assert request.chaincode_name == "tokens"
            return await called.runtime.execute(
                transaction.proposal, transaction.simulator, request.args
            )

        async with node_service(place, call) as running:
            scene = Scene(running, PYTHON)  # whose shim loses answers
            await scene.submit("put", "k", "v")
            answer = await scene.json("callOther", "tokens", "", "shelf:get", "k")
            assert answer == [200, "v"]
            refused = await scene.run("callOther", "tokens", "elsewhere", "shelf:get", "k")
            assert "channel 'elsewhere' is not on this peer" in refused.response.message
