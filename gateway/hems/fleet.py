"""The demo's meters: light ones in this process, and nodes that run the firmware."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

import aiomqtt
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.hems.profiles import Home, Profiles
from gateway.hems.virtual_meter import VirtualMeter
from gateway.mqtt.connection import connected
from gateway.mqtt.device_messages import packed
from gateway.mqtt.ingest import QUALITY_OF_SERVICE
from gateway.mqtt.topics import MEASURE, READING, STATE, Topic
from gateway.settings import MqttSettings


class DemoMeter(Protocol):
    """A meter of the demo, whatever it runs on."""

    @property
    def meter_id(self) -> str:
        """Its name, on the ledger and at the broker."""

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The device's key."""

    @property
    def public_key_pem(self) -> str:
        """What is registered on the ledger."""

    async def connect(self) -> None:
        """Be at the broker."""

    def run_hour(self, *, load_wh: int, pv_wh: int) -> None:
        """Let one hour of energy flow."""

    async def publish(self, t_end_ms: int) -> None:
        """Sign and send the registers as of this instant."""

    async def measure(self, *, t_ms: int, u_mv: int, i_ma: int, p_mw: int) -> None:
        """Send values of this instant, unsigned; they count nothing."""

    async def close(self) -> None:
        """Leave the broker and end."""


class LightMeter:
    """A `VirtualMeter` with an MQTT connection of its own."""

    def __init__(self, community: str, meter: VirtualMeter, mqtt: MqttSettings) -> None:
        self._community = community
        self._meter = meter
        self._mqtt = mqtt
        self._connection = AsyncExitStack()
        self._client: aiomqtt.Client | None = None
        self.meter_id = meter.meter_id
        self.public_key = meter.public_key
        self.public_key_pem = meter.public_key_pem

    async def connect(self) -> None:
        """Connect, and report the meter online."""
        self._client = await self._connection.enter_async_context(connected(self._mqtt))
        online = f'{{"v":1,"d":"{self.meter_id}","state":"online"}}'
        await self._client.publish(self._topic(STATE), online, qos=QUALITY_OF_SERVICE, retain=True)

    def run_hour(self, *, load_wh: int, pv_wh: int) -> None:
        """See `VirtualMeter`."""
        self._meter.run_hour(load_wh=load_wh, pv_wh=pv_wh)

    async def publish(self, t_end_ms: int) -> None:
        """Sign, send, and wait until the broker has it."""
        assert self._client is not None, "not connected"
        message = self._meter.message(self._meter.read(t_end_ms))
        await self._client.publish(self._topic(READING), message, qos=QUALITY_OF_SERVICE)

    async def measure(self, *, t_ms: int, u_mv: int, i_ma: int, p_mw: int) -> None:
        """Send, and wait until the broker has it."""
        assert self._client is not None, "not connected"
        values = {"v": 1, "d": self.meter_id, "t": t_ms, "u_mv": u_mv, "i_ma": i_ma, "p_mw": p_mw}
        await self._client.publish(self._topic(MEASURE), packed(values), qos=QUALITY_OF_SERVICE)

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.aclose()

    def _topic(self, leaf: str) -> str:
        return str(Topic(self._community, self.meter_id, leaf))


@dataclass(frozen=True, slots=True)
class FleetMeter:
    """A meter and the home it measures."""

    meter: DemoMeter
    home: Home


class Fleet:
    """All meters of a community; an async context that holds their connections."""

    def __init__(self, meters: list[FleetMeter], profiles: Profiles) -> None:
        self.meters = meters
        self._profiles = profiles

    async def __aenter__(self) -> Self:
        """Connect every meter."""
        await asyncio.gather(*(entry.meter.connect() for entry in self.meters))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every meter."""
        await asyncio.gather(*(entry.meter.close() for entry in self.meters))

    async def publish_all(self, t_end_ms: int) -> None:
        """Every meter signs and sends its registers as of this instant."""
        await asyncio.gather(*(entry.meter.publish(t_end_ms) for entry in self.meters))

    def run_hour(self, delivery_start: datetime) -> None:
        """Let the energy of one hour of the data set flow through every meter."""
        row = self._profiles.hour_index(delivery_start)
        for entry in self.meters:
            entry.meter.run_hour(load_wh=entry.home.load_wh[row], pv_wh=entry.home.pv_wh[row])
