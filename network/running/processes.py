"""Validator processes: start, stop and watch them as detached children.

A pid file names the process by id *and* start time (kernel ticks), so that a recycled process id
is never mistaken for ours: nothing is signalled that this network did not start.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from network.layout import PRIVATE_FILE_MODE, MemberLayout, write_replacing
from network.plan import PeerPlan

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 10.0
PROBE_INTERVAL_S = 0.05
CONNECT_TIMEOUT_S = 1.0
LOG_TAIL_LINES = 15


class ProcessError(Exception):
    """A process could not be started or stopped; the text names it and where its log is."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process, told apart from later ones with the same number."""

    pid: int
    start_ticks: int


def start_ticks_of(pid: int) -> int | None:
    """When the process started, in kernel ticks since boot; None if it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name in parentheses may contain spaces
    return None if fields[0] == "Z" else int(fields[19])


def read_pid_file(path: Path) -> ProcessId | None:
    """The running process the file names, or None when it no longer runs."""
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        process = ProcessId(pid=int(content["pid"]), start_ticks=int(content["start_ticks"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ProcessError(f"{path} is damaged ({error}); delete it") from error
    return process if start_ticks_of(process.pid) == process.start_ticks else None


def is_listening(address: str) -> bool:
    """Whether something accepts TCP connections at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False


def peer_command(layout: MemberLayout) -> list[str]:
    """How a validator process is run."""
    config = str(layout.peer_config)
    return [sys.executable, "-P", "-m", "network.cli", "peer", "run", "--config", config]


def start_peer(layout: MemberLayout) -> ProcessId:
    """Start one validator detached from this terminal; returns at once.

    Raises `ProcessError` when it already runs.
    """
    running = read_pid_file(layout.pid_file)
    if running is not None:
        raise ProcessError(f"{layout.root.name} already runs as process {running.pid}")
    command = peer_command(layout)
    log = (str(layout.log_file), os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE_MODE)
    pid = os.posix_spawn(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, *log),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    ticks = start_ticks_of(pid)
    if ticks is None:
        raise ProcessError(died(layout))
    record = {"pid": pid, "start_ticks": ticks}
    write_replacing(layout.pid_file, json.dumps(record).encode("ascii"))
    return ProcessId(pid=pid, start_ticks=ticks)


def died(layout: MemberLayout) -> str:
    """One message for a process that ended, with the end of its log."""
    tail = ""
    if layout.log_file.exists():
        lines = layout.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        tail = "\n" + "\n".join(f"  | {line}" for line in lines[-LOG_TAIL_LINES:])
    return f"the peer of {layout.root.name} ended; its log is {layout.log_file}{tail}"


def wait_until_ready(
    peers: Sequence[tuple[PeerPlan, MemberLayout]],
    *,
    timeout_s: float = START_TIMEOUT_S,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Return when every peer accepts connections on both its ports.

    Raises `ProcessError` as soon as one of them ends, or at the timeout.
    """
    deadline = time.monotonic() + timeout_s
    waiting = list(peers)
    while waiting:
        plan, layout = waiting[0]
        process = read_pid_file(layout.pid_file)
        if process is None:
            raise ProcessError(died(layout))
        if is_listening(plan.address) and is_listening(plan.validator_address):
            waiting.pop(0)
            if on_ready is not None:
                on_ready(plan.id)
        elif time.monotonic() > deadline:
            raise ProcessError(
                f"{plan.id} does not listen on {plan.address} after {timeout_s:.0f} s; "
                f"its log is {layout.log_file}"
            )
        else:
            wait_for_exit(process, timeout_s=PROBE_INTERVAL_S)


def wait_for_exit(process: ProcessId, *, timeout_s: float) -> bool:
    """Whether the process ended within the time; wakes at the moment it does."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        ticks = start_ticks_of(process.pid)
        if ticks is not None and ticks != process.start_ticks:
            return True
        # A zombie's threads may still hold its ports; the descriptor is ready when all are gone.
        ready, _, _ = select.select([descriptor], [], [], timeout_s)
        return bool(ready)
    finally:
        os.close(descriptor)


def stop_peers(layouts: Sequence[MemberLayout], *, timeout_s: float = STOP_TIMEOUT_S) -> list[str]:
    """Ask every running peer to end, wait, and kill what does not; returns who was stopped."""
    running = [
        (layout, process)
        for layout in layouts
        if (process := read_pid_file(layout.pid_file)) is not None
    ]
    for _, process in running:
        send_signal(process, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    for _, process in running:
        if not wait_for_exit(process, timeout_s=max(0.0, deadline - time.monotonic())):
            send_signal(process, signal.SIGKILL)
            wait_for_exit(process, timeout_s=timeout_s)
    for layout, process in running:
        reap(process)
        layout.pid_file.unlink(missing_ok=True)
    return [layout.root.name for layout, _ in running]


def end_child(process: subprocess.Popen[bytes], *, timeout_s: float = STOP_TIMEOUT_S) -> None:
    """End a process that this one started: politely, then for certain."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def send_signal(process: ProcessId, number: signal.Signals) -> None:
    """Signal exactly this process; one that has already ended is left alone."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(process.pid)
        try:
            if start_ticks_of(process.pid) == process.start_ticks:
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


def reap(process: ProcessId) -> None:
    """Forget an ended process that was our own child, so that it does not linger as a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
