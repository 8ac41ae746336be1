"""The node's connection to the broker: one stream, QoS 1, alive or gone.

`open_stream` makes a connected pair of asyncio streams (TLS is its business). Every wait has an
end; whatever goes wrong is an `OSError`, and whoever runs the link connects anew.
"""

import asyncio

from meternode import mqtt_packets as packets

KEEPALIVE_S = 30
PING_MS = 10_000
"""Asked this often, so that a dead link is known long before the relay must open (30 s)."""
ANSWER_S = 10
CONNECT_S = 20
SIGN_IN_S = 20
"""For the broker's answers to all of it together: messages that arrive meanwhile are no answer."""


class Link:
    """One connection. `on_message(topic, payload)` is called for what arrives."""

    def __init__(self, *, open_stream, identity, will, on_message, ticks_ms):
        self._open_stream = open_stream
        self._name, self._token = identity
        self._will_topic, self._will = will
        self._on_message = on_message
        self._ticks_ms = ticks_ms
        self._reader = self._writer = None
        self._packet_id = 0
        self._answered = {}
        self._sending = asyncio.Lock()
        self.heard_ms = None
        """When the broker last said anything; None while there is no connection."""

    async def connect(self, topics):
        """Sign in and subscribe; raises `OSError` with the broker's reason, or TLS's."""
        try:
            await self._connect(topics)
        except ValueError as error:  # how MicroPython says that a certificate is not trusted
            raise OSError(" ".join(str(error).split())) from None

    async def _connect(self, topics):
        self._reader, self._writer = await asyncio.wait_for(self._open_stream(), CONNECT_S)
        try:
            await asyncio.wait_for(self._sign_in(topics), SIGN_IN_S)
        except asyncio.TimeoutError:
            raise OSError("the broker is silent") from None

    async def _sign_in(self, topics):
        await self._send(
            packets.connect(
                self._name, self._name, self._token, self._will_topic, self._will, KEEPALIVE_S
            )
        )
        packets.check_connack(*await self._next_packet())
        await self._send(packets.subscribe(topics, self._next_id()))
        while True:
            first, body = await self._next_packet()
            if first >> 4 == packets.SUBACK:
                packets.check_suback(body, len(topics))
                return
            await self._handle(first, body)

    async def receive(self):
        """Handle what the broker sends until the connection ends; raises `OSError`."""
        while True:
            first, body = await packets.read_packet(self._reader)
            self.heard_ms = self._ticks_ms()
            await self._handle(first, body)

    async def ping(self):
        """Keep asking whether the broker is there; raises `OSError` when it is silent."""
        while True:
            await asyncio.sleep(PING_MS / 1000)
            if self._ticks_ms() - self.heard_ms > 2 * PING_MS:
                raise OSError("the broker is silent")
            await self._send(packets.pingreq())

    async def publish(self, topic, payload, retain=False):
        """Send with QoS 1 and wait for the broker's PUBACK; raises `OSError`."""
        packet_id = self._next_id()
        answered = self._answered[packet_id] = asyncio.Event()
        try:
            await self._send(packets.publish(topic, payload, packet_id, retain))
            await asyncio.wait_for(answered.wait(), ANSWER_S)
        except asyncio.TimeoutError:
            raise OSError("no PUBACK") from None
        finally:
            del self._answered[packet_id]

    async def close(self):
        """Let go of the stream; errors of a stream that is gone already do not matter."""
        self.heard_ms = None
        if self._writer is None:
            return
        try:
            self._writer.close()
            await asyncio.wait_for(self._writer.wait_closed(), ANSWER_S)
        except (OSError, asyncio.TimeoutError) as error:
            print("link: closing:", error)
        self._reader = self._writer = None

    async def leave(self):
        """Tell the broker that this is no loss, so that the will is not published."""
        await self._send(packets.disconnect())

    async def _next_packet(self):
        found = await packets.read_packet(self._reader)
        self.heard_ms = self._ticks_ms()
        return found

    async def _handle(self, first, body):
        kind = first >> 4
        if kind == packets.PUBLISH:
            topic, payload, packet_id = packets.parse_publish(first, body)
            self._on_message(topic, payload)
            if packet_id:
                await self._send(packets.puback(packet_id))
        elif kind == packets.PUBACK:
            waiting = self._answered.get(int.from_bytes(body[:2], "big"))
            if waiting is not None:
                waiting.set()
        elif kind not in (packets.PINGRESP, packets.SUBACK):
            raise packets.ProtocolError(f"unexpected packet {kind}")

    async def _send(self, data):
        async with self._sending:
            self._writer.write(data)
            await self._writer.drain()

    def _next_id(self):
        self._packet_id = self._packet_id % 0xFFFF + 1
        return self._packet_id
