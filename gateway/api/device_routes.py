"""What the home energy data service knows of devices, for their owner and for the manager."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query

from chaincode.energy.hours import DAY_MS, TIME_MS_MAX
from chaincode.energy.registry.devices import METER
from chaincode.energy.registry.records import Meter
from gateway.api.access import Owner, OwnReader, UsedServices
from gateway.api.device_answers import DayOfReadings, OwnedDevice, PayableEnergy, SetAsideReading
from gateway.books.own_devices import owned_device
from gateway.books.quarantined import quarantined
from gateway.errors import Problem, RequestRefused
from gateway.hems.alarms import Alarm
from gateway.hems.device_health import days_of_readings
from gateway.hems.quarantine import PAGE_MAX
from gateway.hems.series import Gap
from gateway.hems.service import HemsService
from gateway.hems.transfer_rules import Transfer
from gateway.identity.scopes import Scope
from gateway.identity.sessions import Viewer
from gateway.identity.sight import is_of_owner
from gateway.mqtt.device_messages import MWH_PER_KWH, Measurement
from gateway.services import Services

DAYS_MAX = 31
MEASUREMENTS_SHOWN_MAX = 5_000

router = APIRouter(prefix="/v1", tags=["devices"])

DeviceId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
TransferId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
Instant = Annotated[int | None, Query(ge=0, le=TIME_MS_MAX)]


@router.get("/devices")
def devices(services: UsedServices, viewer: OwnReader) -> list[OwnedDevice]:
    """One's own devices, the manager's view all: online, last seen, firmware, refused messages."""
    owners = _owners(services)
    return [
        OwnedDevice(**asdict(device), owner_idgrid=owners.get(device.device_id))
        for device in hems_of(services).stores.devices.all()
        if _sees(viewer, owners.get(device.device_id))
    ]


@router.get("/devices/{device_id}/measurements")
def measurements(
    device_id: DeviceId,
    services: UsedServices,
    viewer: Owner,
    from_ms: Instant = None,
    to_ms: Instant = None,
) -> list[Measurement]:
    """Values of a device in a time (the last hour), oldest first, the last 5,000; owners only."""
    owned_since_ms = require_owner(services, viewer, device_id)
    end_ms = services.clock_ms() + 1 if to_ms is None else to_ms
    start_ms = end_ms - services.energy_hour_ms if from_ms is None else from_ms
    store = hems_of(services).stores.measurements
    since_ms = max(start_ms, owned_since_ms)
    return store.newest(device_id, since_ms, end_ms, MEASUREMENTS_SHOWN_MAX)


@router.get("/devices/{device_id}/availability")
def device_availability(
    device_id: DeviceId,
    services: UsedServices,
    viewer: OwnReader,
    days: Annotated[int, Query(ge=1, le=DAYS_MAX)] = 7,
) -> list[DayOfReadings]:
    """Expected and received readings per local day since the first, received in thousandths.

    Plugs and batteries owe no readings: they have no days.
    """
    seen_from_ms = 0
    if not _is_manager(viewer):
        seen_from_ms = require_owner(services, viewer, device_id)
    device = services.community.meter(device_id)
    if device is not None and device.kind != METER:
        return []
    now_ms, local = services.clock_ms(), services.local_time
    from_ms, _ = local.day_ms(local.day_of(now_ms) - timedelta(days=days - 1))
    found = days_of_readings(
        services.readmodel.database,
        [device_id],
        from_ms=max(from_ms, seen_from_ms),
        now_ms=now_ms,
        interval_ms=hems_of(services).interval_ms,
        local=local,
    )
    return [DayOfReadings(**asdict(day), permille=day.permille) for day in found[device_id]]


@router.get("/devices/{device_id}/gaps")
def device_gaps(
    device_id: DeviceId,
    services: UsedServices,
    viewer: OwnReader,
    from_ms: Instant = None,
    to_ms: Instant = None,
) -> list[Gap]:
    """Readings that are missing in a time (the last day), by number and interval.

    The last gap has `last_seq` null if it is open: nothing has come since `from_ms`.
    """
    seen_from_ms = 0
    if not _is_manager(viewer):
        seen_from_ms = require_owner(services, viewer, device_id)
    end_ms = services.clock_ms() if to_ms is None else to_ms
    start_ms = end_ms - DAY_MS if from_ms is None else from_ms
    series, since_ms = hems_of(services).stores.series, max(start_ms, seen_from_ms)
    still_open = series.open_gap(device_id, since_ms, end_ms)
    return [*series.gaps(device_id, since_ms, end_ms), *([still_open] if still_open else [])]


@router.get("/alarms")
def alarms(services: UsedServices, viewer: OwnReader) -> list[Alarm]:
    """Alarms of one's own devices, the manager's view all; standing and cleared, newest first."""
    meters = {meter.meter_id: meter for meter in services.community.meters()}
    return [
        alarm
        for alarm in hems_of(services).stores.alarms.all()
        if _sees_alarm(viewer, meters.get(alarm.device_id), alarm)
    ]


@router.get("/set-aside")
def readings_set_aside(
    services: UsedServices,
    viewer: OwnReader,
    below: Annotated[int | None, Query(ge=0, le=TIME_MS_MAX)] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE_MAX,
) -> list[SetAsideReading]:
    """Readings of one's own devices that were not believed, the manager's view all, newest first.

    With the reason and, where there is one, the listing whose hour ends or begins with it: there a
    missing reading is disputed. `below` is the number of the last one of the page before.
    """
    return [
        SetAsideReading(**asdict(one.reading), listing_id=one.listing_id)
        for one in quarantined(
            services.readmodel,
            services.community,
            None if _is_manager(viewer) else viewer.idgrid,
            below=below,
            limit=limit,
        )
    ]


@router.get("/transfers")
def transfers(services: UsedServices, viewer: OwnReader) -> list[Transfer]:
    """Transfers one is a party of, the manager's view all, newest first."""
    return [
        transfer
        for transfer in hems_of(services).stores.transfers.all()
        if any(_sees(viewer, end.idgrid) for end in transfer.ends)
    ]


