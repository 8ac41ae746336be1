"""A node's worst hour within a heap smaller than a board's: TLS open, a day in its outbox, tier B.

The image that a board gets, with a board's TLS buffers held (`firmware/virtual/start.py`), run by
MicroPython against the bench's mosquitto: it connects, sends, and carries out a transfer.
"""

import asyncio
import json
import ssl
import tempfile
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt

from gateway.hems.firmware_meter import FIRMWARE, HEAP_KIB, interpreter, make_flash
from gateway.measuring.node_memory import KIB, READINGS_OF_A_DAY
from gateway.mqtt import topics
from gateway.mqtt.device_messages import DONE, packed
from gateway.mqtt.topics import Topic
from gateway.settings import MqttSettings

MARGIN_KIB = 12
"""The node works with so much less than a board has. On 64 bits its code takes a fifth more."""
DEVICE, ACCOUNT = "node-memory", "FON-0001-2"
RUN_S_MAX = 120.0
READINGS_FIRST, READINGS_AFTER = 30, 50
"""Sent before the transfer; and after those were called stored."""
TRANSFER_WH, POWER_MW = 5, 18_000_000
SETTLED_MS = 60_000
SETTINGS = {
    "account": ACCOUNT,
    "tier": "B",
    "sample_ms": 200,
    "measure_ms": 1_000,
    "interval_ms": 10_000,
    "outbox_records": READINGS_OF_A_DAY,
    "board": {"kind": "pc"},
}


