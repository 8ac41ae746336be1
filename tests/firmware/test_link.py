"""The node's link to a broker that does its part badly; the firmware's own files on CPython."""

import asyncio
import sys

import pytest

from tests.firmware.interpreter import FIRMWARE
from tests.support.paced_loop import paced_loop, run_paced

sys.path[:0] = [str(FIRMWARE)]

from meternode import mqtt_packets as packets  # noqa: E402
from meternode.link import SIGN_IN_S, Link  # noqa: E402

SPEED = 50
CONNACK = bytes((packets.CONNACK << 4, 2, 0, 0))


def test_a_broker_that_sends_messages_but_never_grants_the_topics_is_given_up():
    """Else a node would obey commands for ever and answer none."""
    heard: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packets.read_packet(reader)
        writer.write(CONNACK)
        await packets.read_packet(reader)  # SUBSCRIBE
        while not writer.is_closing():
            writer.write(at_most_once())
            await asyncio.sleep(1)
        writer.transport.abort()

    async def play() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            link = Link(
                open_stream=lambda: asyncio.open_connection("127.0.0.1", port),
                identity=("node-1", "token"),
                will=("rec/val/node-1/state", b"{}"),
                on_message=lambda topic, _: heard.append(topic),
                ticks_ms=paced_loop().elapsed_ms,
            )
            with pytest.raises(OSError, match="the broker is silent"):
                await link.connect(["rec/val/node-1/cmd"])
            await link.close()
            await asyncio.sleep(3)  # on the loop's clock: the broker notices

    run_paced(play(), speed=SPEED)
    assert len(heard) >= SIGN_IN_S - 2


def at_most_once() -> bytes:
    """A PUBLISH of QoS 0, which needs no answer."""
    topic = b"rec/val/node-1/cmd"
    body = len(topic).to_bytes(2, "big") + topic + b"{}"
    return bytes((packets.PUBLISH << 4, len(body))) + body
