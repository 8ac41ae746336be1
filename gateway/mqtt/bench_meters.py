"""Meters in numbers: how much of a core the gateway needs, and how fast a burst is absorbed.

    python -m gateway.mqtt.bench_meters FOLDER --meters 2000    (`gridledger bench meters`)

FOLDER holds the broker's certificate. Real parts: mosquitto with the shipped configuration over
TLS, one connection per meter with its own token and topics, signed readings (tier B), the
gateway's collector in a process of its own, its database, batches of anchors. Only the ledger is
missing: an anchor is built and stored, and not sent, since it is one transaction a minute.
"""

import argparse
import asyncio
import base64
import json
import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chaincode.energy.oracle.readings import signed_message
from chaincode.energy.oracle.records import MeterReading
from gateway.database import migrate, open_database
from gateway.hems.anchored_rows import READINGS
from gateway.hems.anchoring import AnchorBook
from gateway.hems.batteries import BatteryStore
from gateway.hems.plausibility import Limits
from gateway.hems.running import open_service
from gateway.mqtt.collector import Collector, keep_collecting
from gateway.mqtt.mosquitto import Listening, write_broker
from gateway.mqtt.reading import encode_reading, key_id
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.topics import READING, Topic
from gateway.settings import MqttSettings
from ledger.crypto.signing import Signer, generate_key

COMMUNITY = "bench"
INTERVAL_MS = 10_000
TICK_S = 0.1
REPORT_S = 0.5
ANCHOR_S = 10.0
START_S = 20.0
ABSORB_S = 180.0
CONNECTS_AT_ONCE = 32
OPEN_FILES = 8_192
BEHIND_MS = 60_000
CPU_GOAL, BURST_GOAL_S = 0.60, 60.0


@dataclass(slots=True)
class Load:
    """One meter: its key, its connection, its next reading."""

    name: str
    signer: Signer
    seq: int = 0
    writer: asyncio.StreamWriter | None = None
    confirmed: int = 0
    ready: list[bytes] = field(default_factory=list)
    listener: asyncio.Task[None] | None = None

    def make(self, base_ms: int) -> None:
        """Sign the next reading ahead of time; signing is the meter's work, not the gateway's."""
        self.seq += 1
        unsigned = MeterReading(
            self.name, self.seq, base_ms + self.seq * INTERVAL_MS, self.seq, 0, "measured", ""
        )
        signature = base64.b64encode(self.signer.sign(signed_message(unsigned))).decode()
        signed = replace(unsigned, signature=signature)
        raw = encode_reading(signed, key_id(self.signer.public_key))
        self.ready.append(_publish(str(Topic(COMMUNITY, self.name, READING)), raw, self.seq))

    def send(self) -> None:
        """Publish what was made first."""
        assert self.writer is not None, "connected"
        self.writer.write(self.ready.pop(0))


def main() -> int:
    """Run the bench, or with --collect the gateway's side of it."""
    parser = argparse.ArgumentParser(prog="gridledger bench meters", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--meters", type=int, default=2_000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--burst", type=int, default=30_000)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--program", default="mosquitto")
    parser.add_argument("--collect", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.collect:
        asyncio.run(_collect(options.folder, options.port))
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, OPEN_FILES), hard), hard))
    return asyncio.run(_bench(options))


async def _bench(options: argparse.Namespace) -> int:
    folder = options.folder.absolute()
    port = options.port or _free_port()
    loads = [Load(f"meter-{n:05}", Signer(generate_key())) for n in range(options.meters)]
    tokens = write_broker(folder, COMMUNITY, [load.name for load in loads], Listening(port=port))
    _write_keys(folder, loads)
    configuration = str(folder / "mosquitto.conf")
    broker = await asyncio.create_subprocess_exec(
        options.program, "-c", configuration, stderr=subprocess.DEVNULL
    )
    try:
        await _until_listening(port)
        return await _phases(options, folder, port, loads, tokens)
    finally:
        broker.terminate()
        await broker.wait()


