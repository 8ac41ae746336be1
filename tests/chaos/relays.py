"""A TCP relay in front of every validator for each of the others, whose rules change.

For machines without network namespaces. Held bytes are not lost: as in TCP over a cut cable they
arrive when the cable is whole again.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

CHUNK_BYTES = 65_536
SLOW_S = 0.08


@dataclass
class Gate:
    """What one direction of one link does with bytes."""

    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    delay_s: float = 0.0

    def __post_init__(self) -> None:
        self.is_open.set()

    async def pass_through(self) -> None:
        """Returns when bytes may go on."""
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        await self.is_open.wait()


@dataclass
class Relay:
    """`source` reaches `target` here; both are indexes of validators."""

    source: int
    target: int
    port: int
    target_host: str
    target_port: int
    there: Gate = field(default_factory=Gate)
    back: Gate = field(default_factory=Gate)
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def close(self) -> None:
        """End every connection."""
        ending = list(self.connections)
        for connection in ending:
            connection.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def serve(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._relay(reader, writer))
        self.connections.add(connection)
        connection.add_done_callback(self.connections.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        pumps: list[asyncio.Task[None]] = []
        try:
            await self.there.pass_through()
            far_reader, far_writer = await asyncio.open_connection(
                self.target_host, self.target_port
            )
            ends.append(far_writer)
            pumps = [
                asyncio.create_task(_pump(reader, far_writer, self.there)),
                asyncio.create_task(_pump(far_reader, writer, self.back)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            return  # the target does not run: its caller hears of it by the closed connection
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for end in ends:
                end.close()
            await asyncio.gather(*(end.wait_closed() for end in ends), return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: Gate) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(CHUNK_BYTES):
            await gate.pass_through()
            writer.write(chunk)
            await writer.drain()


@dataclass
class RelayedNetwork:
    """Implements `perturbations.Wires` with relays."""

    relays: list[Relay]
    servers: list[asyncio.Server] = field(default_factory=list)

    async def open(self) -> None:
        self.servers = [await relay.serve() for relay in self.relays]

    async def close(self) -> None:
        for server in self.servers:
            server.close()
        await asyncio.gather(*(relay.close() for relay in self.relays))

    async def cut(self, index: int) -> None:
        for relay in self._of(index):
            relay.there.is_open.clear()
            relay.back.is_open.clear()

    async def mute(self, index: int) -> None:
        for relay in self._of(index):
            outgoing = relay.there if relay.source == index else relay.back
            outgoing.is_open.clear()

    async def slow(self, index: int) -> None:
        for relay in self._of(index):
            relay.there.delay_s = relay.back.delay_s = SLOW_S

    async def heal(self, index: int) -> None:
        for relay in self._of(index):
            for gate in (relay.there, relay.back):
                gate.is_open.set()
                gate.delay_s = 0.0

    def _of(self, index: int) -> Iterator[Relay]:
        return (relay for relay in self.relays if index in (relay.source, relay.target))
