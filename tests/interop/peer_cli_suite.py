"""Fabric's own `peer` command against our peers, where its binary is at hand.

The folder is an unpacked release of Fabric's binaries: `bin/peer` and `config/core.yaml`.
"""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from network.plan import load_plan
from tests.interop.crypto_tree import CryptoTree
from tests.interop.deployment import only
from tests.interop.lifecycle_steps import LifecycleSteps, require
from tests.interop.running_peers import start_peers, stop_all
from tests.interop.shapes import CHANNEL, TEST_NETWORK, Organisation, write_plan
from tests.interop.workshop import Counted, Workshop

COMMAND_TIMEOUT_S = 60
LABEL = "basic_1"
POLICY = "OR('Org1MSP.peer','Org2MSP.peer')"
DEFINITION = ("-n", "basic", "-v", "1", "--sequence", "1", "--signature-policy", POLICY)


@dataclass(frozen=True, slots=True)
class Step:
    """One command, whom it is run for, and what its output must hold."""

    name: str
    who: Organisation
    words: Sequence[str]
    expected: str


def run_peer_commands(release: Path, shop: Workshop) -> Counted:
    """How many commands did what they do on a Fabric network."""
    shop.begin({})
    plan_path = write_plan(shop.network, TEST_NETWORK, name="samples")
    require(["network", "init", "--plan", str(plan_path)])
    plan = load_plan(plan_path)
    tree = shop.folder / "organizations"
    CryptoTree(tree, plan).write(TEST_NETWORK)
    package = shop.folder / "basic.tar.gz"
    LifecycleSteps(plan_path, "org1").package_contract("basic", LABEL, package)
    commands = PeerBinary(release, tree)
    start_peers(plan, plan_path)
    try:
        for one in TEST_NETWORK:
            commands.does(_install(one, package))
        package_id = only(LABEL, LifecycleSteps(plan_path, "org1").installed())
        steps = list(_steps(commands, package_id, shop.folder / "newest.block"))
        failures = tuple(step.name for step in steps if not commands.does(step))
    finally:
        stop_all(shop.network)
    return Counted("Fabric's peer command", len(steps) - len(failures), len(steps), failures)


class PeerBinary:
    """Runs the program with the environment it reads its settings from."""

    def __init__(self, release: Path, tree: Path) -> None:
        self._release = release
        self._tree = tree

    def does(self, step: Step) -> bool:
        """Whether the command succeeded and printed what it should, on either stream."""
        one, organisation = step.who, self._organisation(step.who)
        environment = {
            "FABRIC_CFG_PATH": str(self._release / "config"),
            "FABRIC_LOGGING_SPEC": "error",
            "CORE_PEER_TLS_ENABLED": "true",
            "CORE_PEER_LOCALMSPID": one.mspid,
            "CORE_PEER_TLS_ROOTCERT_FILE": str(self.tls_root(one)),
            "CORE_PEER_MSPCONFIGPATH": str(organisation / f"users/Admin@{one.domain}/msp"),
            "CORE_PEER_ADDRESS": f"localhost:{one.peer_ports[0]}",
        }
        done = subprocess.run(
            [self._release / "bin" / "peer", *step.words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        return done.returncode == 0 and step.expected in done.stdout + done.stderr

    def tls_root(self, one: Organisation) -> Path:
        """What a client of that organisation's first peer trusts."""
        return self._organisation(one) / "peers" / one.peer_name(0) / "tls/ca.crt"

    def orderer(self) -> list[str]:
        """Any peer orders."""
        first = TEST_NETWORK[0]
        address = f"localhost:{first.peer_ports[0]}"
        return ["-o", address, "--tls", "--cafile", str(self.tls_root(first))]

    def peers(self) -> list[str]:
        """One peer of each organisation, to endorse."""
        words = []
        for one in TEST_NETWORK:
            words += ["--peerAddresses", f"localhost:{one.peer_ports[0]}"]
            words += ["--tlsRootCertFiles", str(self.tls_root(one))]
        return words

    def _organisation(self, one: Organisation) -> Path:
        return self._tree / "peerOrganizations" / one.domain


def _install(one: Organisation, package: Path) -> Step:
    words = ["lifecycle", "chaincode", "install", str(package)]
    return Step(f"install for {one.mspid}", one, words, "")


def _steps(commands: PeerBinary, package_id: str, block: Path) -> Iterator[Step]:
    first, second = TEST_NETWORK
    lifecycle = ["lifecycle", "chaincode"]
    yield Step("queryinstalled", first, [*lifecycle, "queryinstalled"], f"ID: {package_id}")
    channel = ["-C", CHANNEL, *DEFINITION]
    approve = [*lifecycle, "approveformyorg", *commands.orderer(), *channel]
    for one in (first, second):
        words = [*approve, "--package-id", package_id]
        yield Step(f"approveformyorg for {one.mspid}", one, words, "VALID")
    ready = [*lifecycle, "checkcommitreadiness", *channel]
    yield Step("checkcommitreadiness", first, ready, "Org2MSP: true")
    commit = [*lifecycle, "commit", *commands.orderer(), *commands.peers(), *channel]
    yield Step("commit", first, commit, "VALID")
    committed = [*lifecycle, "querycommitted", "-C", CHANNEL, "-n", "basic"]
    yield Step("querycommitted", second, committed, "Sequence: 1")
    call = ["-C", CHANNEL, "-n", "basic", "-c"]
    invoke = ["chaincode", "invoke", *commands.orderer(), "--waitForEvent", *call]
    written = [*invoke, '{"Args":["put","key","value"]}']
    yield Step("chaincode invoke", first, written, "status:200")
    read = ["chaincode", "query", *call, '{"Args":["get","key"]}']
    yield Step("chaincode query", second, read, "value")
    yield Step("channel list", first, ["channel", "list"], CHANNEL)
    yield Step("channel getinfo", first, ["channel", "getinfo", "-c", CHANNEL], '"height":')
    fetch = ["channel", "fetch", "newest", str(block), "-c", CHANNEL, *commands.orderer()]
    yield Step("channel fetch", second, fetch, "")