async def _phases(
    options: argparse.Namespace,
    folder: Path,
    port: int,
    loads: list[Load],
    tokens: dict[str, str],
) -> int:
    base_ms = _now_ms() - BEHIND_MS
    rounds = options.seconds * 1_000 // INTERVAL_MS
    burst_each = -(-options.burst // options.meters)
    for load in loads:
        for _ in range(rounds + burst_each):
            load.make(base_ms)
    gateway = _Gateway(folder, port)
    await gateway.start()
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    await _connect_all(loads, port, tokens, context)
    steady = await _steady(loads, rounds, gateway)
    await gateway.stop()
    burst = await _burst(loads, burst_each, gateway, stored_before=rounds * len(loads))
    await gateway.stop()
    for load in loads:
        assert load.writer is not None, "connected"
        load.writer.close()
    return _report(options, steady, burst)


async def _steady(loads: list[Load], rounds: int, gateway: "_Gateway") -> dict[str, float]:
    """Every meter once per interval, evenly spread."""
    begun, cpu_before = time.monotonic(), gateway.cpu_s
    slots = int(INTERVAL_MS / 1_000 / TICK_S)
    for tick in range(rounds * slots):
        for load in loads[tick % slots :: slots]:
            load.send()
        await asyncio.sleep(max(0.0, begun + (tick + 1) * TICK_S - time.monotonic()))
    elapsed_s, cpu_s = time.monotonic() - begun, gateway.cpu_s - cpu_before
    await gateway.until_stored(rounds * len(loads))
    return {
        "sent": rounds * len(loads),
        "stored": gateway.stored,
        "elapsed_s": elapsed_s,
        "core": cpu_s / elapsed_s,
    }


async def _burst(
    loads: list[Load], each: int, gateway: "_Gateway", *, stored_before: int
) -> dict[str, float]:
    """The gateway is away while readings queue at the broker; then it comes back."""
    before = sum(load.confirmed for load in loads)
    for _ in range(each):
        for load in loads:
            load.send()
        await asyncio.sleep(0)
    wanted = before + each * len(loads)
    async with asyncio.timeout(ABSORB_S):
        while sum(load.confirmed for load in loads) < wanted:  # noqa: ASYNC110 - 2,000 counters
            await asyncio.sleep(TICK_S)
    begun = time.monotonic()
    await gateway.start()
    await gateway.until_stored(stored_before + each * len(loads))
    return {
        "queued": each * len(loads),
        "absorbed": gateway.stored - stored_before,
        "elapsed_s": time.monotonic() - begun,
        "cpu_s": gateway.cpu_s,
        "anchored_batches": gateway.batches,
    }


class _Gateway:
    """The collector's process; it tells twice a second what is stored and what it took."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._told = asyncio.Condition()
        self.stored, self.cpu_s, self.batches = 0, 0.0, 0
        self.is_subscribed = False

    async def start(self) -> None:
        """Return when it has subscribed."""
        self.cpu_s, self.is_subscribed = 0.0, False
        command = [sys.executable, "-m", "gateway.mqtt.bench_meters", str(self._folder)]
        self._process = await asyncio.create_subprocess_exec(
            *command, "--collect", "--port", str(self._port), stdout=subprocess.PIPE
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

    async def until_stored(self, count: int) -> None:
        """Return when so many are stored, or raise TimeoutError."""
        async with asyncio.timeout(ABSORB_S), self._told:
            await self._told.wait_for(lambda: self.stored >= count)

    async def _read(self) -> None:
        assert self._process is not None, "started"
        assert self._process.stdout is not None, "piped"
        async for line in self._process.stdout:
            told = json.loads(line)
            async with self._told:
                self.stored, self.cpu_s = told["stored"], told["cpu_s"]
                self.batches, self.is_subscribed = told["batches"], True
                self._told.notify_all()


async def _collect(folder: Path, port: int) -> None:
    """What the gateway's process does with meters, and nothing else."""
    database = open_database(f"sqlite:///{folder / 'bench.db'}")
    migrate(database)
    service = open_service(
        database, BatteryStore(), Limits(interval_ms=INTERVAL_MS), now_ms=_now_ms()
    )
    collector = Collector(
        service, ReadingCheck(_Keys(folder)), community=COMMUNITY, clock_ms=_now_ms
    )
    token = json.loads((folder / "tokens.json").read_text(encoding="ascii"))["gateway"]
    settings = MqttSettings("127.0.0.1", port, folder / "ca.crt", "gateway", token)
    book = AnchorBook(database)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_collecting(lambda: collector.run(settings)))
        tasks.create_task(_anchor(book))
        tasks.create_task(_tell(service.stores.series.count, book))


