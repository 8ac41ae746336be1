"""The node's link to a broker that does its part badly; the firmware's own files on CPython."""

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tests.firmware.interpreter import FIRMWARE
from tests.support.paced_loop import paced_loop, run_paced

sys.path[:0] = [str(FIRMWARE)]

from meternode import mqtt_packets as packets  # noqa: E402
from meternode.app import WITHOUT_ROOM_MAX, App  # noqa: E402
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


class FullHeap:
    """Hardware that has no room for a connection some times, and then no broker."""

    def __init__(self, times: int) -> None:
        self._times = times
        self.opened = 0

    async def open_stream(self, *_: object, is_tls: bool) -> Any:
        self.opened += 1
        if self.opened <= self._times:
            raise MemoryError("memory allocation failed, allocating 16717 bytes")
        raise asyncio.CancelledError


def talk_with(hardware: FullHeap) -> None:
    async def play() -> None:
        settings = SimpleNamespace(
            device="node-1",
            broker_host="127.0.0.1",
            broker_port=1,
            topic=lambda leaf: f"rec/val/node-1/{leaf}",
            time_topic=lambda: "rec/val/gateway/time",
        )
        clock = SimpleNamespace(ticks_ms=paced_loop().elapsed_ms)
        app = App(None, settings, clock, hardware, token="token", root="")
        await app.keep_talking()

    run_paced(play(), speed=SPEED)


def test_a_heap_without_room_for_a_connection_is_tried_again():
    hardware = FullHeap(WITHOUT_ROOM_MAX)
    with pytest.raises(asyncio.CancelledError):
        talk_with(hardware)
    assert hardware.opened == WITHOUT_ROOM_MAX + 1


def test_a_heap_that_never_has_room_is_for_the_watchdog():
    hardware = FullHeap(WITHOUT_ROOM_MAX + 1)
    with pytest.raises(MemoryError):
        talk_with(hardware)
    assert hardware.opened == WITHOUT_ROOM_MAX + 1


def at_most_once() -> bytes:
    """A PUBLISH of QoS 0, which needs no answer."""
    topic = b"rec/val/node-1/cmd"
    body = len(topic).to_bytes(2, "big") + topic + b"{}"
    return bytes((packets.PUBLISH << 4, len(body))) + body
