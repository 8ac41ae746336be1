"""What the PV and battery page shows: sources with their state, charge now and over the day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.registry.records import Res
from gateway.hems.batteries import Observation
from gateway.hems.power_now import PowerNow, power_between
from gateway.identity.sight import OwnReadings
from gateway.ports import Measured
from gateway.services import Services
from gateway.web.gauges import Bounds, Range, charge_bounds
from gateway.web.meter_page import Chart, history_chart

HOURS_OF_CHARGE_SHOWN = 24
BATTERY = "battery"


@dataclass(frozen=True, slots=True)
class Source:
    """A source with the meter that measures it, if it has one of its own."""

    res: Res
    reading: MeterReading | None
    power: PowerNow | None
    measured: Measured | None


@dataclass(frozen=True, slots=True)
class Battery:
    """A battery; capacity is what its registration says, in Wh. None: nothing was reported."""

    res: Res
    now: Observation | None
    charge_percent: int | None
    charge_range: Range
    history: Sequence[Observation]


@dataclass(frozen=True, slots=True)
class ProductionView:
    """The whole page."""

    sources: Sequence[Source]
    batteries: Sequence[Battery]
    charge_bounds: Bounds
    chart: Chart | None


def production_view(
    services: Services, idgrid: str, *, kind: str, day: date | None
) -> ProductionView:
    """The page of a household."""
    own = [res for res in services.community.sources() if res.owner_idgrid == idgrid]
    return ProductionView(
        sources=[_source(services, res) for res in own if res.source_type != BATTERY],
        batteries=[_battery(services, res) for res in own if res.source_type == BATTERY],
        charge_bounds=charge_bounds(),
        chart=history_chart(services, idgrid, kind=kind, day=day),
    )


def _source(services: Services, res: Res) -> Source:
    meters = [
        OwnReadings(services.readings, meter)
        for meter in services.community.meters()
        if meter.res_id == res.res_id and meter.owner_idgrid == res.owner_idgrid
    ]
    latest = meters[0].latest() if meters else None
    before = meters[0].before(latest.t_end_ms) if latest else None
    return Source(
        res=res,
        reading=latest,
        power=power_between(before, latest, hour_ms=services.energy_hour_ms),
        measured=services.measurements.latest(res.res_id),
    )


def _battery(services: Services, res: Res) -> Battery:
    now_ms = services.clock_ms()
    observed = services.batteries.at(res.res_id, now_ms)
    since_ms = now_ms - HOURS_OF_CHARGE_SHOWN * services.energy_hour_ms
    percent = None
    # The registry keeps one number per source; of a battery it is taken as its capacity in Wh.
    if observed is not None and res.capacity_w:
        percent = min(100, 100 * observed.stored_wh // res.capacity_w)
    return Battery(
        res=res,
        now=observed,
        charge_percent=percent,
        charge_range=charge_bounds().range_of(percent),
        history=services.batteries.since(res.res_id, since_ms),
    )
