"""docs/contracts.md as a new user follows it: a fresh folder, a network, a package, a service."""

import os
import re
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from network.ports import free_port_range

TEXT = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text()
CONTRACT = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[0]
HERE = TEXT.split("## 5. Run it here")[1].split("On a Fabric network")[0]
COMMANDS = [line[4:] for line in HERE.splitlines() if line.startswith("    ")]
SERVICE_PORT = "9999"
TIMEOUT_S = 300

pytestmark = pytest.mark.full  # a minute of real processes


def shell(folder: Path, script: str) -> str:
    """What the lines print; AssertionError with everything if one of them fails."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    ran = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


@pytest.fixture
def folder(tmp_path):
    """With the contract and a plan on free ports."""
    (tmp_path / "battery.py").write_text(CONTRACT)
    shell(tmp_path, "gridledger network init && gridledger network reset --yes-delete-data")
    plan = tmp_path / "network.toml"
    text = plan.read_text()
    ports = count(free_port_range(len(re.findall(r"port = \d+", text))))
    plan.write_text(re.sub(r"port = \d+", lambda _: f"port = {next(ports)}", text))
    yield tmp_path
    shell(tmp_path, "gridledger network down")


def test_every_command_works_as_it_is_written(folder):
    port = str(free_port_range(1))
    script = "\n".join(["trap 'kill $(jobs -p) || true' EXIT", *COMMANDS])
    script = script.replace(SERVICE_PORT, port)
    # Its status is 1 until every member has approved, and the utility never does.
    script = re.sub(r"(gridledger chaincode readiness .*)", r"\1 || true", script)
    told = shell(folder, script)
    assert "nothing found that would differ" in told
    assert "battery version 1.0, sequence 1" in told
    assert "15000\n" in told, "5,000 Wh of 20,000 are reserved by the contract in a process"
    assert "13000\n" in told, "7,000 Wh of the next hour by the same contract as a service"
