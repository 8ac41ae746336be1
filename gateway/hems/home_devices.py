"""A household's devices as its home automation is told of them: which, and what they told last.

Meters at the connection and at sources, batteries and plugs, each only since the household has it.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.registry.devices import PLUG
from chaincode.energy.registry.records import Meter, Res, Status
from chaincode.energy.registry.registration import BATTERY
from gateway.books.community import Community
from gateway.hems.alarms import AlarmKind
from gateway.hems.batteries import Observation
from gateway.hems.home_assistant import iso_instant
from gateway.hems.power_now import newest_power, power_between
from gateway.hems.service import Stores
from gateway.identity.sight import OwnReadings, told_of_source_since_ms
from gateway.mqtt.device_messages import LOST, ONLINE, Measurement
from gateway.mqtt.topics import NAME
from gateway.ports import Measured, Readings

FORMAT_VERSION = 1
MILLIWATTS_PER_WATT = 1_000
PERMILLE = 1_000
DEVICES_PER_HOUSEHOLD_MAX = 50
"""So many are told of; a household with more sees the others on its pages."""


class Role(StrEnum):
    """What a device is to its household."""

    CONNECTION = "connection"
    PRODUCTION = "production"
    BATTERY = "battery"
    PLUG = "plug"


@dataclass(frozen=True, slots=True)
class HomeDevice:
    """A device of a household; `meter` is None for a battery that is registered as source only.

    `charge_id` is the name under which a battery's charge is told, `capacity_wh` what it holds.
    """

    device_id: str
    role: Role
    meter: Meter | None = None
    charge_id: str = ""
    capacity_wh: int = 0

    @property
    def is_approved(self) -> bool:
        """Whether the grid operator has approved it as a device of this household."""
        return self.meter is not None and self.meter.status == Status.APPROVED

    @property
    def owned_since_ms(self) -> int:
        """What was before is its former owner's."""
        return self.meter.owned_since_ms if self.meter is not None else 0


@dataclass(frozen=True, slots=True)
class DeviceValues:
    """What a device told last; None for what it does not tell.

    `power_w` is positive for what is taken, charged or, of a source, produced. `last_ms` is the
    instant of the newest value. `state` is online or lost.
    """

    state: str = LOST
    is_silent: bool = False
    last_ms: int | None = None
    power_w: int | None = None
    voltage_mv: int | None = None
    import_wh: int | None = None
    export_wh: int | None = None
    energy_wh: int | None = None
    plug_on: int | None = None
    charge_permille: int | None = None
    stored_wh: int | None = None
    signal_dbm: int | None = None

    def message(self) -> bytes:
        """As it is published, retained; the instant as ISO 8601."""
        content = {"v": FORMAT_VERSION} | asdict(self)
        last_ms = content.pop("last_ms")
        content["last"] = None if last_ms is None else iso_instant(last_ms)
        return json.dumps(content, separators=(",", ":")).encode("ascii")


def devices_of(meters: Iterable[Meter], sources: Iterable[Res], idgrid: str) -> list[HomeDevice]:
    """What a household has, by name; only what a topic can name. Pure."""
    devices = {meter.meter_id: meter for meter in meters}
    batteries = {
        one.res_id: one
        for one in sources
        if one.owner_idgrid == idgrid
        and one.source_type == BATTERY
        and told_of_source_since_ms(one, devices.get(one.res_id)) is not None
    }
    found: dict[str, HomeDevice] = {}
    for meter in devices.values():
        if meter.owner_idgrid == idgrid:
            told_by = devices.get(meter.res_id or "", meter)
            is_own = told_by.owner_idgrid == idgrid
            charge_id = (meter.res_id if is_own else None) or meter.meter_id
            found[meter.meter_id] = _registered(meter, charge_id, batteries)
    told = {device.charge_id for device in found.values()}
    for res_id, source in batteries.items():
        if res_id not in told and res_id not in found:
            found[res_id] = HomeDevice(
                res_id, Role.BATTERY, charge_id=res_id, capacity_wh=source.capacity_w
            )
    named = [found[name] for name in sorted(found) if NAME.fullmatch(name)]
    return named[:DEVICES_PER_HOUSEHOLD_MAX]


def _registered(meter: Meter, charge_id: str, batteries: dict[str, Res]) -> HomeDevice:
    if meter.kind == PLUG:
        return HomeDevice(meter.meter_id, Role.PLUG, meter)
    if meter.kind == BATTERY:
        # The registry keeps one number per source; of a battery it is its capacity in Wh.
        source = batteries.get(charge_id)
        capacity_wh = source.capacity_w if source is not None else 0
        return HomeDevice(meter.meter_id, Role.BATTERY, meter, charge_id, capacity_wh)
    role = Role.CONNECTION if meter.is_at_connection else Role.PRODUCTION
    return HomeDevice(meter.meter_id, role, meter)


