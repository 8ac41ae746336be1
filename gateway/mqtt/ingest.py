"""Readings from the broker into an oracle's own series: checked, plausible, once each."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

import aiomqtt

from chaincode.energy.oracle.records import MeterReading
from gateway.hems.batteries import BatteryStore
from gateway.hems.series import SeriesStore
from gateway.mqtt.charge import decode_charge
from gateway.mqtt.reading import BadReading
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.topics import CHARGE, READING, ROOT, Topic, parse_topic

QUALITY_OF_SERVICE = 1

logger = logging.getLogger(__name__)


class Accepting(Protocol):
    """Takes what meters publish."""

    @property
    def refused(self) -> Counter[str]:
        """Refused messages per meter (by topic)."""

    async def accept(self, topic: Topic, raw: bytes) -> MeterReading | None:
        """Check and keep one message; None if it was known. Raises `BadReading`."""


class SeriesIntake:
    """An oracle's own series: it listens only, so devices hear `stored` from their gateway."""

    def __init__(
        self, series: SeriesStore, check: ReadingCheck, clock_ms: Callable[[], int]
    ) -> None:
        self._series = series
        self._check = check
        self._clock_ms = clock_ms
        self._refused: Counter[str] = Counter()

    @property
    def refused(self) -> Counter[str]:
        """See `Accepting`."""
        return self._refused

    async def accept(self, topic: Topic, raw: bytes) -> MeterReading | None:
        """See `Accepting`; what breaks a rule of plausibility is set aside and raises, too."""
        arrival = self._check.arrival(topic, raw)
        kept = await asyncio.to_thread(self._series.keep, [arrival], self._clock_ms())
        for doubted, doubt in kept.set_aside:
            raise BadReading(f"{doubt.value}: {doubted.detail or doubt.text}")
        return kept.accepted[0] if kept.accepted else None


async def ingest(
    client: aiomqtt.Client,
    community: str,
    store: Accepting,
    batteries: BatteryStore | None = None,
) -> None:
    """Feed every reading of a community, and every charge if wanted, into the stores, for ever.

    `client` is connected.
    """
    leaves = (READING,) if batteries is None else (READING, CHARGE)
    for leaf in leaves:
        await client.subscribe(f"{ROOT}/{community}/+/{leaf}", qos=QUALITY_OF_SERVICE)
    async for message in client.messages:
        topic = parse_topic(str(message.topic))
        if topic is None or not isinstance(message.payload, bytes):
            continue
        try:
            if topic.leaf == READING:
                await store.accept(topic, message.payload)
            elif topic.leaf == CHARGE and batteries is not None:
                accept_charge(batteries, topic, message.payload)
        except BadReading as error:
            store.refused[topic.meter] += 1
            logger.warning("%s of %s refused: %s", topic.leaf, topic.meter, error)


def accept_charge(batteries: BatteryStore, topic: Topic, raw: bytes) -> bool:
    """Check and keep a battery's state of charge; False if a newer one is known."""
    now_ms = time.time_ns() // 1_000_000
    return batteries.record(topic.meter, decode_charge(raw, battery_id=topic.meter, now_ms=now_ms))
