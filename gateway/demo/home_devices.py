"""What a demo home has beside its meters at the broker: a battery's controller, plugs."""

import asyncio
from contextlib import AsyncExitStack
from typing import Protocol, Self

import aiomqtt

from gateway.demo.appliances import Plug, Said
from gateway.demo.home_battery import StoredHome
from gateway.demo.live_values import Moment, power_w, values_of
from gateway.hems.profiles import Home
from gateway.mqtt.broker_link import AT_LEAST_ONCE
from gateway.mqtt.connection import connected
from gateway.mqtt.device_messages import FORMAT_VERSION, ONLINE, PERMILLE_MAX, packed
from gateway.mqtt.topics import CHARGE, MEASURE, STATE, Topic
from gateway.settings import MqttSettings


class HomeDevice(Protocol):
    """A device that shows itself as often as it is asked to."""

    async def connect(self) -> None:
        """Be at the broker."""

    async def show(self, moment: Moment, now_ms: int, market_ms: int) -> None:
        """Publish its values; since the last time so much of the market's time went by."""

    async def close(self) -> None:
        """Leave the broker."""


class BatteryController:
    """Tells the charge, the power, and how full the battery is, under the battery's own name."""

    def __init__(self, community: str, stored: StoredHome, mqtt: MqttSettings) -> None:
        self._community = community
        self._stored = stored
        self._mqtt = mqtt
        self._name = mqtt.username
        self._connection = AsyncExitStack()
        self._client: aiomqtt.Client | None = None

    async def connect(self) -> None:
        """See `HomeDevice`."""
        self._client = await self._connection.enter_async_context(connected(self._mqtt))
        await self._publish(STATE, {"d": self._name, "state": ONLINE}, is_retained=True)

    async def show(self, moment: Moment, now_ms: int, market_ms: int) -> None:
        """See `HomeDevice`."""
        stored_wh = self._stored.stored_at(moment)
        capacity_wh = self._stored.home.battery.capacity_wh
        values = values_of(power_w(self._stored.flow_wh, moment))
        measured = {
            "d": self._name,
            "t": now_ms,
            "u_mv": values.u_mv,
            "i_ma": values.i_ma,
            "p_mw": values.p_mw,
            "soc_permille": stored_wh * PERMILLE_MAX // capacity_wh,
        }
        await self._publish(CHARGE, {"b": self._name, "t": now_ms, "stored_wh": stored_wh})
        await self._publish(MEASURE, measured)

    async def close(self) -> None:
        """See `HomeDevice`."""
        await self._connection.aclose()

    async def _publish(
        self, leaf: str, content: dict[str, object], *, is_retained: bool = False
    ) -> None:
        assert self._client is not None, "not connected"
        topic = str(Topic(self._community, self._name, leaf))
        payload = packed({"v": FORMAT_VERSION} | content)
        await self._client.publish(topic, payload, AT_LEAST_ONCE, retain=is_retained)


class PluggedAppliance:
    """A plug at the broker: shows its values and obeys."""

    def __init__(self, plug: Plug, home: Home, mqtt: MqttSettings) -> None:
        self._plug = plug
        self._home = home
        self._mqtt = mqtt
        self._connection = AsyncExitStack()
        self._client: aiomqtt.Client | None = None
        self._listening: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """See `HomeDevice`."""
        client = await self._connection.enter_async_context(connected(self._mqtt))
        await client.subscribe(self._plug.command_topic, AT_LEAST_ONCE)
        self._client = client
        self._listening = asyncio.create_task(self._listen(client))
        await self._say(self._plug.online())

    async def show(self, moment: Moment, now_ms: int, market_ms: int) -> None:
        """See `HomeDevice`; a plug's messages have no time of their own."""
        assert self._listening is not None, "not connected"
        if self._listening.done():
            self._listening.result()  # raises what ended it
        await self._say(self._plug.measured(power_w(self._home.load_wh, moment), market_ms))

    async def close(self) -> None:
        """See `HomeDevice`."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._connection.aclose()

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            await self._say(self._plug.obey(bytes(message.payload or b"")))

    async def _say(self, messages: list[Said]) -> None:
        assert self._client is not None, "not connected"
        for said in messages:
            await self._client.publish(said.topic, said.payload, AT_LEAST_ONCE)


class HomeDevices:
    """All of them; an async context that holds their connections."""

    def __init__(self, devices: list[HomeDevice]) -> None:
        self._devices = devices

    async def __aenter__(self) -> Self:
        """Connect every device."""
        await asyncio.gather(*(device.connect() for device in self._devices))
        return self

    async def __aexit__(self, *_: object) -> None:
        """End every device."""
        await asyncio.gather(*(device.close() for device in self._devices))

    async def show(self, moment: Moment, now_ms: int, market_ms: int) -> None:
        """Every device publishes what it measures now."""
        await asyncio.gather(*(device.show(moment, now_ms, market_ms) for device in self._devices))
