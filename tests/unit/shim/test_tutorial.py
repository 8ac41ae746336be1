"""docs/contracts.md says what is so: its code runs, and its tables name everything there is."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chaincode.shim import ChaincodeStub, ClientIdentity, check_command
from chaincode.shim.determinism.call_rules import BUILTINS
from chaincode.shim.determinism.import_rules import RULE_OF_MODULE
from tests.unit.shim.test_pytest_plugin import LOADED

TEXT = (Path(__file__).parents[3] / "docs" / "contracts.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
FOR_THE_RUNTIME = {"event", "has_writes", "write_requests"}
SECOND_NAMES = {
    "get_txid",
    "get_multiple_states",
    "get_multiple_private_data",
    "delete_state",
    "delete_private_data",
}
"""Spellings of Fabric's other shims for functions that the table has."""


def public(cls) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    contract, tests = CODE
    (tmp_path / "battery.py").write_text(contract)
    (tmp_path / "test_battery.py").write_text(tests)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.slow
def test_the_tutorials_tests_pass(folder):
    plugin = [] if LOADED else ["-p", "chaincode.pytest_plugin"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "4 passed" in ran.stdout, ran.stdout


def test_the_tutorials_contract_passes_the_check(folder):
    assert check_command.main(["battery"], io.StringIO()) == 0


def test_every_function_of_the_stub_is_in_the_table():
    missing = public(ChaincodeStub) - FOR_THE_RUNTIME - SECOND_NAMES
    pages = {name for name in missing if name.endswith("_with_pagination")}
    private = {name for name in missing if "private_data_validation_parameter" in name}
    assert {name for name in missing - pages - private if f"`{name}" not in TEXT} == set()


def test_the_clients_facts_are_in_the_text():
    getters = {name for name in public(ClientIdentity) if name.startswith(("get_", "assert_"))}
    told = public(ClientIdentity) - getters - {"certificate_pem"}
    assert {name for name in told if name not in TEXT} == set()


def test_every_rule_of_the_check_is_explained():
    rules = set(RULE_OF_MODULE.values()) | {rule for rule, _ in BUILTINS.values()}
    assert {rule for rule in rules | {"set-order"} if f"| `{rule}` |" not in TEXT} == set()


def test_every_code_of_the_shim_is_explained():
    sources = [path.read_text() for path in Path(check_command.__file__).parent.glob("*.py")]
    code = re.compile(r'ContractError\(\s*"([A-Z_]+)"|f"([A-Z_]+): ')
    used = {match[1] or match[2] for text in sources for match in code.finditer(text)}
    used -= {"INVALID_AMOUNT"}  # of an example
    assert used
    assert {name for name in used if f"| `{name}` |" not in TEXT} == set()
