"""Every check of `checks/`, on CPython and on MicroPython."""

import importlib
import json
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from tests.firmware.interpreter import CHECKS, FIRMWARE, run_micropython

MODULES = sorted(path.stem for path in CHECKS.glob("*_checks.py"))


def load(name: str) -> ModuleType:
    return importlib.import_module(name)


def every_check():
    for name in MODULES:
        module = load(name)
        for check in sorted(dir(module)):
            if check.startswith("check_"):
                rows = getattr(module, "ROWS", {}).get(check, ())
                marks = [pytest.mark.row(row) for row in rows]
                yield pytest.param(name, check, id=f"{name}-{check[6:]}", marks=marks)


@cache
def outcomes_on_micropython(name: str, folder: Path) -> dict[str, str | None]:
    paths = ":".join(map(str, (FIRMWARE, CHECKS)))
    done = run_micropython(CHECKS / "runner.py", name, folder, paths, folder=folder)
    outcomes = [json.loads(line) for line in done.stdout.splitlines() if line[:2] == '{"']
    assert done.returncode == 0, done.stdout + done.stderr
    sys.stderr.write(done.stderr)  # tracebacks, for whoever reads why one failed
    return {outcome["check"]: outcome["error"] for outcome in outcomes}


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    return {name: tmp_path_factory.mktemp(name) for name in MODULES}


@pytest.mark.parametrize(("module", "check"), [*every_check()])
def test_on_micropython(module, check, folders):
    assert outcomes_on_micropython(module, folders[module])[check] is None


@pytest.mark.parametrize(("module", "check"), [*every_check()])
def test_on_cpython(module, check, tmp_path):
    function = getattr(load(module), check)
    if check.endswith("_on_flash"):
        function(str(tmp_path))
    else:
        function()
