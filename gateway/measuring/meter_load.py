"""Meters as the gateway meets them: each its key, its connection over TLS, its next readings."""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from chaincode.energy.oracle.readings import signed_message
from chaincode.energy.oracle.records import MeterReading
from gateway.mqtt.reading import encode_reading, key_id
from gateway.mqtt.topics import READING, Topic
from ledger.crypto.signing import Signer

COMMUNITY = "bench"
INTERVAL_MS = 10_000
CONNECTS_AT_ONCE = 32
KEYS_FILE = "keys.json"


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


def write_keys(folder: Path, loads: Sequence[Load]) -> None:
    """Public keys of the meters, for the gateway's side."""
    form = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    points = {load.name: load.signer.public_key.public_bytes(*form).hex() for load in loads}
    (folder / KEYS_FILE).write_text(json.dumps(points), encoding="ascii")


async def connect_all(
    loads: list[Load], port: int, tokens: dict[str, str], context: ssl.SSLContext
) -> None:
    """All of them, some at a time."""
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


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000
