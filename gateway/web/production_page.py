"""What the PV and battery page shows: sources and batteries now, and over days and months."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from chaincode.energy.hours import HOUR_MS, TIME_MS_MAX, delivery_hour_ms, listing_id_at
from chaincode.energy.registry.devices import METER
from chaincode.energy.registry.records import Meter, Res
from chaincode.energy.registry.registration import BATTERY
from gateway.books.hourly_energy import HourWindow, PeriodChart, charted, hourly
from gateway.hems.batteries import Observation
from gateway.hems.power_now import PowerNow, newest_power, power_between
from gateway.identity.sight import OwnReadings, own_measured, told_of_source_since_ms
from gateway.ports import Measured
from gateway.readmodel.market_queries import listings_named
from gateway.services import Services
from gateway.web.gauges import Bounds, Range, charge_bounds
from gateway.web.languages import local_start
from gateway.web.meter_page import Chart, history_chart

HOURS_OF_CHARGE_SHOWN = 24


@dataclass(frozen=True, slots=True)
class Source:
    """A source with what its own meter told, if it has one.

    `produced` is one series, in Wh; None without a meter.
    """

    res: Res
    power: PowerNow | None
    measured: Measured | None
    produced: PeriodChart | None


@dataclass(frozen=True, slots=True)
class Battery:
    """A battery; capacity is what its registration says, in Wh. None: nothing was reported.

    `flows` has two series in Wh: charged, and given back.
    """

    res: Res
    now: Observation | None
    charge_percent: int | None
    charge_range: Range
    history: Sequence[Observation]
    flows: PeriodChart | None


@dataclass(frozen=True, slots=True)
class ProductionView:
    """The whole page."""

    sources: Sequence[Source]
    batteries: Sequence[Battery]
    charge_bounds: Bounds
    chart: Chart | None


@dataclass(frozen=True, slots=True)
class _Period:
    """The day or month shown, with the market hours in it."""

    kind: str
    day: date
    windows: Sequence[HourWindow]


def production_view(
    services: Services, idgrid: str, *, kind: str, day: date | None
) -> ProductionView:
    """The page of a household; `kind` is day or month."""
    own = [res for res in services.community.sources() if res.owner_idgrid == idgrid]
    chart = history_chart(services, idgrid, kind=kind, day=day)
    period = _period(services, kind, day or (chart.day if chart else None))
    return ProductionView(
        sources=[_source(services, res, period) for res in own if res.source_type != BATTERY],
        batteries=[_battery(services, res, period) for res in own if res.source_type == BATTERY],
        charge_bounds=charge_bounds(),
        chart=chart,
    )


def _period(services: Services, kind: str, day: date | None) -> _Period | None:
    """Its market hours, by their names; None before there is any day to show."""
    local = services.local_time
    if day is None:
        latest = services.market.latest(1)
        if not latest:
            return None
        day = local_start(latest[0].listing_id, local).date()
    begin_ms, end_ms = local.day_ms(day) if kind == "day" else local.month_ms(f"{day:%Y-%m}")
    names = [listing_id_at(-(-at_ms // HOUR_MS) * HOUR_MS) for at_ms in (begin_ms, end_ms)]
    windows = [
        HourWindow(delivery_hour_ms(one.listing_id), one.delivery_start_ms, one.delivery_end_ms)
        for one in listings_named(services.readmodel, *names)
    ]
    return _Period(kind, day, windows)


def _source(services: Services, res: Res, period: _Period | None) -> Source:
    meter = next(
        (
            meter
            for meter in services.community.meters()
            if meter.res_id == res.res_id
            and meter.owner_idgrid == res.owner_idgrid
            and meter.kind == METER
        ),
        None,
    )
    if meter is None:
        told = services.measurements.latest(res.res_id)
        since_ms = _told_since_ms(services, res)
        return Source(res, None, told if told and told.at_ms >= since_ms else None, None)
    return Source(
        res=res,
        power=_power(services, meter),
        measured=own_measured(meter, services.measurements.latest(meter.meter_id)),
        produced=_produced(services, meter, period),
    )


def _told_since_ms(services: Services, res: Res) -> int:
    """Since when what is told under a source's name is the household's; never: after all time."""
    since_ms = told_of_source_since_ms(res, services.community.meter(res.res_id))
    return TIME_MS_MAX if since_ms is None else since_ms


def _power(services: Services, meter: Meter) -> PowerNow | None:
    readings = OwnReadings(services.readings, meter)
    latest = readings.latest()
    before = readings.before(latest.t_end_ms) if latest else None
    between = power_between(before, latest, hour_ms=services.energy_hour_ms)
    return newest_power(between, own_measured(meter, services.measurements.latest(meter.meter_id)))


def _produced(services: Services, meter: Meter, period: _Period | None) -> PeriodChart | None:
    """What its register of exported energy gained."""
    if period is None:
        return None
    readings = OwnReadings(services.readings, meter)

    def register_at(instant_ms: int) -> tuple[int, int] | None:
        reading = readings.until(instant_ms)
        return None if reading is None else (reading.t_end_ms, reading.export_wh)

    gained = hourly(period.windows, register_at)
    return charted(gained, services.local_time, kind=period.kind, day=period.day, series=1)


def _battery(services: Services, res: Res, period: _Period | None) -> Battery:
    now_ms = services.clock_ms()
    observed = services.batteries.at(res.res_id, now_ms)
    own_since_ms = _told_since_ms(services, res)
    if observed is not None and observed.at_ms < own_since_ms:
        observed = None
    since_ms = max(own_since_ms, now_ms - HOURS_OF_CHARGE_SHOWN * services.energy_hour_ms)
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
        flows=_flows(services, res, period),
    )


def _flows(services: Services, res: Res, period: _Period | None) -> PeriodChart | None:
    """What it charged and gave back, net of each hour, from its charge at the hours' ends."""
    if services.hems is None or period is None:
        return None
    charges, own_since_ms = services.hems.stores.charges, _told_since_ms(services, res)

    def stored_at(instant_ms: int) -> tuple[int, int] | None:
        seen = charges.until(res.res_id, instant_ms)
        is_own = seen is not None and seen.at_ms >= own_since_ms
        return (seen.at_ms, seen.stored_wh) if seen is not None and is_own else None

    changes = hourly(period.windows, stored_at)
    flows = {start: _charged_and_given(*values) for start, values in changes.items()}
    return charted(flows, services.local_time, kind=period.kind, day=period.day, series=2)


def _charged_and_given(change_wh: int | None) -> tuple[int | None, ...]:
    return (None, None) if change_wh is None else (max(change_wh, 0), max(-change_wh, 0))
