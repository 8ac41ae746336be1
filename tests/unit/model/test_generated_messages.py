"""The generated code in the repository is what proto/generate makes of the .proto files."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
GENERATED = REPOSITORY / "ledger" / "wire"
PROTOS = sorted((REPOSITORY / "proto" / "ledger" / "wire").glob("*.proto"))


def generated_files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*_pb2*.py*") if path.is_file()}


def test_generated_code_is_up_to_date(tmp_path):
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    subprocess.run(
        [REPOSITORY / "proto" / "generate", tmp_path],
        check=True,
        env={**os.environ, "PYTHON": sys.executable},
    )
    assert generated_files(tmp_path / "ledger" / "wire") == generated_files(GENERATED)


@pytest.mark.parametrize("proto", [path.stem for path in PROTOS])
def test_every_proto_has_an_importable_module(proto):
    module = importlib.import_module(f"ledger.wire.{proto}_pb2")
    assert module.DESCRIPTOR.name == f"ledger/wire/{proto}.proto"