async def _anchor(book: AnchorBook) -> None:
    while True:
        await asyncio.sleep(ANCHOR_S)
        batch = await asyncio.to_thread(book.next_batch, READINGS)
        if batch is not None:
            await asyncio.to_thread(book.anchored, batch, "not sent")


async def _tell(count: object, book: AnchorBook) -> None:
    assert callable(count)
    while True:
        await asyncio.sleep(REPORT_S)
        stored = await asyncio.to_thread(count)
        told = {"stored": stored, "cpu_s": time.process_time(), "batches": book.count(READINGS)}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


class _Keys:
    """Public keys of the bench's meters."""

    def __init__(self, folder: Path) -> None:
        content = json.loads((folder / "keys.json").read_text(encoding="ascii"))
        curve = ec.SECP256R1()
        self._keys = {
            name: ec.EllipticCurvePublicKey.from_encoded_point(curve, bytes.fromhex(point))
            for name, point in content.items()
        }

    def public_key(self, meter_id: str) -> ec.EllipticCurvePublicKey | None:
        """See `gateway.mqtt.reading_check.MeterKeys`."""
        return self._keys.get(meter_id)


def _write_keys(folder: Path, loads: Sequence[Load]) -> None:
    form = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    points = {load.name: load.signer.public_key.public_bytes(*form).hex() for load in loads}
    (folder / "keys.json").write_text(json.dumps(points), encoding="ascii")


async def _connect_all(
    loads: list[Load], port: int, tokens: dict[str, str], context: ssl.SSLContext
) -> None:
    slots = asyncio.Semaphore(CONNECTS_AT_ONCE)

    async def connect(load: Load) -> None:
        async with slots:
            reader, load.writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            load.writer.write(_connect(load.name, tokens[load.name]))
            assert await reader.readexactly(4) == b"\x20\x02\x00\x00", "the broker refused"
            load.listener = asyncio.create_task(_count_confirmed(load, reader))

    await asyncio.gather(*(connect(load) for load in loads))


async def _count_confirmed(load: Load, reader: asyncio.StreamReader) -> None:
    """PUBACK packets are four bytes each; nothing else comes on these connections."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            await reader.readexactly(4)
            load.confirmed += 1


def _connect(name: str, token: str) -> bytes:
    body = b"\x00\x04MQTT\x04\xc2\x00\x00" + _text(name) + _text(name) + _text(token)
    return b"\x10" + _length(len(body)) + body


def _publish(topic: str, payload: bytes, packet_id: int) -> bytes:
    body = _text(topic) + packet_id.to_bytes(2, "big") + payload
    return b"\x32" + _length(len(body)) + body


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


def _length(count: int) -> bytes:
    out = bytearray()
    while True:
        count, low = divmod(count, 128)
        out.append(low | (0x80 if count else 0))
        if not count:
            return bytes(out)


async def _until_listening(port: int) -> None:
    async with asyncio.timeout(START_S):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(TICK_S)


def _report(options: argparse.Namespace, steady: dict[str, float], burst: dict[str, float]) -> int:
    lost = steady["sent"] - steady["stored"] + burst["queued"] - burst["absorbed"]
    is_good = steady["core"] < CPU_GOAL and burst["elapsed_s"] < BURST_GOAL_S and lost == 0
    every_s = INTERVAL_MS // 1_000
    lines = [
        f"{options.meters} meters, a signed reading each every {every_s} s, TLS, mosquitto",
        f"  steady    {steady['sent']:.0f} sent, {steady['stored']:.0f} stored",
        f"            {100 * steady['core']:.0f} % of one core (goal < {100 * CPU_GOAL:.0f} %)",
        f"  burst     {burst['queued']:.0f} queued, {burst['absorbed']:.0f} absorbed",
        f"            {burst['elapsed_s']:.1f} s with the gateway's start (goal < 60 s)",
        f"            {burst['cpu_s']:.1f} s of CPU",
        f"  anchors   {burst['anchored_batches']:.0f} batches",
        f"  lost      {lost:.0f}",
        f"  goals     {'met' if is_good else 'MISSED'}",
    ]
    sys.stdout.write("\n".join([*lines, ""]))
    return 0 if is_good else 1


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    sys.exit(main())
