"""The home energy data service of a gateway process: put together once, run in the background."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from chaincode.energy.oracle.records import MeterReading
from gateway.database import Database
from gateway.errors import LedgerRefusal
from gateway.hems.alarms import AlarmBook
from gateway.hems.anchor_recovery import ANCHORED_OTHERWISE
from gateway.hems.anchored_rows import SERIES
from gateway.hems.anchoring import AnchorBook, Anchoring, anchor
from gateway.hems.batteries import BatteryStore
from gateway.hems.charge_history import ChargeHistory
from gateway.hems.devices import DeviceBook
from gateway.hems.expected import ExpectedDevices
from gateway.hems.links import LinkBook
from gateway.hems.measurements import MeasurementStore
from gateway.hems.metered_hour import READINGS_PER_HOUR
from gateway.hems.plausibility import Limits
from gateway.hems.retention import Retention
from gateway.hems.series import SeriesStore
from gateway.hems.service import AlarmListener, HemsService, MeasurementListener, Stores
from gateway.hems.switching import SwitchBook
from gateway.hems.tampering import TamperWatch
from gateway.hems.transfers import TransferBook
from gateway.hems.waits import WaitBook
from gateway.ledger_access.refusals import refusal_code

SILENT_INTERVALS = 3

logger = logging.getLogger(__name__)


def limits_for(hour_ms: int, interval_ms: int | None = None) -> Limits:
    """Rules for a community whose market hour takes so many real milliseconds.

    Between readings is a quarter of it, unless the community says otherwise.
    """
    interval = interval_ms or hour_ms // READINGS_PER_HOUR
    return Limits(interval_ms=interval, energy_hour_ms=hour_ms)


def open_service(
    database: Database,
    batteries: BatteryStore,
    limits: Limits,
    *,
    now_ms: int,
    silent_after_ms: int | None = None,
    on_alarm: AlarmListener = lambda _: None,
    on_measured: MeasurementListener = lambda _: None,
    answering_by_state: Collection[str] = (),
    is_appliance: Callable[[str], bool] = lambda _: True,
    expected: Callable[[], Collection[str]] = tuple,
) -> HemsService:
    """The service over a migrated database; a device is silent after three intervals.

    `answering_by_state`: devices whose commands are answered by the state they report; `expected`:
    meters that should report, heard of or not.
    """
    devices = DeviceBook(database)
    charges = ChargeHistory(database, limits.interval_ms)
    batteries.fall_back_on(charges)
    stores = Stores(
        series=SeriesStore(database, limits, now_ms),
        measurements=MeasurementStore(database),
        devices=devices,
        alarms=AlarmBook(database),
        transfers=TransferBook(database),
        switches=SwitchBook(database, answering_by_state=answering_by_state, is_on=devices.is_on),
        batteries=batteries,
        charges=charges,
        links=LinkBook(database),
        waits=WaitBook(database, break_ms_max=limits.interval_ms),
    )
    after_ms = silent_after_ms or SILENT_INTERVALS * limits.interval_ms
    return HemsService(
        stores,
        silent_after_ms=after_ms,
        on_alarm=on_alarm,
        on_measured=on_measured,
        is_appliance=is_appliance,
        expected=ExpectedDevices(expected),
    )


async def keep_anchoring(
    book: AnchorBook,
    actor: Anchoring,
    watch: TamperWatch,
    *,
    every_ms: int,
    clock_ms: Callable[[], int],
    recover: Callable[[str], Awaitable[int]],
    retention: Retention | None = None,
) -> None:
    """Anchor both series for ever, look whether what was anchored is still so, export the old.

    A ledger that refuses is asked again next time; `recover` takes over, of a series, what it has
    and this database has lost.
    """
    while True:
        for series in SERIES:
            try:
                while await anchor(book, actor, series) is not None:
                    pass
            except LedgerRefusal as refusal:
                logger.warning("anchor of %s: %s; again later", series, refusal)
                if refusal_code(refusal) in ANCHORED_OTHERWISE:
                    await _recover(recover, series)
        try:
            await watch.look_on()
        except LedgerRefusal as refusal:
            logger.warning("stored rows not compared: %s; again later", refusal)
        if retention is not None:
            await _export_old(retention, book, clock_ms())
        await asyncio.sleep(every_ms / 1_000)


async def _recover(recover: Callable[[str], Awaitable[int]], series: str) -> None:
    try:
        lost = await recover(series)
    except LedgerRefusal as refusal:
        logger.warning("anchors of %s: %s; again later", series, refusal)
    else:
        logger.warning("the ledger has %d anchors of %s whose rows are not here", lost, series)


async def _export_old(retention: Retention, book: AnchorBook, now_ms: int) -> None:
    try:
        files = await asyncio.to_thread(retention.apply, book, now_ms)
    except OSError as error:
        logger.warning("old raw data stays: %s; again later", error)
        return
    for file in files:
        logger.info("old raw data is in %s now", file)


@dataclass(frozen=True, slots=True)
class StoredReadings:
    """What pages and routes ask of readings, from the database (`gateway.ports.Readings`)."""

    series: SeriesStore
    database: Database

    @classmethod
    def over(cls, database: Database, limits: Limits, now_ms: int) -> "StoredReadings":
        """What a migrated database holds, whoever collects into it."""
        return cls(SeriesStore(database, limits, now_ms), database)

    @property
    def refused(self) -> Counter[str]:
        """Messages that were not taken, per device."""
        devices = DeviceBook(self.database).all()
        return Counter({found.device_id: found.refused for found in devices if found.refused})

    def latest(self, meter_id: str) -> MeterReading | None:
        """The newest reading of a meter."""
        return self.series.latest(meter_id)

    def until(self, meter_id: str, instant_ms: int) -> MeterReading | None:
        """The last reading whose period ended at or before an instant."""
        return self.series.until(meter_id, instant_ms)

    def before(self, meter_id: str, instant_ms: int) -> MeterReading | None:
        """The last reading whose period ended before an instant."""
        return self.series.until(meter_id, instant_ms - 1)

    def between(self, meter_id: str, from_ms: int, to_ms: int, limit: int) -> list[MeterReading]:
        """Readings with from_ms < t_end <= to_ms in the order of time, the first `limit`."""
        return self.series.between(meter_id, from_ms, to_ms, limit)
