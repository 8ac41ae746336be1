"""`gridledger demo` as a command: its answer, its exit status, nothing left behind."""

import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.e2e.running_demo import (
    HOUR_SECONDS,
    RUN_TIMEOUT_S,
    STOP_TIMEOUT_S,
    demo_command,
    running_demo,
)

pytestmark = pytest.mark.slow


def test_exit_ends_with_the_summary_and_leaves_nothing(tmp_path):
    options = ("--hours", "1", "--households", "3", "--hour-seconds", HOUR_SECONDS, "--exit")
    done = subprocess.run(
        demo_command(*options),
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Summary of 1 market hours, 3 homes" in done.stdout
    assert "all invariants hold" in done.stdout
    assert "\x1b" not in done.stdout
    for line in (
        r"transfer 2016-08-01T20\.1: \S+ kWh \S+ → \S+, relays OUT and IN close",
        r"transfer 2016-08-01T20\.1: done, relays open",
        r"alarm \d+: meter-03 silent, not heard",
        r"alarm \d+: meter-03 silent, over",
    ):
        assert re.search(line, done.stdout), done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_stops_every_process(tmp_path):
    with running_demo(tmp_path / "kept", "--households", "2", "--hour-seconds", "3") as demo:
        demo.wait_for("orders placed", RUN_TIMEOUT_S)
        demo.process.send_signal(signal.SIGTERM)
        assert demo.process.wait(STOP_TIMEOUT_S) == 130
    assert processes_naming(str(tmp_path)) == []


@pytest.mark.parametrize(
    "options",
    [
        ("--hours", "0"),
        ("--households", "18"),
        ("--households", "one"),
        ("--hour-seconds", "0.1"),
        ("--port", "70000"),
        ("--no-such-option",),
    ],
)
def test_wrong_options_are_usage_errors(options):
    done = subprocess.run(demo_command(*options), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage:" in done.stderr


def test_a_folder_with_content_is_never_used():
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "mine").write_text("keep me")
        done = subprocess.run(
            demo_command("--keep", folder), capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        assert "never overwritten" in done.stderr
        assert [path.name for path in Path(folder).iterdir()] == ["mine"]


def processes_naming(text: str) -> list[str]:
    """Command lines on this machine that contain a text."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it ended meanwhile
            if text in command:
                found.append(command)
    return found
