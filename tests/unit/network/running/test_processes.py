"""Processes are watched and signalled by number *and* start time."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from network.layout import MemberLayout
from network.plan import MemberPlan
from network.running.process_usage import resident_bytes
from network.running.processes import (
    ProcessError,
    ProcessId,
    is_listening,
    read_pid_file,
    send_signal,
    start_ticks_of,
    stop_peers,
    wait_for_exit,
    wait_until_ready,
)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


def identify(child: subprocess.Popen[bytes]) -> ProcessId:
    ticks = start_ticks_of(child.pid)
    assert ticks is not None
    return ProcessId(pid=child.pid, start_ticks=ticks)


def layout_with_pid(folder: Path, process: ProcessId) -> MemberLayout:
    layout = MemberLayout(folder)
    layout.pid_file.write_text(
        json.dumps({"pid": process.pid, "start_ticks": process.start_ticks})
    )
    return layout


def test_a_running_process_is_recognised(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    layout = layout_with_pid(tmp_path, identify(sleeper))
    assert read_pid_file(layout.pid_file) == identify(sleeper)
    assert resident_bytes(identify(sleeper).pid) > 0


def test_a_reused_number_is_not_taken_for_ours(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    recycled = ProcessId(pid=sleeper.pid, start_ticks=identify(sleeper).start_ticks - 1)
    layout = layout_with_pid(tmp_path, recycled)
    assert read_pid_file(layout.pid_file) is None
    assert wait_for_exit(recycled, timeout_s=0)
    send_signal(recycled, signal.SIGKILL)
    assert stop_peers([layout]) == []
    assert sleeper.poll() is None, "a process that is not ours lives on"


def test_a_missing_pid_file_means_not_running(tmp_path: Path) -> None:
    assert read_pid_file(tmp_path / "peer.pid") is None


def test_a_damaged_pid_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "peer.pid"
    path.write_text("17")
    with pytest.raises(ProcessError, match=r"peer\.pid is damaged"):
        read_pid_file(path)


def test_stopping_ends_the_process_and_its_pid_file(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    layout = layout_with_pid(tmp_path, identify(sleeper))
    process = identify(sleeper)
    assert not wait_for_exit(process, timeout_s=0)
    assert stop_peers([layout]) == [tmp_path.name]
    assert wait_for_exit(process, timeout_s=0)
    assert not layout.pid_file.exists()


def test_a_peer_that_ended_is_reported_with_its_log(tmp_path: Path) -> None:
    layout = MemberLayout(tmp_path / "dso")
    layout.root.mkdir()
    layout.log_file.write_text("first line\nNodeFault: the disk is full\n")
    plan = MemberPlan(
        id="dso",
        member_id="dso",
        name="DSO",
        mspid="DsoMSP",
        consenter_id=1,
        host="127.0.0.1",
        port=1,
        validator_port=2,
        external_host="127.0.0.1",
    )
    with pytest.raises(ProcessError, match="the disk is full"):
        wait_until_ready([(plan, layout)], timeout_s=1)


def test_listening_is_what_accepts_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert is_listening(address)
    assert not is_listening(address)


def test_zombies_do_not_run(sleeper: subprocess.Popen[bytes]) -> None:
    process = identify(sleeper)
    os.kill(process.pid, signal.SIGKILL)
    assert wait_for_exit(process, timeout_s=10)
    assert start_ticks_of(process.pid) is None
