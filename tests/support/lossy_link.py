"""What lies between a client and a real MQTT broker and loses packets of it, seeded.

A proxy that ends TLS on both sides, so it sees single MQTT packets. Of those it loses, half vanish
with all that follows in their direction until the connection is reset some seconds later, as on a
line that fails; the others vanish alone, which TCP would not do: harder than any line.
"""

import asyncio
import random
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
FAILING_LINE_SHARE = 0.5
"""Of lost packets, those that take the connection with them."""
STALL_S_MAX = 3.0
GONE = (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, TimeoutError, OSError)
HOST = "127.0.0.1"


class LossyLink:
    """Listens at `port` once entered; `loss` from 0 to 1 and `is_open` may change at any time."""

    def __init__(
        self,
        folder: Path,
        broker_port: int,
        seed: str,
        *,
        loses: Callable[[int], bool] = lambda _: True,
    ) -> None:
        """`folder`: of the broker, with its certificate. `loses`: which kinds of packets."""
        self._server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server_tls.load_cert_chain(folder / "broker.crt", folder / "broker.key")
        self._client_tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        self._broker_port = broker_port
        self._random = random.Random(seed)
        self._loses = loses
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.loss = 0.0
        self.is_open = True
        self.is_mute = False
        """Nothing of the client's reaches the broker; what the broker sends still arrives."""
        self.seen = self.lost = 0
        """Packets of the kinds that may be lost while `loss` was not zero."""
        self.on_lost: Callable[[], None] = lambda: None
        self.on_heard: Callable[[], None] = lambda: None
        """Called when a packet of the broker was passed on."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, 0, ssl=self._server_tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.cut()
        await self._server.wait_closed()

    async def cut(self) -> None:
        """Every connection ends now, with what is on its way."""
        while self._serving:
            for task in self._serving:
                task.cancel()
            await asyncio.wait(self._serving)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        pumps: list[asyncio.Task[None]] = []
        try:
            with suppress(*GONE):
                if not self.is_open:
                    return
                there, back = await asyncio.open_connection(
                    HOST, self._broker_port, ssl=self._client_tls
                )
                writers.append(back)
                pumps.append(asyncio.create_task(self._pump(reader, back, is_up=True)))
                pumps.append(asyncio.create_task(self._pump(there, writer, is_up=False)))
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for each in writers:
                each.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_up: bool
    ) -> None:
        with suppress(*GONE):
            while True:
                kind, packet = await _packet(reader)
                if self.loss and self._loses(kind):
                    self.seen += 1
                    if self._random.random() < self.loss:
                        self.lost += 1
                        self.on_lost()
                        if self._random.random() < FAILING_LINE_SHARE:
                            await asyncio.sleep(self._random.uniform(0, STALL_S_MAX))
                            return
                        continue
                if is_up and self.is_mute:
                    continue
                writer.write(packet)
                await writer.drain()
                if not is_up:
                    self.on_heard()


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Kind and bytes of the next MQTT packet (MQTT 3.1.1, 2.2)."""
    raw = await reader.readexactly(1)
    length = shift = 0
    while True:
        byte = await reader.readexactly(1)
        raw += byte
        length |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            break
    return raw[0] >> 4, raw + (await reader.readexactly(length) if length else b"")
