"""`gridledger client` writes a package with a module for every call, and overwrites nothing."""

import json
from importlib.resources import files

import pytest

from network.commands.client import PACKAGE, main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    written = tmp_path_factory.mktemp("client") / "new"
    assert main(["--out", str(written)]) == 0
    return written


def test_every_operation_has_a_module(folder):
    description = json.loads(files("gateway.api").joinpath("openapi.json").read_text("utf-8"))
    operations = {
        operation["operationId"]
        for methods in description["paths"].values()
        for operation in methods.values()
    }
    modules = {path.stem for path in folder.glob(f"{PACKAGE}/api/*/*.py")} - {"__init__"}
    assert modules == operations


def test_what_is_there_is_kept(folder, capsys):
    readme = folder / "README.md"
    before = readme.read_bytes()
    assert main(["--out", str(folder)]) == 1
    assert readme.read_bytes() == before
    assert main(["--out", str(readme)]) == 1
    assert "never overwritten" in capsys.readouterr().err