@router.get("/transfers/{transfer_id}/events")
def transfer_events(
    transfer_id: TransferId, services: UsedServices, viewer: OwnReader
) -> list[PayableEnergy]:
    """Starts and stops of a transfer's energy as its nodes told them (004:276-298)."""
    book = hems_of(services).stores.transfers
    transfer = book.get(transfer_id)
    if transfer is None:
        raise RequestRefused(Problem.NOT_FOUND, f"there is no transfer {transfer_id}")
    if not any(_sees(viewer, end.idgrid) for end in transfer.ends):
        raise RequestRefused(Problem.FORBIDDEN, "this transfer is between others")
    return [
        PayableEnergy(
            name="Payable Energy",
            event=event.event,
            time=event.seconds,
            energy=event.energy_mwh / MWH_PER_KWH,
            device_id=event.device_id,
        )
        for event in book.events(transfer_id)
    ]


def hems_of(services: Services) -> HemsService:
    """The data service; 404 in a gateway without a broker."""
    if services.hems is None:
        raise RequestRefused(Problem.NOT_FOUND, "this gateway listens to no broker")
    return services.hems


def _owners(services: Services) -> dict[str, str]:
    return {meter.meter_id: meter.owner_idgrid for meter in services.community.meters()}


def _is_manager(viewer: Viewer) -> bool:
    return viewer.is_manager and viewer.may(Scope.COMMUNITY_READ)


def _sees_alarm(viewer: Viewer, meter: Meter | None, alarm: Alarm) -> bool:
    """Of a device that changed hands, what was before is its former owner's and the manager's."""
    if meter is not None and not is_of_owner(meter, alarm.raised_ms):
        return _is_manager(viewer)
    return _sees(viewer, meter.owner_idgrid if meter is not None else None)


def _sees(viewer: Viewer, owner_idgrid: str | None) -> bool:
    is_own = owner_idgrid == viewer.idgrid and viewer.may(Scope.OWN_READ)
    return is_own or _is_manager(viewer)


def require_owner(services: Services, viewer: Viewer, device_id: str) -> int:
    """Since when (ms UTC) it is the viewer's: what was before belongs to who had it then.

    The same 403 for a device that nobody has as for somebody else's.
    """
    idgrid = viewer.idgrid if viewer.may(Scope.OWN_READ) else ""
    return owned_device(services.community, idgrid, device_id).owned_since_ms
