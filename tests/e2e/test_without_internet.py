"""The whole community on one small machine with no way out of it."""

import os
import re
import subprocess
import sys
import time

import pytest

from network.running.process_usage import usage_of_trees
from tests.e2e.running_demo import (
    HOUR_SECONDS,
    RUN_TIMEOUT_S,
    STOP_TIMEOUT_S,
    demo_command,
)

pytestmark = pytest.mark.slow

MEMORY_BYTES_MAX = 1_500_000_000
"""A Raspberry Pi 4 with 2 GB, less half a gigabyte for its system."""
ALONE = """
import array, fcntl, os, socket, struct, sys
with socket.socket() as any_socket:  # bring the loopback interface up; it is the only one
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x49))
names = [name for _, name in socket.if_nameindex()]
assert names == ["lo"], names
try:
    socket.create_connection(("192.0.2.1", 80), timeout=1)
    raise SystemExit("there is a way out")
except OSError as error:
    assert error.errno == 101, error  # the network is unreachable
os.execv(sys.argv[1], sys.argv[1:])
"""


def resident_bytes_of_tree(root: int) -> int:
    """Of all its processes; what they share counts for each, so the truth is less."""
    return sum(usage.resident_bytes for usage in usage_of_trees([root]))


def above_zero(pattern: str, text: str) -> bool:
    """Whether the number in the first group was told, and is more than nothing."""
    found = re.search(pattern, text)
    return found is not None and float(found[1].replace(",", "")) > 0


@pytest.mark.row("E119")
def test_a_trade_is_made_and_settled_with_no_network_and_little_memory(tmp_path):
    options = ("--hours", "1", "--households", "3", "--hour-seconds", HOUR_SECONDS, "--exit")
    rights = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", "--net", *rights, sys.executable, "-c", ALONE, *demo_command(*options)]
    with (tmp_path / "said").open("w+") as said:
        demo = subprocess.Popen(
            command, stdout=said, stderr=said, env=os.environ | {"TMPDIR": str(tmp_path)}
        )
        try:
            peak = 0
            deadline = time.monotonic() + RUN_TIMEOUT_S
            while demo.poll() is None and time.monotonic() < deadline:
                peak = max(peak, resident_bytes_of_tree(demo.pid))
                time.sleep(0.25)
        finally:
            if demo.poll() is None:
                demo.terminate()
            demo.wait(STOP_TIMEOUT_S)
        said.seek(0)
        text = said.read()
    assert demo.returncode == 0, text
    assert "2 meters run the firmware on MicroPython" in text
    assert "all invariants hold" in text
    assert above_zero(r"energy traded +(\S+) kWh", text), text
    assert above_zero(r"paid to neighbours +(\S+) tokens", text), text
    done = r"transfer 2016-08-01T20\.1: done, relays open, measured"
    assert above_zero(done + r" (\S+) kWh out", text), text
    assert above_zero(done + r" \S+ kWh out, (\S+) kWh in", text), text
    assert 0 < peak < MEMORY_BYTES_MAX, peak
