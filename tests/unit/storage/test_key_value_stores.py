"""Both key-value stores against the common suite, and what only a disk can do wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from ledger.errors import NodeFault
from ledger.storage.leveldb import LevelDbStore
from ledger.storage.memory import MemoryStore
from tests.suites.key_value_store import KeyValueStoreSuite


class TestMemoryStore(KeyValueStoreSuite):
    @pytest.fixture
    def store(self):
        return MemoryStore()


class TestLevelDbStore(KeyValueStoreSuite):
    @pytest.fixture
    def store(self, tmp_path):
        store = LevelDbStore(tmp_path / "data")
        yield store
        store.close()


def test_another_process_cannot_open_a_held_folder(tmp_path):
    store = LevelDbStore(tmp_path)
    script = (
        "import sys; from pathlib import Path\n"
        "from ledger.errors import NodeFault\n"
        "from ledger.storage.leveldb import LevelDbStore\n"
        "try: LevelDbStore(Path(sys.argv[1]))\n"
        "except NodeFault as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert str(tmp_path) in done.stdout
    assert "another process" in done.stdout
    store.close()


def test_survives_reopening(tmp_path):
    store = LevelDbStore(tmp_path)
    store.write([(b"a", b"1")], sync=True)
    store.close()
    again = LevelDbStore(tmp_path)
    assert again.get(b"a") == b"1"
    again.close()


def test_an_unwritable_place_is_named():
    with pytest.raises(NodeFault, match="/proc/nowhere"):
        LevelDbStore(Path("/proc/nowhere"))


def test_a_flipped_byte_in_the_log_is_not_repaired(tmp_path):
    store = LevelDbStore(tmp_path)
    for number in range(50):
        store.write([(b"key%d" % number, b"value" * 20)], sync=True)
    store.close()
    log = next(path for path in tmp_path.iterdir() if path.suffix == ".log")
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 1
    log.write_bytes(bytes(content))
    with pytest.raises(NodeFault, match=str(tmp_path)):
        LevelDbStore(tmp_path)
