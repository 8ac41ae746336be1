"""Row 31: what a contract sees of the machine, tried in the process that runs contracts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.endorsing_world import EndorsingWorld, running_process

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

READ_AND_WRITE = """
import sys
from pathlib import Path
from chaincode.shim.file_sandbox import libraries, restrict_files
sys.stdout.write(f"{restrict_files(libraries('chaincode.energy'))}")
for path in sys.argv[1:]:
    beside = Path(path).with_suffix(".new")
    for attempt in (Path(path).read_bytes, lambda: beside.write_bytes(b"x"),
                    Path(path).unlink, lambda: list(Path(path).parent.iterdir())):
        try:
            attempt()
            sys.stdout.write(" done")
        except OSError as error:
            sys.stdout.write(f" {error.errno}")
import chaincode.energy.contracts, cryptography.x509, zoneinfo
zoneinfo.ZoneInfo("Europe/Berlin")
"""
EACCES = 13


def test_a_contract_sees_no_files_but_its_libraries(tmp_path):
    key = tmp_path / "key.pem"
    key.write_text("secret")
    result = subprocess.run(
        [sys.executable, "-c", READ_AND_WRITE, str(key), "/etc/passwd"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert result.stdout == f"True{f' {EACCES}' * 8}"
    assert key.read_text() == "secret"


@pytest.mark.parametrize(
    ("function", "argument"),
    [("read_file", "/etc/passwd"), ("write_file", "/tmp/written"), ("list_folder", "/")],
)
async def test_the_process_of_a_contract_is_restricted_before_it_is_loaded(function, argument):
    world = EndorsingWorld()
    async with running_process() as process:
        outcome = await world.run(process, f"trouble:{function}", argument)
        assert outcome.response.status == 500
        assert "PermissionError" in outcome.response.message
