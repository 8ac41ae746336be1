"""Devices as people see them: online or not, last seen, what came of what was due."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chaincode.energy.registry.devices import METER
from chaincode.energy.registry.records import Meter
from gateway.hems.availability import DayAvailability
from gateway.hems.device_health import ONLINE, DeviceHealth, device_health
from gateway.services import Services

GOOD_PERMILLE, LOW_PERMILLE = 950, 800


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """One device; `last_seen_ms` is 0 if nothing was ever heard of it."""

    health: DeviceHealth
    last_seen_ms: int

    @property
    def meter(self) -> Meter:
        """Its registration."""
        return self.health.meter

    @property
    def is_online(self) -> bool:
        """Whether it reports as it should."""
        return self.health.state == ONLINE

    @property
    def permille(self) -> int | None:
        """Readings received of those expected in the days shown."""
        return self.health.permille


def device_status(services: Services, meters: Sequence[Meter]) -> list[DeviceStatus]:
    """Of these meters, in their order."""
    found = device_health(
        services.readmodel.database,
        meters,
        now_ms=services.clock_ms(),
        interval_ms=_interval_ms(services),
        local=services.local_time,
    )
    counted = [one if one.meter.kind == METER else replace(one, days=()) for one in found]
    return [DeviceStatus(health, _last_seen_ms(services, health)) for health in counted]


def tone_of(day: DayAvailability) -> str:
    """The colour beside a day's figures."""
    if day.permille >= GOOD_PERMILLE:
        return "good"
    return "warn" if day.permille >= LOW_PERMILLE else "bad"


def _interval_ms(services: Services) -> int:
    """Between readings; where another gateway collects them, the hour that each must cover."""
    return services.energy_hour_ms if services.hems is None else services.hems.interval_ms


def _last_seen_ms(services: Services, health: DeviceHealth) -> int:
    """The newest of what the collector heard, the last reading and the last measurement.

    The collector writes down that it heard a device only every so often; where it runs in this
    process it is asked itself. What a device with a wrong clock says of the future is no sight.
    """
    device_id, now_ms = health.meter.meter_id, services.clock_ms()
    heard = services.hems.stores.devices.get(device_id) if services.hems is not None else None
    reading = services.readings.latest(device_id)
    measured = services.measurements.latest(device_id)
    told = (
        health.last_seen_ms,
        heard.last_seen_ms if heard is not None else 0,
        reading.t_end_ms if reading is not None else 0,
        measured.at_ms if measured is not None else 0,
    )
    return max((at_ms for at_ms in told if at_ms <= now_ms), default=0)
