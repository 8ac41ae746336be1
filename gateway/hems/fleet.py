"""The demo's virtual meters: each its own MQTT client with its own token, key and topics."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

import aiomqtt

from gateway.hems.profiles import Home, Profiles
from gateway.hems.virtual_meter import VirtualMeter
from gateway.mqtt.connection import connected
from gateway.mqtt.ingest import QUALITY_OF_SERVICE
from gateway.mqtt.topics import READING, STATE, Topic
from gateway.settings import MqttSettings


@dataclass(frozen=True, slots=True)
class FleetMeter:
    """A meter, the home it measures, and how it reaches the broker."""

    meter: VirtualMeter
    home: Home
    mqtt: MqttSettings


class Fleet:
    """All meters of a community; an async context that holds their connections."""

    def __init__(self, community: str, meters: list[FleetMeter], profiles: Profiles) -> None:
        self._community = community
        self._meters = meters
        self._profiles = profiles
        self._connections = AsyncExitStack()
        self._clients: dict[str, aiomqtt.Client] = {}

    async def __aenter__(self) -> Self:
        """Connect every meter and report it online."""
        await asyncio.gather(*(self._connect(entry) for entry in self._meters))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""
        await self._connections.aclose()

    async def publish_all(self, t_end_ms: int) -> None:
        """Every meter signs and sends its registers as of this instant."""
        await asyncio.gather(*(self._publish(entry, t_end_ms) for entry in self._meters))

    def run_hour(self, delivery_start: datetime) -> None:
        """Let the energy of one hour of the data set flow through every meter."""
        row = self._profiles.hour_index(delivery_start)
        for entry in self._meters:
            entry.meter.run_hour(load_wh=entry.home.load_wh[row], pv_wh=entry.home.pv_wh[row])

    async def _connect(self, entry: FleetMeter) -> None:
        name = entry.meter.meter_id
        client = await self._connections.enter_async_context(connected(entry.mqtt))
        self._clients[name] = client
        state = Topic(self._community, name, STATE)
        online = f'{{"v":1,"d":"{name}","state":"online"}}'
        await client.publish(str(state), online, qos=QUALITY_OF_SERVICE, retain=True)

    async def _publish(self, entry: FleetMeter, t_end_ms: int) -> None:
        name = entry.meter.meter_id
        message = entry.meter.message(entry.meter.read(t_end_ms))
        topic = Topic(self._community, name, READING)
        await self._clients[name].publish(str(topic), message, qos=QUALITY_OF_SERVICE)
