"""Our messages have the names, numbers and types of Fabric's official Python package.

That package is read in a process of its own: both register packages of the same names.
"""

import importlib
import json
import subprocess
from collections.abc import Callable

import pytest

from tests.follower.field_numbers import described
from tests.support.fabric_messages import REPOSITORY, program

pytestmark = pytest.mark.full

PROTOS = sorted((REPOSITORY / "proto" / "ledger" / "wire").glob("*.proto"))
OUR_PACKAGE = "gridledger"
PROCESS_TIMEOUT_S = 60


def ours() -> dict[str, dict]:
    modules = [importlib.import_module(f"ledger.wire.{path.stem}_pb2") for path in PROTOS]
    told = described(module.DESCRIPTOR for module in modules)
    return {name: one for name, one in told.items() if not name.startswith(f"{OUR_PACKAGE}.")}


def official() -> dict[str, dict]:
    command, environment = program("-m", "tests.follower.field_numbers")
    done = subprocess.run(
        command,
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=PROCESS_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_names_numbers_and_types_are_fabrics(
    record_property: Callable[[str, object], None],
) -> None:
    theirs, mine = official(), ours()
    alike = sum(theirs.get(name) == one for name, one in mine.items())
    record_property("messages, enums, services of fabric-protos", f"{alike} of {len(mine)}")
    assert {name: theirs.get(name) for name in mine} == mine
    assert len(mine) >= 230
