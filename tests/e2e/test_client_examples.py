"""The generated client and the examples of docs/examples, against a running system."""

import asyncio
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.running_demo import RunningDemo
from tests.e2e.scene import Scene, play

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
TIMEOUT_S = 60
HOUR = "2016-08-01T20"
"""The first hour of the demo, settled by now."""


@dataclass(frozen=True)
class Scripts:
    """Examples as somebody would run them: in a folder of their own, with the client installed."""

    demo: RunningDemo
    folder: Path
    environment: dict[str, str]

    def run(self, name: str, *arguments: str) -> str:
        command = [sys.executable, str(EXAMPLES / name), self.demo.settings.gateway_url]
        ended = subprocess.run(
            [*command, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def scripts(demo, tmp_path_factory) -> Scripts:
    folder = tmp_path_factory.mktemp("scripts")
    client = folder / "client"
    command = [sys.executable, "-m", "network.cli", "client", "--out", str(client)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    paths = os.pathsep.join((str(client), str(ROOT)))
    return Scripts(
        demo,
        folder,
        os.environ | {"PYTHONPATH": paths, "GRIDLEDGER_TOKEN": a_token(demo), "TZ": "UTC"},
    )


def a_token(demo: RunningDemo) -> str:
    """Of the manager, for reading."""
    found: list[str] = []

    async def scene(it: Scene) -> None:
        wish = {"label": "examples", "scopes": ["own:read", "community:read"]}
        made = await it.http.post("/v1/tokens", json=wish, headers=await it.manager_session())
        found.append(made.json()["token"])

    play(demo, scene)
    return found[0]


def test_every_example_has_a_test():
    tested = set(re.findall(r'scripts\.run\(\s*"(\w+\.py)"', Path(__file__).read_text("utf-8")))
    assert tested == {path.name for path in EXAMPLES.glob("*.py")}


def test_price_and_next_gate(scripts):
    told = scripts.run("price_and_next_gate.py").splitlines()
    assert re.fullmatch(r"2016-08-01T\d\d: (\d\.\d{3} tokens per kWh|nothing was traded)", told[0])
    assert "takes orders" in told[1]


def test_a_standing_order_is_placed_and_withdrawn_with_the_household_s_key(scripts, demo):
    household = demo.settings.households[1]
    files = household.identity
    told = scripts.run("standing_order.py", files.mspid, str(files.certificate), str(files.key))
    placed = re.fullmatch(r"standing order ([0-9a-f]{64})\nwithdrawn\n", told)
    assert placed, told

    async def scene(it: Scene) -> None:
        (raw, *_) = await it.on_every_peer("standing:get_orders", household.idgrid)
        assert placed[1] not in raw.decode()
        status = (await it.http.get(f"/v1/transactions/{placed[1]}")).json()
        assert (status["code"], status["function"]) == ("VALID", "standing:place")

    play(demo, scene)


def test_events_are_followed_and_resumed_without_a_gap(scripts):
    height = asyncio.run(height_of(scripts.demo))
    seen = [
        int(line.split()[1].rstrip(":"))
        for count in ("3", str(height - 4))
        for line in scripts.run("follow_events.py", "last.txt", count).splitlines()
    ]
    assert seen == sorted(seen)
    assert (scripts.folder / "last.txt").read_text() == str(height - 1)


async def height_of(demo: RunningDemo) -> int:
    async with demo.http() as http:
        found: int = (await http.get("/v1/blocks?limit=1")).json()["height"]
        return found


def test_a_month_s_statement_is_saved_as_csv(scripts, demo):
    idgrid = demo.settings.households[0].idgrid
    told = scripts.run("statement_csv.py", idgrid, "2016-08")
    saved = (scripts.folder / f"statement-2016-08-{idgrid}.csv").read_text("utf-8").splitlines()
    assert told.endswith(f": {len(saved) - 1} lines\n")
    assert HOUR in "".join(saved)


def test_a_receipt_is_checked_offline(scripts, demo):
    idgrid = demo.settings.households[0].idgrid
    told = scripts.run("verify_receipt_offline.py", idgrid, HOUR)
    assert re.search(rf"^proven in block \d+: line~{idgrid}~{HOUR}$", told, re.MULTILINE), told
