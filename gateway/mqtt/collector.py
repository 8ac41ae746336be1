"""The gateway's MQTT session: takes what devices publish into the service, and answers them.

A message is acknowledged to the broker after it is on disk, so that what this process had not
stored comes again after a crash; a device hears `stored` then, and only then forgets a reading
(docs/mqtt.md). Batches form by themselves: whatever came while the last one was stored.
"""

import asyncio
import itertools
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import aiomqtt

from chaincode.energy.oracle.records import MeterReading
from gateway.cancelling import end_if_cancelled
from gateway.hems.series import Kept
from gateway.hems.service import HemsService, Inbox
from gateway.hems.transfer_rules import Command
from gateway.mqtt import topics
from gateway.mqtt.adapters import Adapter
from gateway.mqtt.announcing import TransferAnnouncer
from gateway.mqtt.broker_link import AT_LEAST_ONCE, BrokerLink
from gateway.mqtt.broker_log import BrokerLog
from gateway.mqtt.charge import decode_charge
from gateway.mqtt.connection import acknowledge, connected
from gateway.mqtt.device_messages import (
    LOST,
    ONLINE,
    decode_acknowledgement,
    decode_event,
    decode_measurement,
    decode_state,
    encode_own_state,
    encode_stored,
    encode_time,
    packed,
)
from gateway.mqtt.home_assistants import HomeAssistants
from gateway.mqtt.node_updates import offer_updates
from gateway.mqtt.reading import BadReading
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.refusal_log import RefusalLog
from gateway.mqtt.topics import FROM_DEVICE, Topic, parse_topic
from gateway.settings import MqttSettings

BATCH_MESSAGES_MAX = 500
"""Below the broker's limit of messages in flight, or the broker would wait for us for ever."""
WATCH_MS = 1_000
TIME_EVERY_MS = 60_000
AT_MOST_ONCE = 0
NO_UPDATES: Mapping[str, Path] = MappingProxyType({})

logger = logging.getLogger(__name__)


