"""A real HTTPS server on this machine that keeps what is posted to it."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from network.certificates.gateway_tls import write_gateway_tls

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Posted:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Receiver:
    """`answer` is the status of every request; `location` where a redirect leads."""

    def __init__(self, folder: Path) -> None:
        files = write_gateway_tls(folder, [HOST], now=datetime.now(tz=UTC))
        self.ca = Path(files["ca"])
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(files["certificate"], files["key"])
        self.posted: list[Posted] = []
        self.connections = 0
        self.answer = 204
        self.location = ""
        self.url = ""

    @asynccontextmanager
    async def serving(self):
        server = await asyncio.start_server(self._serve, HOST, 0, ssl=self._tls)
        self.url = f"https://{HOST}:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {
                name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
            }
            body = await reader.readexactly(int(headers["content-length"]))
            self.posted.append(Posted(first.split()[1], headers, body))
            leads = f"Location: {self.location}\r\n" if self.location else ""
            writer.write(f"HTTP/1.1 {self.answer} X\r\n{leads}Content-Length: 0\r\n\r\n".encode())
            await writer.drain()
        finally:
            writer.close()
