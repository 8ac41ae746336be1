"""What a contract's author has in a fresh folder: fixtures without imports, and breakpoints."""

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

pytestmark = pytest.mark.slow  # pytest in a process of its own

CONTRACT = """
from chaincode.shim import Context, Contract, transaction


class Counter(Contract):
    @transaction
    async def add(self, ctx: Context, amount: int) -> int:
        value = int(await ctx.stub.get_state("n") or b"0") + amount
        {line}
        await ctx.stub.put_state("n", str(value))
        return value


CONTRACTS = (Counter,)
"""

TESTS = """
from counter import Counter


def scenario():
    from chaincode.shim.testing import TestLedger

    ledger = TestLedger([Counter()])
    ledger.client("A").submit("add", 2)
    return ledger


def test_counting(make_ledger):
    ledger = make_ledger(Counter(), start="2026-06-01T00:00:00Z")
    assert ledger.client("A").submit("add", 2) == 2
    assert ledger.state("n") == b"2"


def test_peers_agree(same_everywhere):
    assert same_everywhere(scenario).calls == 1
"""

LOADED = any(point.name == "gridledger" for point in entry_points(group="pytest11"))
"""False where the package was installed before it had this entry point."""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "counter.py").write_text(CONTRACT.format(line="pass"))
    (tmp_path / "test_counter.py").write_text(TESTS)
    return tmp_path


def run_pytest(folder, *options, typed=""):
    plugin = [] if LOADED else ["-p", "chaincode.pytest_plugin"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        input=typed,
        text=True,
        capture_output=True,
        check=False,
    ).stdout


def test_the_fixtures_are_there_without_an_import(folder):
    assert "2 passed" in run_pytest(folder)


def test_a_breakpoint_stops_inside_the_contract(folder):
    (folder / "counter.py").write_text(CONTRACT.format(line="breakpoint()"))
    told = run_pytest(folder, "-k", "counting", typed="p 'value', value\np ctx.client.mspid\nc\n")
    assert "('value', 2)" in told
    assert "'A'" in told
    assert "1 passed" in told
