"""The home energy management interface: what a device last showed, as JSON with `value`.

The two paths and the member `value` are those of the source documents (002:274-275, 002:426), so
that an oracle job written for them works here.
"""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query

from chaincode.energy.hours import TIME_MS_MAX
from chaincode.energy.registry.records import Meter
from chaincode.energy.registry.registration import BATTERY
from gateway.api.access import DeviceReader, UsedServices, no_such_device
from gateway.api.device_answers import BatteryCharge, HourOfMeter, SignedReadings
from gateway.api.schemas import also_refused
from gateway.errors import Problem, RequestRefused
from gateway.hems.metered_hour import metered_hour
from gateway.hems.series import SIGNED_READINGS_PER_PAGE
from gateway.identity.scopes import Scope
from gateway.identity.sessions import Viewer
from gateway.identity.sight import OwnReadings, told_of_source_since_ms
from gateway.services import Services

WH_PER_KWH = 1000

router = APIRouter(tags=["hems"])

DeviceId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
Instant = Annotated[int | None, Query(ge=0, le=TIME_MS_MAX)]


@router.get("/battery-soc/{battery_id}", openapi_extra=also_refused(409))
def battery_soc(
    battery_id: DeviceId, services: UsedServices, viewer: DeviceReader, at_ms: Instant = None
) -> BatteryCharge:
    """The energy a battery held last, at or before `at_ms`; `value` is in kWh."""
    source = services.community.source(battery_id)
    if source is None or source.source_type != BATTERY:
        raise no_such_device(viewer, f"battery {battery_id}")
    since_ms = told_of_source_since_ms(source, services.community.meter(battery_id))
    owner = services.community.participant(source.owner_idgrid)
    _require_sight(services, viewer, source.owner_idgrid, owner.meter_ids if owner else [])
    if since_ms is None:
        raise no_such_device(viewer, f"battery {battery_id}")
    observed = services.batteries.at(battery_id, _instant(services, at_ms))
    if observed is None or observed.at_ms < since_ms:
        raise RequestRefused(Problem.CONFLICT, f"{battery_id} had not reported by then")
    return BatteryCharge(
        id=battery_id,
        value=observed.stored_wh / WH_PER_KWH,
        unit="kWh",
        at_ms=observed.at_ms,
    )


@router.get("/smartmeter/{meter_id}", openapi_extra=also_refused(409))
def smart_meter(
    meter_id: DeviceId, services: UsedServices, viewer: DeviceReader, at_ms: Instant = None
) -> HourOfMeter:
    """Consumption of the last hour up to `at_ms` in kWh, and the signed readings it is from."""
    meter = services.community.meter(meter_id)
    if meter is None:
        raise no_such_device(viewer, f"meter {meter_id}")
    _require_sight(services, viewer, meter.owner_idgrid, [meter_id])
    readings = _readings_for(services, viewer, meter)
    instant_ms = _instant(services, at_ms)
    hour = metered_hour(
        readings.until(instant_ms - services.energy_hour_ms),
        readings.until(instant_ms),
        at_ms=instant_ms,
        hour_ms=services.energy_hour_ms,
    )
    if hour is None:
        raise RequestRefused(Problem.CONFLICT, f"{meter_id} did not report at both ends")
    return HourOfMeter(
        id=meter_id,
        value=hour.imported_wh / WH_PER_KWH,
        exported=hour.exported_wh / WH_PER_KWH,
        unit="kWh",
        from_ms=hour.start.t_end_ms,
        to_ms=hour.end.t_end_ms,
        readings=(hour.start, hour.end),
    )


@router.get("/v1/meters/{meter_id}/signed-readings")
def signed_readings(
    meter_id: DeviceId,
    services: UsedServices,
    viewer: DeviceReader,
    after_ms: Annotated[int, Query(ge=0, le=TIME_MS_MAX)],
    until_ms: Annotated[int, Query(ge=0, le=TIME_MS_MAX)],
) -> SignedReadings:
    """Readings whose period ended in after_ms < t_end <= until_ms, the first 100 of them.

    For whoever carries them to the ledger: each has the signature that the contract checks. A page
    of 100 may have more behind it: ask again with `after_ms` set to the end of the last one.
    """
    meter = services.community.meter(meter_id)
    if meter is None:
        raise no_such_device(viewer, f"meter {meter_id}")
    _require_sight(services, viewer, meter.owner_idgrid, [meter_id])
    own = _readings_for(services, viewer, meter)
    return SignedReadings(meter_id, own.between(after_ms, until_ms, SIGNED_READINGS_PER_PAGE))


def _readings_for(services: Services, viewer: Viewer, meter: Meter) -> OwnReadings:
    """Since it is its owner's; an oracle carries an hour to the ledger for who had it then."""
    since_ms = 0 if viewer.is_oracle else meter.owned_since_ms
    return OwnReadings(services.readings, replace(meter, owned_since_ms=since_ms))


def _instant(services: Services, at_ms: int | None) -> int:
    return services.clock_ms() if at_ms is None else at_ms


def _require_sight(
    services: Services, viewer: Viewer, owner_idgrid: str, meter_ids: list[str]
) -> None:
    """The owner; a member's oracle as far as the owner lets the market read."""
    if viewer.is_oracle:
        now_ms = services.clock_ms()
        if not services.community.market_may_read(owner_idgrid, meter_ids, now_ms):
            raise RequestRefused(
                Problem.FORBIDDEN,
                "the owner has not granted access to the meter",
                extensions={"code": "NO_DATA_ACCESS"},
            )
    elif viewer.idgrid != owner_idgrid or not viewer.may(Scope.OWN_READ):
        raise no_such_device(viewer, "such device")
