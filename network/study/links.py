"""Houses on emulated links: a network namespace each, a bridge between them, `tc` on every link.

Everything runs in a namespace of its own (`unshare`), so nothing of the machine's network is
touched and all of it is gone at the end. Each link is as fast as its standard says; that stations
of a radio cell wait for each other is not emulated.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

NETWORK = "10.78.0"
PORT = 5_200
CLONE_NEWNET = 0x40000000
RECEIVE_TIMEOUT_S = 2.0
DATAGRAM_BYTES_MAX = 2_048
BURST_BYTES = 1_600
"""One packet: it leaves at once, those behind it wait until it would have been sent."""
RATES = {
    "802.11b": "11mbit",
    "802.11g": "54mbit",
    "802.11n": "600mbit",
    "802.11ac": "1300mbit",
    "802.3u": "100mbit",
    "802.3ab": "1gbit",
}


@dataclass(frozen=True, slots=True)
class Round:
    """Delays of one record in µs; jitter is how far one differs from the next on average."""

    mean_us: int
    jitter_us: int
    worst_us: int


def are_allowed() -> bool:
    """Whether this machine lets us make them; tried, not guessed."""
    if any(shutil.which(name) is None for name in ("unshare", "ip", "tc")):
        return False
    trial = "mount -t tmpfs none /run && ip netns add trial && ip link add trial type bridge"
    command = ["unshare", "-rnm", "sh", "-c", trial]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own
    return done.returncode == 0


def inside(command: Sequence[str]) -> int:
    """Run a command in a network namespace of its own; its exit status."""
    prepare = 'mount -t tmpfs none /run && ip link set lo up && exec "$@"'
    whole = ["unshare", "-rnm", "sh", "-c", prepare, "sh", *command]
    return subprocess.call(whole)  # noqa: S603 - our own words


@contextmanager
def houses(count: int, rate: str) -> Iterator[list[socket.socket]]:
    """One UDP socket per house, and the coordinator's last, each behind its own link."""
    names = [*(f"house{number}" for number in range(count)), "coordinator"]
    _run("ip link add bridge type bridge")
    _run("ip link set bridge up")
    with ExitStack() as stack:
        stack.callback(_run, "ip link del bridge")
        sockets = []
        for number, name in enumerate(names):
            _link(name, number, rate)
            stack.callback(_run, f"ip netns del {name}")
            stack.callback(_run, f"ip link del v{number}")
            sockets.append(stack.enter_context(_socket_in(name, number)))
        yield sockets


def reported(sockets: Sequence[socket.socket], size: int, rounds: int) -> Round:
    """Every house tells the coordinator its data, all at once; nobody answers."""
    *stations, coordinator = sockets
    delays = []
    for _ in range(rounds):
        for sender in stations:
            sender.sendto(_stamped(size), (f"{NETWORK}.{len(stations) + 10}", PORT))
        delays += [_delay_us(coordinator) for _ in stations]
    return _round(delays)


def decentralised(sockets: Sequence[socket.socket], size: int, rounds: int) -> Round:
    """Every house tells every other one its order, all at once."""
    stations = sockets[:-1]
    delays = []
    for _ in range(rounds):
        for index, sender in enumerate(stations):
            for other in range(len(stations)):
                if other != index:
                    sender.sendto(_stamped(size), (f"{NETWORK}.{other + 10}", PORT))
        for receiver in stations:
            delays += [_delay_us(receiver) for _ in range(len(stations) - 1)]
    return _round(delays)


def centralised(sockets: Sequence[socket.socket], size: int, rounds: int) -> Round:
    """Every house tells the coordinator its order and data; it answers each with the result."""
    *stations, coordinator = sockets
    delays = []
    for _ in range(rounds):
        for sender in stations:
            sender.sendto(_stamped(size), (f"{NETWORK}.{len(stations) + 10}", PORT))
        up = [_delay_us(coordinator) for _ in stations]
        for other in range(len(stations)):
            coordinator.sendto(_stamped(size), (f"{NETWORK}.{other + 10}", PORT))
        down = [_delay_us(receiver) for receiver in stations]
        delays += [there + back for there, back in zip(up, down, strict=True)]
    return _round(delays)


def _round(delays: Sequence[int]) -> Round:
    steps = [abs(one - other) for one, other in pairwise(delays)]
    return Round(sum(delays) // len(delays), sum(steps) // max(1, len(steps)), max(delays))


def _stamped(size: int) -> bytes:
    return time.monotonic_ns().to_bytes(8, "big").ljust(size, b"\x00")


def _delay_us(receiver: socket.socket) -> int:
    raw = receiver.recv(DATAGRAM_BYTES_MAX)
    return (time.monotonic_ns() - int.from_bytes(raw[:8], "big")) // 1_000


def _link(name: str, number: int, rate: str) -> None:
    _run(f"ip netns add {name}")
    _run(f"ip link add v{number} type veth peer name eth0 netns {name}")
    _run(f"ip link set v{number} master bridge up")
    _run(f"ip -n {name} addr add {NETWORK}.{number + 10}/24 dev eth0")
    _run(f"ip -n {name} link set eth0 up")
    for where in (f"ip netns exec {name} tc qdisc add dev eth0", f"tc qdisc add dev v{number}"):
        _run(f"{where} root tbf rate {rate} burst {BURST_BYTES} latency 100ms")


@contextmanager
def _socket_in(name: str, number: int) -> Iterator[socket.socket]:
    """A socket stays in the namespace in which it was made."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(Path("/run/netns") / name, os.O_RDONLY)
    try:
        _check(libc.setns(there, CLONE_NEWNET))
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        _check(libc.setns(home, CLONE_NEWNET))
    finally:
        os.close(home)
        os.close(there)
    with made:
        made.settimeout(RECEIVE_TIMEOUT_S)
        made.bind((f"{NETWORK}.{number + 10}", PORT))
        yield made


def _check(status: int) -> None:
    if status != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True)  # noqa: S603 - our own words
