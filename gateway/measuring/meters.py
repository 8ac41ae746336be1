"""Meters in numbers: how much of a core the gateway needs, and how fast a burst is absorbed.

    python -m gateway.measuring.meters FOLDER --meters 2000    (`gridledger bench meters`)

FOLDER holds the broker's certificate, and in `ledger.json` a running network and its oracle. Real
parts: mosquitto with the shipped configuration over TLS, one connection per meter with its own
token and topics, signed readings (tier B), the gateway's collector in a process of its own, its
database, its anchors on the ledger; and the firmware on MicroPython with a day in its outbox, also
connected to that mosquitto with a smaller heap than a board's.
"""

import argparse
import asyncio
import json
import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.database import open_database
from gateway.hems.anchoring import AnchorBook
from gateway.measuring.anchoring_oracle import anchoring_oracle
from gateway.measuring.meter_collecting import DATABASE
from gateway.measuring.meter_load import (
    COMMUNITY,
    INTERVAL_MS,
    Load,
    connect_all,
    now_ms,
    write_keys,
)
from gateway.measuring.node_memory import NodeMemory, measured_node
from gateway.measuring.node_over_tls import DEVICE, TlsNode, node_over_tls
from gateway.measuring.process_time import process_cpu_s
from gateway.mqtt.mosquitto import Listening, write_broker
from gateway.mqtt.topics import GATEWAY
from gateway.settings import MqttSettings
from ledger.crypto.signing import Signer, generate_key

TICK_S = 0.1
START_S = 20.0
ABSORB_S = 180.0
OPEN_FILES = 8_192
BEHIND_MS = 60_000
SECONDS_MIN = 60
"""Of steady load: a shorter one would be over before the first anchors."""
EXIT_MISSED = 1
CPU_GOAL, BURST_GOAL_S = 0.60, 60.0


@dataclass(frozen=True, slots=True)
class Steady:
    """Every meter once per interval: readings, and CPU as a share of one core.

    Counted is the CPU until the last of them is stored and anchored, over the time in which they
    were sent: what was put off costs what it costs.
    """

    sent: int
    stored: int
    gateway: float
    broker: float


@dataclass(frozen=True, slots=True)
class Burst:
    """Readings that waited at the broker while the gateway was away."""

    queued: int
    absorbed: int
    elapsed_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Nodes:
    """A node's memory, without and with its link; None: MicroPython is missing."""

    offline: NodeMemory | None
    linked: TlsNode | None

    @property
    def is_good(self) -> bool:
        """Both were measured, and both fit."""
        return all(node is not None and node.is_good for node in (self.offline, self.linked))

    def lines(self) -> list[str]:
        """For people."""
        if self.offline is None or self.linked is None:
            return ["node memory: not measured, MicroPython is missing"]
        return [*self.offline.lines(), *self.linked.lines()]


