"""The follower that judges our ordering accepts what Fabric itself ordered, and nothing else.

So what it asks of our blocks is what Fabric's own satisfy.
"""

import json
import subprocess
from pathlib import Path

import pytest

from ledger.wire import common_pb2
from tests.support.fabric_messages import REPOSITORY, program
from tests.unit.model.fabric_blocks import FOLDER

pytestmark = pytest.mark.full

BLOCKS = [FOLDER / f"p{number}.block" for number in range(11)]
PROCESS_TIMEOUT_S = 60


def verify(*files: Path) -> "subprocess.CompletedProcess[str]":
    command, environment = program("-m", "tests.follower.verify_files", *files)
    return subprocess.run(
        command,
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=PROCESS_TIMEOUT_S,
        check=False,
    )


def test_it_accepts_ten_blocks_after_the_genesis_block() -> None:
    done = verify(*BLOCKS)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[1]] * 10


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda block: block.header.__setattr__("data_hash", bytes(32)), "Header.DataHash"),
        (lambda block: block.header.__setattr__("previous_hash", bytes(32)), "PreviousHash"),
        (lambda block: block.metadata.metadata.__setitem__(0, b""), "BlockValidation"),
        (lambda block: block.metadata.metadata.pop(), "metadata slots"),
        (lambda block: block.data.data.__setitem__(0, b"\x0a\x00"), "no payload"),
    ],
)
def test_it_refuses_a_spoiled_one(tmp_path: Path, spoil, why: str) -> None:
    block = common_pb2.Block.FromString(BLOCKS[1].read_bytes())
    spoil(block)
    spoiled = tmp_path / "spoiled.block"
    spoiled.write_bytes(block.SerializeToString())
    done = verify(BLOCKS[0], spoiled)
    assert done.returncode == 1
    assert why in done.stderr
