"""A data service over a fresh database, with meters that sign and a clock that is set."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from gateway.database import Database
from gateway.hems.alarms import Alarm, AlarmBook
from gateway.hems.batteries import BatteryStore
from gateway.hems.charge_history import ChargeHistory
from gateway.hems.devices import DeviceBook
from gateway.hems.expected import ExpectedDevices
from gateway.hems.links import LinkBook
from gateway.hems.measurements import MeasurementStore
from gateway.hems.plausibility import Limits
from gateway.hems.series import Kept, SeriesStore
from gateway.hems.service import HemsService, Inbox, Stores
from gateway.hems.switching import SwitchBook
from gateway.hems.transfers import TransferBook
from gateway.hems.virtual_meter import VirtualMeter
from gateway.hems.waits import WaitBook
from gateway.mqtt.collector import Collector
from gateway.mqtt.reading_check import Attesting, ReadingCheck
from tests.support.gateway_database import fresh_database

COMMUNITY = "val"
QUARTER_MS = 15 * 60_000
NOON_MS = 1_767_268_800_000
SILENT_AFTER_MS = 40 * 60_000


class Keys:
    """Public keys of the meters of a test."""

    def __init__(self, *meters: VirtualMeter) -> None:
        self._keys = {meter.meter_id: meter.public_key for meter in meters}

    def public_key(self, meter_id: str) -> Any:
        return self._keys.get(meter_id)


@dataclass
class Scene:
    """The service and what it told; `now_ms` is its clock."""

    keys: Any
    now_ms: int = NOON_MS
    limits: Limits = field(default_factory=Limits)
    attesting: Attesting | None = None
    database: Database = field(default_factory=fresh_database)
    alarms: list[Alarm] = field(default_factory=list)
    expected: Callable[[], Collection[str]] = tuple

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Everything in memory is gone, the database stays."""
        database = self.database
        stores = Stores(
            series=SeriesStore(database, self.limits, self.now_ms),
            measurements=MeasurementStore(database),
            devices=DeviceBook(database),
            alarms=AlarmBook(database),
            transfers=TransferBook(database),
            switches=SwitchBook(database),
            batteries=BatteryStore(),
            charges=ChargeHistory(database, self.limits.interval_ms),
            links=LinkBook(database),
            waits=WaitBook(database, break_ms_max=self.limits.interval_ms),
        )
        self.service = HemsService(
            stores,
            silent_after_ms=SILENT_AFTER_MS,
            on_alarm=self.alarms.append,
            expected=ExpectedDevices(self.expected),
        )
        self.stores = stores
        self.collector = Collector(
            self.service,
            ReadingCheck(self.keys, self.attesting),
            community=COMMUNITY,
            clock_ms=lambda: self.now_ms,
        )

    def hear(self, *messages: tuple[str, bytes]) -> Kept:
        """One batch of messages, `<device>/<leaf>` and bytes."""
        inbox = Inbox()
        for topic, raw in messages:
            self.collector.read(f"rec/{COMMUNITY}/{topic}", raw, inbox, self.now_ms)
        return self.service.take(inbox, self.now_ms)

    def read(self, meter: VirtualMeter, *, t_end_ms: int | None = None) -> bytes:
        """The meter's next reading, as it publishes it."""
        return meter.message(meter.read(self.now_ms if t_end_ms is None else t_end_ms))

    def hear_reading(self, meter: VirtualMeter) -> Kept:
        return self.hear((f"{meter.meter_id}/reading", self.read(meter)))
