"""Answers the container commands of the client scenarios with our own command line.

The suite says `docker compose up`, `docker exec org1_cli peer lifecycle ...`, `docker stop peer`;
`tests/interop/run` puts a program named `docker` on its PATH that ends here. Nothing is contained:
peers are processes of this machine.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from network.cli import main as gridledger
from network.plan import load_plan
from tests.interop.crypto_tree import CryptoTree
from tests.interop.peer_commands import PeerCommands, Session, UnknownCommand
from tests.interop.running_peers import FOLDER_VARIABLE, start_peer, start_peers, stop_all
from tests.interop.shapes import SCENARIO, write_plan

FIXTURES_VARIABLE = "GRIDLEDGER_INTEROP_FIXTURES"
"""The suite's folder `fixtures`, which its containers mount."""
ADDRESS_VARIABLE = "CORE_PEER_ADDRESS"


def main(arguments: Sequence[str] | None = None) -> int:
    """One command as `docker` is given it; its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    folder, fixtures = (Path(os.environ[name]) for name in (FOLDER_VARIABLE, FIXTURES_VARIABLE))
    containers = Containers(folder, fixtures)
    match words:
        case ["compose", *_, "run", "--rm", "clinopeer", _script]:
            return containers.create()
        case ["compose", *_, "up", "-d"]:
            return containers.up()
        case ["compose", *_, "down"]:
            return containers.down()
        case ["exec", *rest]:
            return containers.execute(rest)
        case ["stop" | "start" as action, name]:
            return containers.switch(action, name)
    raise UnknownCommand(" ".join(words))


class Containers:
    """The machines that the suite believes in."""

    def __init__(self, folder: Path, fixtures: Path) -> None:
        self._folder = folder
        self._plan = folder / "network.toml"
        self._fixtures = fixtures

    def create(self) -> int:
        """Keys, certificates and block 0, and the tree where the suite looks for them."""
        if not self._plan.exists():
            write_plan(self._folder, SCENARIO, name="scenario")
            gridledger(["network", "init", "--plan", str(self._plan)])
        tree = CryptoTree(self._crypto_material / "crypto-config", load_plan(self._plan))
        tree.write(SCENARIO)
        return 0

    def up(self) -> int:
        """All peers."""
        return start_peers(load_plan(self._plan), self._plan)

    def down(self) -> int:
        """No peer, and no chaincode of theirs."""
        return stop_all(self._folder)

    def switch(self, action: str, name: str) -> int:
        """Start or stop one peer."""
        plan = load_plan(self._plan)
        [peer] = [peer for peer in plan.peers if peer.external_host == name]
        if action == "start":
            return start_peer(peer, self._plan)
        return gridledger(["network", "down", peer.id, "--plan", str(self._plan)])

    def execute(self, words: list[str]) -> int:
        """A command in one of the containers `org<n>_cli`."""
        address = ""
        if words[0] == "-e":
            name, _, address = words[1].partition("=")
            assert name == ADDRESS_VARIABLE, name
            words = words[2:]
        container, program, *arguments = words
        if program == "osnadmin":
            return 0  # every peer orders from the first block on
        [one] = [one for one in SCENARIO if f"org{one.number}_cli" == container]
        session = Session(
            plan=load_plan(self._plan),
            plan_path=self._plan,
            mspid=one.mspid,
            address=address or f"{one.peer_name(0)}:{one.peer_ports[0]}",
            msp_folder=self._crypto_material
            / f"crypto-config/peerOrganizations/{one.domain}/users/Admin@{one.domain}/msp",
            folder=self._folder,
            mounts={
                "/etc/hyperledger/configtx": self._crypto_material,
                "/opt/gopath/src/github.com": self._fixtures,
            },
        )
        return PeerCommands(session).run(arguments)

    @property
    def _crypto_material(self) -> Path:
        return self._fixtures / "crypto-material"


if __name__ == "__main__":
    sys.exit(main())
