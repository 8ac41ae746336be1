"""Readings from the broker into memory: checked, in order, once each."""

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import aiomqtt
from cryptography.hazmat.primitives.asymmetric import ec

from chaincode.energy.oracle.readings import problem_following
from chaincode.energy.oracle.records import MeterReading
from gateway.hems.batteries import BatteryStore
from gateway.hems.series import SeriesStore
from gateway.mqtt.charge import decode_charge
from gateway.mqtt.reading import BadReading, check_signature, decode_reading
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.topics import CHARGE, READING, ROOT, Topic, parse_topic

READINGS_KEPT_PER_METER = 1_000
QUALITY_OF_SERVICE = 1

logger = logging.getLogger(__name__)


class MeterKeys(Protocol):
    """Public keys of the meters registered on the ledger."""

    def public_key(self, meter_id: str) -> ec.EllipticCurvePublicKey | None:
        """The key of a meter; `None` for a meter nobody registered."""


class ReadingStore:
    """The last readings of every meter by the end of their period, and what was refused."""

    def __init__(self, keys: MeterKeys) -> None:
        self._keys = keys
        self._readings: dict[str, OrderedDict[int, MeterReading]] = {}
        self._arrived = asyncio.Condition()
        self._refused: Counter[str] = Counter()

    @property
    def refused(self) -> Counter[str]:
        """Refused messages per meter (by topic), for the operator."""
        return self._refused

    async def accept(self, topic: Topic, raw: bytes) -> MeterReading | None:
        """Check and keep one message; a repeated reading is quietly ignored.

        Raises `BadReading` when the message breaks a rule.
        """
        reading = decode_reading(raw)
        if reading.meter_id != topic.meter:
            raise BadReading(f"{topic.meter} speaks for {reading.meter_id}")
        key = self._keys.public_key(reading.meter_id)
        if key is None:
            raise BadReading("the meter is not registered")
        check_signature(reading, key)
        known = self._readings.setdefault(reading.meter_id, OrderedDict())
        last = next(reversed(known.values()), None)
        if last is not None and replace(reading, signature=last.signature) == last:
            return None  # sent again; ECDSA may have signed it anew
        problem = problem_following(last, reading)
        if problem is not None:
            raise BadReading(problem.text)
        known[reading.t_end_ms] = reading
        if len(known) > READINGS_KEPT_PER_METER:
            known.popitem(last=False)
        async with self._arrived:
            self._arrived.notify_all()
        return reading

    def reading(self, meter_id: str, t_end_ms: int) -> MeterReading | None:
        """The reading of a meter at the end of a period."""
        return self._readings.get(meter_id, OrderedDict()).get(t_end_ms)

    def latest(self, meter_id: str) -> MeterReading | None:
        """The newest reading of a meter."""
        return next(reversed(self._readings.get(meter_id, OrderedDict()).values()), None)

    def before(self, meter_id: str, instant_ms: int) -> MeterReading | None:
        """The last reading whose period ended before an instant."""
        return self.until(meter_id, instant_ms - 1)

    def until(self, meter_id: str, instant_ms: int) -> MeterReading | None:
        """The last reading whose period ended at or before an instant."""
        newest_first = reversed(self._readings.get(meter_id, OrderedDict()).values())
        return next((found for found in newest_first if found.t_end_ms <= instant_ms), None)

    async def wait_for(
        self, meter_ids: list[str], t_end_ms: int, timeout_ms: int
    ) -> dict[str, MeterReading]:
        """Readings of these meters at this instant; after the timeout those that came."""

        def found() -> dict[str, MeterReading]:
            present = ((meter, self.reading(meter, t_end_ms)) for meter in meter_ids)
            return {meter: reading for meter, reading in present if reading is not None}

        try:
            async with asyncio.timeout(timeout_ms / 1000), self._arrived:
                await self._arrived.wait_for(lambda: len(found()) == len(meter_ids))
        except TimeoutError:
            logger.warning("readings missing at %d", t_end_ms)
        return found()


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
