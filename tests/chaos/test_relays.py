"""Relays hold bytes while a link is cut or mute, and lose none."""

import asyncio

from tests.chaos.relays import Relay, RelayedNetwork

QUESTION, ANSWER = b"are you there", b"i am"


class Host:
    """A validator that notes what it hears and answers every time."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.ended = asyncio.Event()

    async def serve(self) -> asyncio.Server:
        return await asyncio.start_server(self._talk, "127.0.0.1", 0)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(1024):
            self.heard.put_nowait(said)
            writer.write(ANSWER)
            await writer.drain()
        writer.close()
        await writer.wait_closed()
        self.ended.set()


async def relayed(scene) -> None:
    """Run a scene with validator 0 as caller, 1 as host, and the network between them."""
    host = Host()
    server = await host.serve()
    relay = Relay(0, 1, 0, "127.0.0.1", server.sockets[0].getsockname()[1])
    network = RelayedNetwork([relay])
    await network.open()
    [listening] = network.servers
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    try:
        async with asyncio.timeout(60):
            await scene(network, host, reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()
        await network.close()
        server.close()
        await host.ended.wait()


async def is_silent(reading: asyncio.Future) -> bool:
    """Whether nothing comes although every task had its turn many times."""
    for _ in range(200):
        await asyncio.sleep(0)
    return not reading.done()


def test_an_open_relay_passes_both_ways() -> None:
    async def scene(network, host, reader, writer) -> None:
        writer.write(QUESTION)
        assert await reader.readexactly(len(ANSWER)) == ANSWER
        assert await host.heard.get() == QUESTION

    asyncio.run(relayed(scene))


def test_a_cut_holds_everything_until_it_is_healed() -> None:
    async def scene(network, host, reader, writer) -> None:
        await network.cut(1)
        writer.write(QUESTION)
        hearing = asyncio.ensure_future(host.heard.get())
        assert await is_silent(hearing)
        await network.heal(1)
        assert await hearing == QUESTION
        assert await reader.readexactly(len(ANSWER)) == ANSWER

    asyncio.run(relayed(scene))


def test_a_mute_host_hears_and_is_not_heard() -> None:
    async def scene(network, host, reader, writer) -> None:
        await network.mute(1)
        writer.write(QUESTION)
        assert await host.heard.get() == QUESTION
        answer = asyncio.ensure_future(reader.readexactly(len(ANSWER)))
        assert await is_silent(answer)
        await network.heal(1)
        assert await answer == ANSWER

    asyncio.run(relayed(scene))


def test_a_mute_caller_is_not_heard() -> None:
    async def scene(network, host, reader, writer) -> None:
        await network.mute(0)
        writer.write(QUESTION)
        hearing = asyncio.ensure_future(host.heard.get())
        assert await is_silent(hearing)
        await network.heal(0)
        assert await hearing == QUESTION

    asyncio.run(relayed(scene))