class Collector:
    """One community's devices through one broker."""

    def __init__(
        self,
        service: HemsService,
        check: ReadingCheck,
        *,
        community: str,
        clock_ms: Callable[[], int],
        adapters: Sequence[Adapter] = (),
        link: BrokerLink | None = None,
        homes: HomeAssistants | None = None,
        announcer: TransferAnnouncer | None = None,
        updates: Mapping[str, Path] = NO_UPDATES,
    ) -> None:
        """`adapters` understand topics beside our own; `link` lends the connection to others.

        `homes` are told how things stand for their households, `announcer` tells of transfers,
        `updates` has the manifest offered to each node.
        """
        self._announcer = announcer
        self._updates = updates
        self._homes = homes
        self._service = service
        self._check = check
        self._community = community
        self._clock_ms = clock_ms
        self._adapters = adapters
        self._broker_log = BrokerLog()
        self._refusals = RefusalLog()
        self._link = link or BrokerLink()
        self.is_listening = asyncio.Event()
        """Set once it has subscribed for the first time."""

    async def run(self, settings: MqttSettings) -> None:
        """Collect over one connection until it is lost; raises `aiomqtt.MqttError`."""
        own_state = topics.gateway_state_topic(self._community)
        will = aiomqtt.Will(own_state, encode_own_state(LOST), AT_LEAST_ONCE, retain=True)
        async with (
            connected(settings, is_persistent=True, will=will) as client,
            asyncio.TaskGroup() as tasks,
        ):
            # First of all: a broker that sends what it retained may answer the next subscription
            # only when that is acknowledged.
            tasks.create_task(self._collect(client))
            if self._homes is not None:
                self._homes.connected()
            await self._subscribe(client)
            await client.publish(own_state, encode_own_state(ONLINE), AT_LEAST_ONCE, retain=True)
            await offer_updates(client, self._community, self._updates)
            await asyncio.to_thread(self._service.listening, self._clock_ms())
            self.is_listening.set()
            try:
                with self._link.over(client):
                    await self._drive(client)
            finally:
                with suppress(aiomqtt.MqttError):  # then the broker publishes the will
                    await client.publish(
                        own_state, encode_own_state(LOST), AT_LEAST_ONCE, retain=True
                    )

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        for leaf in FROM_DEVICE:
            await client.subscribe(f"{topics.ROOT}/{self._community}/+/{leaf}", qos=AT_LEAST_ONCE)
        await client.subscribe(topics.BROKER_LOG, qos=AT_LEAST_ONCE)
        for adapter in self._adapters:
            for foreign in itertools.chain.from_iterable(adapter.topics.values()):
                await client.subscribe(foreign, qos=AT_LEAST_ONCE)
        for wanted, quality in self._homes.subscriptions if self._homes is not None else ():
            await client.subscribe(wanted, qos=quality)

    async def _collect(self, client: aiomqtt.Client) -> None:
        messages = aiter(client.messages)
        while True:
            end_if_cancelled()
            batch = [await anext(messages)]
            while len(client.messages) and len(batch) < BATCH_MESSAGES_MAX:
                batch.append(await anext(messages))
            received, of_homes = self._sorted(batch)
            kept = await asyncio.to_thread(self.keep, received)
            acknowledge(client, batch)
            await self._tell_stored(client, kept)
            self._hear_homes(of_homes)

    def _sorted(
        self, batch: list[aiomqtt.Message]
    ) -> tuple[list[tuple[str, bytes]], list[aiomqtt.Message]]:
        """What is of devices, topic and payload, and what is of home automations."""
        homes = self._homes
        of_devices: list[tuple[str, bytes]] = []
        of_homes: list[aiomqtt.Message] = []
        for message in batch:
            if homes is not None and homes.is_for_home(str(message.topic)):
                of_homes.append(message)
            else:
                of_devices.append((str(message.topic), bytes(message.payload or b"")))
        return of_devices, of_homes

    def _hear_homes(self, messages: list[aiomqtt.Message]) -> None:
        """After the readings of their batch: what a household sends holds up nobody's."""
        homes, now_ms = self._homes, self._clock_ms()
        if homes is None:
            return
        for message in messages:
            topic, payload = str(message.topic), bytes(message.payload or b"")
            if homes.hear(topic, payload, is_retained=message.retain, now_ms=now_ms):
                self._service.has_command.set()

    def keep(self, batch: Iterable[tuple[str, bytes]]) -> Kept:
        """Decode and store messages, each its topic and payload; what is refused is logged."""
        now_ms = self._clock_ms()
        inbox = Inbox()
        for topic_text, raw in batch:
            self.read(topic_text, raw, inbox, now_ms)
        is_switched = inbox.tells_of_switching(self._service.stores.devices)
        kept = self._service.take(inbox, now_ms)
        for arrival, doubt in kept.set_aside:
            reason = f"{doubt.value}: {arrival.detail or doubt.text}"
            self._refusals.note(arrival.device_id, topics.READING, reason, now_ms)
        if self._homes is not None and is_switched:
            self._homes.changed()
        return kept

    def read(self, topic_text: str, raw: bytes, inbox: Inbox, now_ms: int) -> None:
        """Decode one message into the inbox; a bad one is counted against its device."""
        topic = parse_topic(topic_text)
        if topic_text == topics.BROKER_LOG:
            sign_in = self._broker_log.read(raw)
            inbox.sign_ins += [sign_in] if sign_in is not None else []
        elif topic is None:
            if not any(adapter.take(topic_text, raw, inbox, now_ms) for adapter in self._adapters):
                logger.debug("nothing understands %s", topic_text[:80])
        else:
            self._read_of_device(topic, raw, inbox, now_ms)

    def _read_of_device(self, topic: Topic, raw: bytes, inbox: Inbox, now_ms: int) -> None:
        try:
            self._read_own(topic, raw, inbox, now_ms)
        except BadReading as error:
            inbox.refused[topic.meter] += 1
            self._refusals.note(topic.meter, topic.leaf, str(error), now_ms)

    def _read_own(self, topic: Topic, raw: bytes, inbox: Inbox, now_ms: int) -> None:
        device = topic.meter
        if topic.leaf == topics.READING:
            inbox.arrivals.append(self._check.arrival(topic, raw))
        elif topic.leaf == topics.MEASURE:
            inbox.measurements.append(decode_measurement(raw, device_id=device))
        elif topic.leaf == topics.CHARGE:
            observation = decode_charge(raw, battery_id=device, now_ms=now_ms)
            inbox.charges.append((device, observation))
        elif topic.leaf == topics.STATE:
            inbox.states[device] = decode_state(raw, device_id=device)
        elif topic.leaf == topics.ACKNOWLEDGEMENT:
            inbox.acknowledgements.append(decode_acknowledgement(raw, device_id=device))
        elif topic.leaf == topics.EVENT:
            inbox.events.append(decode_event(raw, device_id=device))

    async def _tell_stored(self, client: aiomqtt.Client, kept: Kept) -> None:
        """Stored, known already, or set aside for good: the device may forget it.

        Not what its key did not sign: else whoever altered a reading would make it forgotten.
        """
        by_meter: dict[str, list[MeterReading]] = defaultdict(list)
        for reading in (*kept.accepted, *kept.copies):
            by_meter[reading.meter_id].append(reading)
        for arrival, _ in kept.set_aside:
            if arrival.signed is not None:
                by_meter[arrival.device_id].append(arrival.signed)
        for meter_id, readings in by_meter.items():
            topic = str(Topic(self._community, meter_id, topics.STORED))
            await client.publish(topic, encode_stored(readings), qos=AT_MOST_ONCE)

    async def _drive(self, client: aiomqtt.Client) -> None:
        """Commands, the time, and who fell silent."""
        next_time_ms, switches = 0, self._service.stores.switches
        while True:
            end_if_cancelled()
            now_ms = self._clock_ms()
            if now_ms >= next_time_ms:
                topic = topics.time_topic(self._community)
                await client.publish(topic, encode_time(now_ms), qos=AT_MOST_ONCE)
                next_time_ms = now_ms + TIME_EVERY_MS
            await asyncio.to_thread(self._service.watch, now_ms)
            await self._switch_for_homes(now_ms)
            for command in await asyncio.to_thread(self._service.due, now_ms):
                topic, payload = self._sent_as(command)
                await client.publish(topic, payload, qos=AT_LEAST_ONCE)
                switches.sent(command.message["id"], self._clock_ms())
            if self._announcer is not None:
                await self._announcer.announce(client, now_ms)
            if self._homes is not None:
                for kept in await asyncio.to_thread(self._homes.due, now_ms):
                    await client.publish(kept.topic, kept.payload, AT_LEAST_ONCE, retain=True)
            await self._watch_again()

    async def _switch_for_homes(self, now_ms: int) -> None:
        if self._homes is not None and (wishes := self._homes.wishes_due(now_ms)):
            await asyncio.to_thread(self._homes.switch, wishes, now_ms)

    def _sent_as(self, command: Command) -> tuple[str, bytes]:
        """Topic and payload: our own, or those of a foreign plug."""
        for adapter in self._adapters:
            if command.device_id in adapter.switches:
                switch = adapter.switches[command.device_id]
                return switch.topic, switch.on if command.message["on"] else switch.off
        topic = str(Topic(self._community, command.device_id, topics.COMMAND))
        return topic, packed(command.message)

    async def _watch_again(self) -> None:
        """After a while, or at once when there is a command to send."""
        has_command = self._service.has_command
        with suppress(TimeoutError):
            async with asyncio.timeout(WATCH_MS / 1_000):
                await has_command.wait()
        has_command.clear()


async def keep_collecting(
    collect: Callable[[], Awaitable[None]],
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock_s: Callable[[], float] = time.monotonic,
    pause_ms_min: int = 200,
    pause_ms_max: int = 10_000,
) -> None:
    """Collect for ever, a little later after each lost connection; each loss is logged once.

    A connection that lasted longer than the longest pause was a good one: the next loss is a new
    one, told again, and tried again at once.
    """
    pause_ms, is_lost = pause_ms_min, False
    while True:
        begun_s = clock_s()
        try:
            await collect()
        except* aiomqtt.MqttError as lost:
            if (clock_s() - begun_s) * 1_000 > pause_ms_max:
                pause_ms, is_lost = pause_ms_min, False
            if not is_lost:
                logger.warning("the broker is gone: %s; trying on", lost.exceptions[0])
            is_lost = True
        await pause(pause_ms / 1_000)
        pause_ms = min(2 * pause_ms, pause_ms_max)
