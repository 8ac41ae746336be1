"""Node chaincodes as services: one process for each peer, started again when it ends.

A package says `127.0.0.1:{{.services}}<number>` for the chaincode of that number; each peer fills
in its own ports, as Fabric's builder for such packages does.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from network.plan import PeerPlan

BUILDER_VARIABLE = "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG"
"""Where Fabric's peers have the values for an address' templates."""
FIRST_PORTS = 2_000
CHAINCODES_MAX = 10
_AGAIN = 'while :; do "$@"; sleep 0.2; done'


def builder_settings(peer: PeerPlan) -> dict[str, str]:
    """The environment in which that peer is started."""
    return {BUILDER_VARIABLE: json.dumps({"services": str(_ports_of(peer))})}


def _ports_of(peer: PeerPlan) -> int:
    return FIRST_PORTS + peer.consenter_id


class ChaincodeServices:
    """The services of one network; a file remembers numbers and processes."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "services.json"

    def address_template(self, label: str) -> str:
        """What the package of that label says as its address."""
        return f"127.0.0.1:{{{{.services}}}}{self._number(label)}"

    def start_all(
        self, label: str, source: Path, package_id: str, peers: Iterable[PeerPlan]
    ) -> None:
        """Run the chaincode for every peer that has none yet; output goes beside the file."""
        known = self._load()
        for peer in peers:
            name = f"{label}-{peer.id}"
            if name not in known["processes"]:
                address = f"127.0.0.1:{_ports_of(peer)}{self._number(label)}"
                log = self._file.parent / f"{name}.log"
                known["processes"][name] = _start(source, address, package_id, peer.mspid, log)
        self._save(known)

    def stop(self) -> None:
        """End all of them."""
        known = self._load()
        for pid in known["processes"].values():
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        self._save({**known, "processes": {}})

    def _number(self, label: str) -> int:
        known = self._load()
        if label not in known["numbers"]:
            known["numbers"][label] = len(known["numbers"])
            assert len(known["numbers"]) <= CHAINCODES_MAX
            self._save(known)
        return known["numbers"][label]

    def _load(self) -> dict[str, dict[str, int]]:
        if not self._file.exists():
            return {"numbers": {}, "processes": {}}
        content: dict[str, dict[str, int]] = json.loads(self._file.read_text(encoding="utf-8"))
        return content

    def _save(self, known: Mapping[str, Mapping[str, int]]) -> None:
        self._file.write_text(json.dumps(known), encoding="utf-8")


def _start(source: Path, address: str, package_id: str, mspid: str, log: Path) -> int:
    """A service in a process group of its own, and again each time it ends; the group."""
    program = _installed_above(source)
    words = ["server", "--chaincode-address", address, "--chaincode-id", package_id]
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _AGAIN, "services", program, *words],
            cwd=source,
            env={**os.environ, "CORE_PEER_LOCALMSPID": mspid},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process.pid


def _installed_above(source: Path) -> Path:
    """Node looks for packages beside its source and in the folders above."""
    for folder in (source, *source.parents):
        program = folder / "node_modules/.bin/fabric-chaincode-node"
        if program.exists():
            return program
    raise FileNotFoundError(f"no fabric-shim is installed for {source}")
