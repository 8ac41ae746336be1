"""Hyperledger Caliper with its Fabric connector, from the npm registry, against our peers."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from network.layout import Credential, NetworkLayout
from network.plan import Plan
from tests.support.node_runtime import NodeRuntime

SOURCE = Path(__file__).parent / "caliper"
WRITES, READS = 200, 400
TRANSACTIONS_PER_S = 50
KEYS = 50
BENCH_TIMEOUT_S = 300

_ROW = re.compile(
    r"^\| (?P<round>write|read) +\| (?P<good>\d+) +\| (?P<bad>\d+) +\|", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Round:
    """What Caliper's summary says of a round."""

    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class Target:
    """Which peer Caliper asks, as whom."""

    plan: Plan
    layout: NetworkLayout
    user: Credential
    contract: str


def run_caliper(node: NodeRuntime, folder: Path, target: Target) -> dict[str, Round]:
    """A round of writes and one of reads, by name; CalledProcessError if it cannot run them."""
    workspace = folder / "caliper"
    workspace.mkdir()
    packages = node.install_packages(SOURCE)
    shutil.copy(SOURCE / "workload.cjs", workspace)
    (workspace / "node_modules").symlink_to(packages / "node_modules")
    _write(workspace / "profile.json", _connection_profile(target))
    _write(workspace / "network.json", _network(target))
    _write(workspace / "rounds.json", _rounds(target))
    options = {
        "workspace": workspace,
        "networkconfig": "network.json",
        "benchconfig": "rounds.json",
        "report-path": workspace / "report.html",
    }
    words = [f"--caliper-{name}={value}" for name, value in options.items()]
    words.append("--caliper-flow-only-test")  # the network is there already
    done = subprocess.run(
        [node.program, packages / "node_modules/.bin/caliper", "launch", "manager", *words],
        cwd=workspace,
        capture_output=True,
        text=True,
        timeout=BENCH_TIMEOUT_S,
        check=False,
    )
    (workspace / "output.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    done.check_returncode()
    return read_summary(done.stdout)


def read_summary(output: str) -> dict[str, Round]:
    """The rounds of the last table that Caliper printed."""
    return {
        row["round"]: Round(int(row["good"]), int(row["bad"])) for row in _ROW.finditer(output)
    }


def _network(target: Target) -> Mapping[str, object]:
    member = target.plan.members[0]
    return {
        "name": "gridledger",
        "version": "2.0.0",
        "caliper": {"blockchain": "fabric"},
        "channels": [
            {
                "channelName": target.plan.channel_id,
                "contracts": [{"id": target.contract}],
            }
        ],
        "organizations": [
            {
                "mspid": member.mspid,
                "identities": {
                    "certificates": [
                        {
                            "name": "user",
                            "clientPrivateKey": {"path": str(target.user.key)},
                            "clientSignedCert": {"path": str(target.user.certificate)},
                        }
                    ]
                },
                "connectionProfile": {"path": "profile.json", "discover": False},
            }
        ],
    }


def _connection_profile(target: Target) -> Mapping[str, object]:
    member = target.plan.members[0]
    return {
        "name": "gridledger",
        "version": "1.0.0",
        "client": {"organization": member.id},
        "organizations": {member.id: {"mspid": member.mspid, "peers": [member.id]}},
        "peers": {
            member.id: {
                "url": f"grpcs://{member.address}",
                "tlsCACerts": {"path": str(target.layout.tls_ca_bundle)},
                "grpcOptions": {"ssl-target-name-override": "localhost"},
            }
        },
    }


def _rounds(target: Target) -> Mapping[str, object]:
    def one(label: str, verb: str, count: int) -> Mapping[str, object]:
        arguments = {"contract": target.contract, "verb": verb, "keys": KEYS}
        return {
            "label": label,
            "txNumber": count,
            "rateControl": {"type": "fixed-rate", "opts": {"tps": TRANSACTIONS_PER_S}},
            "workload": {"module": "./workload.cjs", "arguments": arguments},
        }

    return {
        "test": {
            "name": "gridledger",
            "workers": {"number": 1},
            "rounds": [one("write", "put", WRITES), one("read", "get", READS)],
        }
    }


def _write(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
