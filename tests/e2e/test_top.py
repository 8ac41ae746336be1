"""`gridledger top` beside a running system: once in plain lines, and live on a terminal."""

import os
import pty
import select
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

TIMEOUT_S = 60
CTRL_C = b"\x03"
ALTERNATE_SCREEN, USUAL_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"


def command(demo, *options: str) -> list[str]:
    plan = str(demo.folder / "network.toml")
    return [sys.executable, "-P", "-m", "network.cli", "top", "--plan", plan, *options]


@pytest.mark.parametrize("options", [("--once",), ()], ids=["once", "no terminal"])
def test_plain_lines_tell_of_validators_market_and_meters(demo, options):
    ended = subprocess.run(
        command(demo, *options), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "\x1b" not in ended.stdout
    assert ended.stdout.startswith("network demo\n")
    rows = [line.split() for line in ended.stdout.splitlines()]
    for member in ("cooperative", "municipality", "dso", "utility"):
        (row,) = [row for row in rows if row and row[0] == member]
        assert row[1] == "up"
        assert int(row[2]) > 0
    assert f"market at {demo.settings.gateway_url}" in ended.stdout
    assert "hour 20" in ended.stdout
    assert sum(row[0].startswith("meter-") for row in rows if row) == 6


def test_validators_alone_and_a_gateway_alone(demo, tmp_path):
    no_gateway = command(demo, "--once", "--gateway", "http://127.0.0.1:9")
    alone = subprocess.run(no_gateway, capture_output=True, text=True, check=False)
    assert alone.returncode == 0
    assert alone.stdout.endswith("no gateway answers at http://127.0.0.1:9\n")
    url = demo.settings.gateway_url
    by_url = subprocess.run(
        [sys.executable, "-P", "-m", "network.cli", "top", "--once", "--gateway", url],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert by_url.stdout.startswith(f"market at {url}\n")
    assert "GRIDLEDGER_TOKEN" in by_url.stdout


@pytest.mark.parametrize("key", [b"q", CTRL_C], ids=["q", "Ctrl-C"])
def test_on_a_terminal_it_lives_until_a_key_ends_it(demo, key):
    ours, theirs = pty.openpty()
    live = subprocess.Popen(
        # The terminal controls the session, so that its Ctrl-C is a signal.
        ["setsid", "--ctty", *command(demo, "--interval", "1")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"},
    )
    os.close(theirs)
    try:
        shown = read_until(ours, b"", b"q ends")
        assert shown.startswith(ALTERNATE_SCREEN)
        shown = read_until(ours, shown[shown.index(b"q ends") + 6 :], b"q ends")
        assert b"cooperative" in shown, "the picture is drawn again"
        os.write(ours, key)
        read_until(ours, b"", USUAL_SCREEN)
        assert live.wait(TIMEOUT_S) == 0
    finally:
        live.kill()
        live.wait()
        os.close(ours)


def read_until(terminal: int, seen: bytes, wanted: bytes) -> bytes:
    deadline = time.monotonic() + TIMEOUT_S
    while wanted not in seen:
        left = deadline - time.monotonic()
        assert left > 0, seen
        if select.select([terminal], [], [], left)[0]:
            seen += os.read(terminal, 65_536)
    return seen