def main() -> int:
    """Run the bench; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="gridledger bench meters", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--meters", type=int, default=2_000)
    parser.add_argument("--seconds", type=_seconds, default=SECONDS_MIN)
    parser.add_argument("--burst", type=int, default=30_000)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--program", default="mosquitto")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, OPEN_FILES), hard), hard))
    try:
        return asyncio.run(_bench(options))
    except TimeoutError:
        sys.stdout.write(
            f"goals MISSED: not all was stored and anchored within {ABSORB_S:.0f} s\n"
        )
        return EXIT_MISSED


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < SECONDS_MIN:
        raise argparse.ArgumentTypeError(f"at least {SECONDS_MIN}")
    return int(text)


async def _bench(options: argparse.Namespace) -> int:
    folder = options.folder.absolute()
    port = options.port or _free_port()
    loads = [Load(f"meter-{n:05}", Signer(generate_key())) for n in range(options.meters)]
    names = [*(load.name for load in loads), DEVICE]
    tokens = write_broker(folder, COMMUNITY, names, Listening(port=port))
    write_keys(folder, loads)
    configuration = str(folder / "mosquitto.conf")
    broker = await asyncio.create_subprocess_exec(
        options.program, "-c", configuration, stderr=subprocess.DEVNULL
    )
    try:
        await _until_listening(port)
        gateway = _Gateway(folder, port, broker.pid)
        steady, burst = await _phases(options, gateway, loads, tokens)
        mqtt = MqttSettings("127.0.0.1", port, folder / "ca.crt", DEVICE, tokens[DEVICE])
        linked = await node_over_tls(mqtt, tokens[GATEWAY], COMMUNITY)
    finally:
        broker.terminate()
        await broker.wait()
    anchored = await _anchored(folder)
    return _report(options, steady, burst, anchored, Nodes(await measured_node(), linked))


async def _phases(
    options: argparse.Namespace, gateway: "_Gateway", loads: list[Load], tokens: dict[str, str]
) -> tuple[Steady, Burst]:
    base_ms = now_ms() - BEHIND_MS
    rounds = options.seconds * 1_000 // INTERVAL_MS
    burst_each = -(-options.burst // options.meters)
    for load in loads:
        for _ in range(rounds + burst_each):
            load.make(base_ms)
    await gateway.start()
    context = ssl.create_default_context(cafile=str(gateway.folder / "ca.crt"))
    await connect_all(loads, gateway.port, tokens, context)
    steady = await _steady(loads, rounds, gateway)
    await gateway.stop()
    burst = await _burst(loads, burst_each, gateway, stored_before=rounds * len(loads))
    await gateway.until(lambda: gateway.anchored >= gateway.stored)
    await gateway.stop()
    for load in loads:
        assert load.writer is not None, "connected"
        load.writer.close()
    return steady, burst


async def _steady(loads: list[Load], rounds: int, gateway: "_Gateway") -> Steady:
    """Every meter once per interval, evenly spread."""
    begun, before = time.monotonic(), (gateway.cpu_s, gateway.broker_cpu_s())
    slots = int(INTERVAL_MS / 1_000 / TICK_S)
    for tick in range(rounds * slots):
        for load in loads[tick % slots :: slots]:
            load.send()
        await asyncio.sleep(max(0.0, begun + (tick + 1) * TICK_S - time.monotonic()))
    elapsed_s = time.monotonic() - begun
    sent = rounds * len(loads)
    await gateway.until(lambda: gateway.stored >= sent and gateway.anchored >= sent)
    own, brokers = gateway.cpu_s - before[0], gateway.broker_cpu_s() - before[1]
    return Steady(sent, gateway.stored, own / elapsed_s, brokers / elapsed_s)


async def _burst(
    loads: list[Load], each: int, gateway: "_Gateway", *, stored_before: int
) -> Burst:
    """The gateway is away while readings queue at the broker; then it comes back."""
    before = sum(load.confirmed for load in loads)
    for _ in range(each):
        for load in loads:
            load.send()
        await asyncio.sleep(0)
    queued = each * len(loads)
    async with asyncio.timeout(ABSORB_S):
        while sum(load.confirmed for load in loads) < before + queued:  # noqa: ASYNC110
            await asyncio.sleep(TICK_S)  # of 2,000 counters
    begun, broker_before_s = time.monotonic(), gateway.broker_cpu_s()
    await gateway.start()
    await gateway.until(lambda: gateway.stored >= stored_before + queued)
    elapsed_s = time.monotonic() - begun
    cpu_s = gateway.cpu_s + gateway.broker_cpu_s() - broker_before_s
    return Burst(queued, gateway.stored - stored_before, elapsed_s, cpu_s)


async def _anchored(folder: Path) -> int:
    """Rows that the ledger has an anchor of, and that are as they were anchored."""
    async with anchoring_oracle(folder) as oracle:
        return await oracle.anchored_rows(
            AnchorBook(open_database(f"sqlite:///{folder / DATABASE}"))
        )


class _Gateway:
    """The collector's process; it tells twice a second what is stored and what it took."""

    def __init__(self, folder: Path, port: int, broker_pid: int) -> None:
        self.folder = folder
        self.port = port
        self._broker_pid = broker_pid
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._told = asyncio.Condition()
        self.stored, self.anchored, self.cpu_s = 0, 0, 0.0
        self.is_subscribed = False

    async def start(self) -> None:
        """Return when it has subscribed."""
        self.cpu_s, self.is_subscribed = 0.0, False
        command = [sys.executable, "-m", "gateway.measuring.meter_collecting"]
        self._process = await asyncio.create_subprocess_exec(
            *command, str(self.folder), str(self.port), stdout=subprocess.PIPE
        )
        self._reader = asyncio.create_task(self._read())
        async with asyncio.timeout(START_S * 3), self._told:
            await self._told.wait_for(lambda: self.is_subscribed)

    async def stop(self) -> None:
        """As a restart would."""
        assert self._process is not None, "started"
        self._process.terminate()
        await self._process.wait()
        if self._reader is not None:
            await self._reader

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Return when it has told so, or raise TimeoutError."""
        async with asyncio.timeout(ABSORB_S), self._told:
            await self._told.wait_for(is_so)

    def broker_cpu_s(self) -> float:
        """Of mosquitto, since it began."""
        return process_cpu_s(self._broker_pid)

    async def _read(self) -> None:
        assert self._process is not None, "started"
        assert self._process.stdout is not None, "piped"
        async for line in self._process.stdout:
            told = json.loads(line)
            async with self._told:
                self.stored, self.cpu_s = told["stored"], told["cpu_s"]
                self.anchored, self.is_subscribed = told["anchored"], True
                self._told.notify_all()


async def _until_listening(port: int) -> None:
    async with asyncio.timeout(START_S):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(TICK_S)


def _report(
    options: argparse.Namespace,
    steady: Steady,
    burst: Burst,
    anchored: int,
    nodes: Nodes,
) -> int:
    sent = steady.sent + burst.queued
    lost = sent - steady.stored - burst.absorbed
    core = steady.gateway + steady.broker
    is_fast = core < CPU_GOAL and burst.elapsed_s < BURST_GOAL_S
    is_good = is_fast and lost == 0 == sent - anchored and nodes.is_good
    every_s = INTERVAL_MS // 1_000
    share = f"gateway {100 * steady.gateway:.0f} %, broker {100 * steady.broker:.0f} %"
    lines = [
        f"{options.meters} meters, a signed reading each every {every_s} s, TLS, mosquitto",
        f"  steady    {steady.sent} sent, {steady.stored} stored, all anchored",
        f"            {100 * core:.0f} % of one core (goal < {100 * CPU_GOAL:.0f} %): {share}",
        "            until all of it was stored and anchored",
        f"  burst     {burst.queued} queued, {burst.absorbed} absorbed",
        f"            {burst.elapsed_s:.1f} s from its start (goal < {BURST_GOAL_S:.0f} s)",
        f"            {burst.cpu_s:.1f} s of CPU, gateway and broker",
        f"  anchors   {anchored} readings under anchors on the ledger",
        f"  lost      {lost}",
        *nodes.lines(),
        f"goals {'met' if is_good else 'MISSED'}",
    ]
    sys.stdout.write("\n".join([*lines, ""]))
    return 0 if is_good else EXIT_MISSED


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
