"""`python -m gateway.measuring.open_streams URL COUNT`: clients that keep a stream of events open.

Prints a line of JSON when all are open; then, for every line on standard input, one with how many
streams have had an event since the line before; ends with its input.
"""

import asyncio
import json
import sys
from contextlib import suppress
from urllib.parse import urlsplit

from gateway.measuring.addresses import source_address

OPEN_TIMEOUT_S = 60
EVENT_TIMEOUT_S = 30
OPENING_AT_ONCE = 20
EVENT_LINE = b"event: block"


class Stream:
    """One client."""

    def __init__(self) -> None:
        self.had_event = asyncio.Event()

    async def open(self, url: str, number: int) -> asyncio.StreamWriter:
        """Connect and ask; returns once the gateway answers with 200."""
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(
            parts.hostname, parts.port, local_addr=(source_address(number), 0)
        )
        head = f"GET /v1/events HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
        writer.write(head.encode())
        status = await reader.readline()
        if b" 200 " not in status:
            raise ConnectionError(f"stream {number}: {status!r}")
        self._reading = asyncio.ensure_future(self._read(reader))
        return writer

    async def close(self) -> None:
        """Stop reading."""
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            if line.startswith(EVENT_LINE):
                self.had_event.set()


async def keep_open(url: str, count: int) -> None:
    """Open all, then answer the lines of standard input."""
    streams = [Stream() for _ in range(count)]
    places = asyncio.Semaphore(OPENING_AT_ONCE)

    async def opened(number: int) -> asyncio.StreamWriter:
        async with places:
            return await streams[number].open(url, number)

    async with asyncio.timeout(OPEN_TIMEOUT_S):
        writers = await asyncio.gather(*(opened(number) for number in range(count)))
    _say({"open": len(writers)})
    while await asyncio.to_thread(sys.stdin.readline):
        waiting = [asyncio.ensure_future(stream.had_event.wait()) for stream in streams]
        had, late = await asyncio.wait(waiting, timeout=EVENT_TIMEOUT_S)
        for one in late:
            one.cancel()
        for stream in streams:
            stream.had_event.clear()
        _say({"had_event": len(had)})
    for stream, writer in zip(streams, writers, strict=True):
        await stream.close()
        writer.close()


def _say(content: dict[str, int]) -> None:
    print(json.dumps(content), flush=True)  # noqa: T201 - a command


def main() -> int:
    """Run until standard input ends."""
    _, url, count = sys.argv
    asyncio.run(keep_open(url, int(count)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
