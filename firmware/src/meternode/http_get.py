"""Fetching a file over HTTP/1.0, piece by piece; what it says is checked by the caller's hash."""

import asyncio

PIECE_BYTES = 512
HEADER_LINES_MAX = 40
LINE_BYTES_MAX = 512
WAIT_S = 20


class Getter:
    """`open_stream(host, port, is_tls)` makes the connection."""

    def __init__(self, open_stream):
        self._open_stream = open_stream

    async def fetch(self, url, write):
        """Give the body of a 200 answer to `write`; raises `OSError` for anything else."""
        is_tls, host, port, path = split_url(url)
        reader, writer = await asyncio.wait_for(self._open_stream(host, port, is_tls), WAIT_S)
        try:
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            await writer.drain()
            await self._read_head(reader)
            while True:
                piece = await asyncio.wait_for(reader.read(PIECE_BYTES), WAIT_S)
                if not piece:
                    return
                write(piece)
        except asyncio.TimeoutError:
            raise OSError("no answer") from None
        finally:
            writer.close()

    async def _read_head(self, reader):
        status = await asyncio.wait_for(reader.readline(), WAIT_S)
        if status.split(b" ")[1:2] != [b"200"]:
            raise OSError("the server says " + status[:LINE_BYTES_MAX].decode().strip())
        for _ in range(HEADER_LINES_MAX):
            line = await asyncio.wait_for(reader.readline(), WAIT_S)
            if line in (b"\r\n", b"\n", b""):
                return
        raise OSError("too many headers")


def split_url(url):
    """`(is_tls, host, port, path)`; raises `OSError` for what is not http or https."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("http", "https") or not rest:
        raise OSError("not a URL")
    host, _, path = rest.partition("/")
    host, _, port = host.partition(":")
    is_tls = scheme == "https"
    return is_tls, host, int(port) if port else (443 if is_tls else 80), "/" + path
