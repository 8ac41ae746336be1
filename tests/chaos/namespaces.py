"""Every validator in a network namespace of its own, joined by a bridge: real cuts of real links.

The whole run moves into a namespace of its own first (`unshare`), so nothing of the machine's
network is touched and everything is gone when the run ends. No right is needed beyond that of
making user namespaces.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

INSIDE_VARIABLE = "GRIDLEDGER_CHAOS_NAMESPACE"
NETWORK = "10.77.0"
BRIDGE = "chaos"


def are_allowed() -> bool:
    """Whether this machine lets us make them; tried, not guessed."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    trial = "mount -t tmpfs none /run && ip netns add trial && ip link add trial type bridge"
    command = ["unshare", "-rnm", "sh", "-c", trial]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def is_inside() -> bool:
    return INSIDE_VARIABLE in os.environ


def enter(arguments: Sequence[str]) -> int:
    """Run this command again inside a namespace of its own; its exit status."""
    inside = 'mount -t tmpfs none /run && ip link set lo up && exec "$@"'
    command = ["unshare", "-rnm", "sh", "-c", inside, "sh"]
    command += [sys.executable, "-m", "tests.chaos", *arguments]
    return subprocess.call(command, env={**os.environ, INSIDE_VARIABLE: "1"})


def address(index: int) -> str:
    return f"{NETWORK}.{index + 1}"


def prefix(index: int) -> list[str]:
    """What runs a command inside that validator's namespace."""
    return ["ip", "netns", "exec", f"v{index}"]


class NamespacedNetwork:
    """Implements `perturbations.Wires` with links and routes."""

    def __init__(self, validators: int) -> None:
        self._validators = validators

    async def open(self) -> None:
        await _run(f"ip link add {BRIDGE} type bridge")
        await _run(f"ip addr add {NETWORK}.254/24 dev {BRIDGE}")
        await _run(f"ip link set {BRIDGE} up")
        for index in range(self._validators):
            await _run(f"ip netns add v{index}")
            await _run(f"ip link add link{index} type veth peer name eth0 netns v{index}")
            await _run(f"ip link set link{index} master {BRIDGE} up")
            await _inside(index, f"ip addr add {address(index)}/24 dev eth0")
            await _inside(index, "ip link set eth0 up")
            await _inside(index, "ip link set lo up")

    async def close(self) -> None:
        """Everything goes with the surrounding namespace."""

    async def cut(self, index: int) -> None:
        await _run(f"ip link set link{index} down")

    async def mute(self, index: int) -> None:
        """What it sends goes nowhere; what others send arrives."""
        for other in range(self._validators):
            if other != index:
                await _inside(index, f"ip route add blackhole {address(other)}/32")

    async def slow(self, index: int) -> None:
        """Kernels without a delaying queue cannot; a short cut is as near as it gets."""
        await self.cut(index)
        await asyncio.sleep(SHORT_CUT_S)
        await self.heal(index)

    async def heal(self, index: int) -> None:
        await _run(f"ip link set link{index} up")
        for other in range(self._validators):
            if other != index:
                await _inside(index, f"ip route del blackhole {address(other)}/32", check=False)


SHORT_CUT_S = 0.5


async def _inside(index: int, command: str, *, check: bool = True) -> None:
    await _run(" ".join((*prefix(index), command)), check=check)


async def _run(command: str, *, check: bool = True) -> None:
    process = await asyncio.create_subprocess_exec(
        *command.split(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    if check and process.returncode != 0:
        raise OSError(f"{command}: {output.decode(errors='replace').strip()}")