@dataclass(frozen=True, slots=True)
class TlsNode:
    """What it did; `problem` is what it did not, empty when all went well."""

    in_use_bytes: int = 0
    free_bytes: int = 0
    problem: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it did all of it with the margin left."""
        return not self.problem

    def lines(self) -> list[str]:
        """For people."""
        heap = f"{HEAP_KIB - MARGIN_KIB} KiB ({HEAP_KIB} less a margin of {MARGIN_KIB})"
        did = (
            f"connects, sends, carries out a transfer: {self.in_use_bytes / KIB:.0f} KiB in use,"
            f" {self.free_bytes / KIB:.0f} KiB free"
        )
        return [
            f"node, tier B, a board's TLS buffers held, a day in its outbox, heap {heap}",
            f"  {self.problem or did}",
        ]


async def node_over_tls(
    mqtt: MqttSettings, gateway_token: str, community: str, *, margin_kib: int = MARGIN_KIB
) -> TlsNode | None:
    """None where MicroPython is not installed. `mqtt` signs the node in, the token the gateway."""
    if interpreter() is None:
        return None
    with tempfile.TemporaryDirectory(prefix="gridledger-node-") as name:
        flash = await make_flash(Path(name), SETTINGS | {"community": community}, mqtt)
        await _fill(flash)
        node = _Node(flash, HEAP_KIB - margin_kib)
        client = aiomqtt.Client(
            mqtt.host,
            mqtt.port,
            identifier=topics.GATEWAY,
            username=topics.GATEWAY,
            password=gateway_token,
            tls_context=ssl.create_default_context(cafile=str(mqtt.ca)),
        )
        try:
            async with asyncio.timeout(RUN_S_MAX), client:
                await client.subscribe(str(Topic(community, DEVICE, "+")), qos=1)
                await node.start()
                return await _unless_it_ends(node, _worst_hour(node, client, community))
        except TimeoutError:
            return TlsNode(problem=f"not done within {RUN_S_MAX:.0f} s: {node.last_words()}")
        finally:
            await node.kill()


async def _unless_it_ends(node: "_Node", work: Coroutine[Any, Any, TlsNode]) -> TlsNode:
    working = asyncio.create_task(work)
    try:
        await asyncio.wait({working, node.listening}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        return TlsNode(problem=f"it ended: {node.last_words()}")
    finally:
        working.cancel()


async def _fill(flash: Path) -> None:
    command = interpreter()
    assert command is not None, "asked before"
    last_ms = time.time_ns() // 1_000_000_000 * 1_000 - SETTLED_MS
    filling = await asyncio.create_subprocess_exec(
        *command,
        str(FIRMWARE / "fill_outbox.py"),
        *(str(READINGS_OF_A_DAY), str(last_ms)),
        cwd=flash,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await filling.communicate()
    if filling.returncode:
        raise OSError(f"the outbox could not be filled: {told.decode()[-1_000:]}")


async def _worst_hour(node: "_Node", client: aiomqtt.Client, community: str) -> TlsNode:
    """As its gateway: hear it, command a transfer, call some readings stored."""
    seen, is_done, stored = 0, False, False
    async for message in client.messages:
        leaf = str(message.topic).rsplit("/", 1)[-1]
        said = json.loads(bytes(message.payload or b"{}"))
        if leaf == topics.STATE and "outbox" in said and said["outbox"] < READINGS_OF_A_DAY:
            if not stored:
                return TlsNode(problem=f"its outbox holds {said['outbox']} readings only")
        elif leaf == topics.READING:
            seen += 1
            if seen == READINGS_FIRST:
                node.tell(power_mw=-POWER_MW)
                await _send(client, community, topics.COMMAND, _transfer())
        elif leaf == topics.ACKNOWLEDGEMENT and said["status"] == DONE and not stored:
            is_done = stored = True
            ranges = {"v": 1, "m": DEVICE, "seqs": [[1, READINGS_FIRST]]}
            await _send(client, community, topics.STORED, ranges)
        elif leaf == topics.ACKNOWLEDGEMENT and said["status"] not in (DONE, "accepted"):
            return TlsNode(problem=f"the transfer ended otherwise: {said.get('reason', '')}")
        if is_done and seen > READINGS_AFTER:
            break
    node.tell(memory=1)
    heap = await node.memory()
    if "MemoryError" in node.last_words():
        return TlsNode(problem=node.last_words())
    return TlsNode(heap["used"], heap["free"])


async def _send(client: aiomqtt.Client, community: str, leaf: str, said: dict[str, Any]) -> None:
    await client.publish(str(Topic(community, DEVICE, leaf)), packed(said), qos=1)


def _transfer() -> dict[str, Any]:
    now_ms = time.time_ns() // 1_000_000
    ends = {"expires": now_ms + SETTLED_MS, "until": now_ms + SETTLED_MS}
    parties = {"seller": ACCOUNT, "buyer": "FON-0002-0"}
    command = {"v": 1, "id": "t-1", "op": "transfer", "t": now_ms, "number": 1}
    return command | ends | parties | {"energy_wh": TRANSFER_WH}


class _Node:
    """The process: its lines of JSON, and what it said besides."""

    def __init__(self, flash: Path, heap_kib: int) -> None:
        self._flash, self._heap_kib = flash, heap_kib
        self._said: list[str] = []
        self._memory: asyncio.Queue[dict[str, int]] = asyncio.Queue()

    async def start(self) -> None:
        """With a heap of its own."""
        command = interpreter(self._heap_kib)
        assert command is not None, "asked before"
        self._process = await asyncio.create_subprocess_exec(
            *command,
            "main.py",
            cwd=self._flash,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self.listening = asyncio.create_task(self._listen())

    async def memory(self) -> dict[str, int]:
        """The next figures that it tells."""
        return await self._memory.get()

    def tell(self, **order: int) -> None:
        """One line on its input."""
        assert self._process.stdin is not None, "piped"
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    def last_words(self) -> str:
        """What is no JSON: a lost link, an error."""
        return " ".join(self._said[-5:]) or "it said nothing"

    async def kill(self) -> None:
        """If it was started."""
        if hasattr(self, "_process"):
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            await self.listening

    async def _listen(self) -> None:
        assert self._process.stdout is not None, "piped"
        async for raw in self._process.stdout:
            text = raw.decode().strip()
            if text.startswith('{"memory"'):
                await self._memory.put(json.loads(text)["memory"])
            elif not text.startswith("{"):
                self._said.append(text)
