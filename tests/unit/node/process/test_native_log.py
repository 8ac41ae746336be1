"""What gRPC's own code prints comes into the log in plain words, and never fills the disk."""

import os
import subprocess
import sys

import pytest

from ledger.node.process import native_log
from ledger.node.process.native_log import KINDS_MAX, LINES_OF_A_KIND_MAX, MINUTE_MS, NativeLog

NOT_TLS = (
    "I1121 10:20:15.140753   14406 ssl_transport_security.cc:2563] Handshake failed with error "
    "SSL_ERROR_SSL: error:1000042e:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER\n"
)
PLAIN = "a TLS handshake failed: the other side does not speak TLS"


class Scene:
    def __init__(self, path, caplog):
        self.now_ms = 0
        self.path = path
        self.caplog = caplog
        self.native = NativeLog(path, lambda: self.now_ms)

    def prints(self, text: str) -> None:
        os.write(self.native.descriptor, text.encode())

    def logs(self) -> list[str]:
        self.caplog.clear()
        self.native.look()
        return [record.getMessage() for record in self.caplog.records]


@pytest.fixture
def scene(tmp_path, caplog):
    made = Scene(tmp_path / "native.log", caplog)
    yield made
    os.close(made.native.descriptor)


def test_a_line_is_told_in_plain_words_and_the_file_is_emptied(scene):
    scene.prints(NOT_TLS)
    assert scene.logs() == [PLAIN]
    assert scene.path.stat().st_size == 0
    assert scene.logs() == []


def test_what_is_not_known_is_told_as_it_is_without_its_time(scene):
    scene.prints("E1121 10:20:15.140753   14406 a.cc:25] out of luck\nno prefix\n\n")
    assert scene.logs() == ["gRPC: out of luck", "no prefix"]


def test_of_many_lines_a_few_are_told_and_the_others_counted(scene):
    scene.prints(NOT_TLS * 100)
    assert scene.logs() == [PLAIN] * LINES_OF_A_KIND_MAX
    scene.prints(NOT_TLS * 900)
    assert scene.logs() == []
    scene.now_ms = MINUTE_MS
    assert scene.logs() == [f"{PLAIN} ({1000 - LINES_OF_A_KIND_MAX} times more)"]
    scene.prints(NOT_TLS)
    assert scene.logs() == [PLAIN], "another minute"


def test_no_number_of_different_messages_fills_the_log_or_the_memory(scene):
    scene.prints("".join(f"message {number}\n" for number in range(10 * KINDS_MAX)))
    assert len(scene.logs()) == KINDS_MAX + LINES_OF_A_KIND_MAX


def test_a_process_leads_only_its_native_errors_there(tmp_path):
    """In a process of its own: file descriptor 2 is one for all."""
    script = (
        "import os, pathlib, sys\n"
        "from ledger.node.process.native_log import take_over\n"
        "from network.commands.run_peer import _keep_own_standard_error\n"
        "_keep_own_standard_error()\n"
        "take_over(pathlib.Path(sys.argv[1]), lambda: 0)\n"
        "os.write(2, b'native')\n"
        "print('python', file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stderr == "python\n"
    assert (tmp_path / native_log.NATIVE_LOG_FILE).read_text() == "native"