@dataclass(frozen=True, slots=True)
class HomeDevices:
    """Reads what devices told out of the gateway's database; blocks."""

    community: Community
    readings: Readings
    stores: Stores
    hour_ms: int
    """Real milliseconds of a market hour: what watt-hours count by."""

    def of(self, idgrid: str) -> list[HomeDevice]:
        """The household's devices, by name."""
        return devices_of(self.community.meters(), self.community.sources(), idgrid)

    def silent(self) -> Collection[str]:
        """Devices whose alarm stands because nothing is heard of them."""
        standing = self.stores.alarms.standing(kind=AlarmKind.SILENT)
        return {alarm.device_id for alarm in standing}

    def is_anothers(self, device_id: str, idgrid: str) -> bool:
        """Whether somebody else has it; False as well for what the ledger's copy does not know."""
        meter = self.community.meter(device_id)
        if meter is not None:
            return meter.owner_idgrid != idgrid
        source = self.community.source(device_id)
        return source is not None and source.owner_idgrid != idgrid

    def firmware(self, device: HomeDevice) -> str:
        """The version it tells; empty if it tells none."""
        known = self.stores.devices.get(device.device_id)
        return known.firmware if known is not None else ""

    def values(self, device: HomeDevice, silent: Collection[str]) -> DeviceValues:
        """What it told last."""
        measured = self.stores.measurements.latest(device.device_id)
        if measured is not None and measured.t_ms < device.owned_since_ms:
            measured = None
        known = self.stores.devices.get(device.device_id)
        shown = DeviceValues(
            state=self._state(device, silent),
            is_silent=bool({device.device_id, device.charge_id} & set(silent)),
            last_ms=measured.t_ms if measured is not None else None,
            voltage_mv=measured.u_mv if measured is not None else None,
            signal_dbm=known.signal_dbm if known is not None else None,
        )
        if device.role is Role.PLUG:
            return _of_plug(shown, measured, known.plug_on if known is not None else None)
        if device.role is Role.BATTERY:
            return self._of_battery(shown, device, measured)
        assert device.meter is not None, "only batteries are known without"
        return self._of_meter(shown, device.meter, measured, device.role)

    def _state(self, device: HomeDevice, silent: Collection[str]) -> str:
        heard = {
            name
            for name in (device.device_id, device.charge_id)
            if (known := self.stores.devices.get(name)) is not None and known.state == ONLINE
        }
        return ONLINE if heard - set(silent) else LOST

    def _of_meter(
        self, shown: DeviceValues, meter: Meter, measured: Measurement | None, role: Role
    ) -> DeviceValues:
        own = OwnReadings(self.readings, meter)
        latest = own.latest()
        before = own.before(latest.t_end_ms) if latest is not None else None
        between = power_between(before, latest, hour_ms=self.hour_ms)
        told = (
            Measured(meter.meter_id, measured.t_ms, power_w=_watts(measured.p_mw))
            if measured
            else None
        )
        power = newest_power(between, told)
        taken_w = power.power_w if power is not None else None
        is_source = role is Role.PRODUCTION and taken_w is not None
        return replace(
            _with_registers(shown, latest), power_w=-(taken_w or 0) if is_source else taken_w
        )

    def _of_battery(
        self, shown: DeviceValues, device: HomeDevice, measured: Measurement | None
    ) -> DeviceValues:
        now = self.stores.batteries.at(device.charge_id, 2**62)
        if now is not None and now.at_ms < device.owned_since_ms:
            now = None
        power_w = _watts(measured.p_mw) if measured is not None else None
        permille = measured.soc_permille if measured is not None else None
        if now is None:
            return replace(shown, power_w=power_w, charge_permille=permille)
        if permille is None and device.capacity_wh:
            permille = min(PERMILLE, PERMILLE * now.stored_wh // device.capacity_wh)
        before = self.stores.batteries.at(device.charge_id, now.at_ms - 1)
        if power_w is None and before is not None:
            power_w = _charging_w(before, now, self.hour_ms)
        return replace(
            shown,
            last_ms=max(now.at_ms, shown.last_ms or 0),
            power_w=power_w,
            charge_permille=permille,
            stored_wh=now.stored_wh,
        )


def _with_registers(shown: DeviceValues, latest: MeterReading | None) -> DeviceValues:
    """A meter's last value is its last signed reading; what it measures meanwhile is unsigned."""
    if latest is None:
        return replace(shown, last_ms=None)
    return replace(
        shown, last_ms=latest.t_end_ms, import_wh=latest.import_wh, export_wh=latest.export_wh
    )


def _of_plug(
    shown: DeviceValues, measured: Measurement | None, plug_on: int | None
) -> DeviceValues:
    if measured is None:
        return replace(shown, plug_on=plug_on)
    power_w = _watts(measured.p_mw)
    return replace(shown, plug_on=plug_on, power_w=power_w, energy_wh=measured.energy_wh)


def _charging_w(before: Observation, now: Observation, hour_ms: int) -> int:
    return (now.stored_wh - before.stored_wh) * hour_ms // (now.at_ms - before.at_ms)


def _watts(p_mw: int | None) -> int | None:
    return None if p_mw is None else round(p_mw / MILLIWATTS_PER_WATT)
