"""The gateway's one connection to its broker, for whoever else has something to publish.

A broker ends a connection when a second one comes with the same client id, so there is one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import aiomqtt

AT_LEAST_ONCE = 1


class NoBroker(Exception):  # noqa: N818 - it is away, which is no fault of ours
    """Not connected, or the broker did not take a message in time."""


class BrokerLink:
    """Open while the collector is connected."""

    def __init__(self, clock_ms: Callable[[], int] = lambda: 0) -> None:
        self._client: aiomqtt.Client | None = None
        self._clock_ms = clock_ms
        self.since_ms = clock_ms()
        """Since when it is as it is: connected, or away."""

    @property
    def is_open(self) -> bool:
        """Whether the broker is there and what devices publish is taken."""
        return self._client is not None

    @contextmanager
    def over(self, client: aiomqtt.Client) -> Iterator[None]:
        """Publish over this connection as long as the block lasts."""
        self._client, self.since_ms = client, self._clock_ms()
        try:
            yield
        finally:
            self._client, self.since_ms = None, self._clock_ms()

    async def publish(self, topic: str, payload: bytes) -> None:
        """Return when the broker has the message (QoS 1); raises `NoBroker`."""
        if self._client is None:
            raise NoBroker("the broker is away")
        try:
            await self._client.publish(topic, payload, qos=AT_LEAST_ONCE)
        except aiomqtt.MqttError as error:
            raise NoBroker(type(error).__name__) from error
