"""The committed message code is what the generator makes of proto/ today."""

import subprocess
import sys
from pathlib import Path

from tests.architecture.source_files import ROOT


def generate(target: Path) -> None:
    sources = sorted((ROOT / "proto" / "ledger" / "wire").glob("*.proto"))
    services = [path for path in sources if "\nservice " in path.read_text(encoding="utf-8")]
    protoc = [sys.executable, "-m", "grpc_tools.protoc", "--proto_path=proto"]
    for options, files in (
        ([f"--python_out={target}", f"--pyi_out={target}"], sources),
        ([f"--grpc_python_out={target}"], services),
    ):
        paths = [str(path.relative_to(ROOT)) for path in files]
        subprocess.run([*protoc, *options, *paths], cwd=ROOT, check=True)


def test_generated_messages_are_up_to_date(tmp_path: Path) -> None:
    generate(tmp_path)
    fresh = {path.name: path.read_bytes() for path in (tmp_path / "ledger" / "wire").iterdir()}
    folder = ROOT / "ledger" / "wire"
    committed = {path.name: path.read_bytes() for path in folder.iterdir() if "_pb2" in path.name}
    assert sorted(fresh) == sorted(committed)
    assert [name for name in fresh if fresh[name] != committed[name]] == [], "run proto/generate"
