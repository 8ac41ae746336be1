"""What the Smart Meter page shows: live values, energy by hour and by day, appliances."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from chaincode.energy.hours import delivery_hour_ms
from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.registry.records import Meter
from gateway.books.metered_history import Energy, MeteredHours, total
from gateway.books.own_records import OwnRecords
from gateway.hems.power_now import PowerNow
from gateway.hems.series import Gap
from gateway.identity.sight import OwnReadings, own_measured
from gateway.ports import ApplianceEnergy, Measured
from gateway.services import Services
from gateway.web.gauges import Bounds, Range, power_bounds, voltage_bounds
from gateway.web.home_page import power_now

CONNECTION_W_DEFAULT = 10_000
"""Assumed power of a connection whose contract names none: 10 kWh an hour may be ordered."""
DAY_MS = 86_400_000
GAPS_SHOWN_MAX = 5
"""The newest ones; `/v1/devices/{id}/gaps` has all."""


@dataclass(frozen=True, slots=True)
class LiveMeter:
    """One meter at the connection with its newest values."""

    meter: Meter
    reading: MeterReading | None
    measured: Measured | None


@dataclass(frozen=True, slots=True)
class Chart:
    """Energy of the hours of a day or the days of a month, and its sums in Wh."""

    kind: str
    day: date
    parts: Sequence[Energy]
    imported_wh: int
    exported_wh: int
    earlier: date | None
    later: date | None


@dataclass(frozen=True, slots=True)
class MeterView:
    """The whole page."""

    meters: Sequence[LiveMeter]
    power: PowerNow | None
    power_range: Range
    power_bounds: Bounds
    voltage_range: Range
    voltage_bounds: Bounds
    voltage_mv: int | None
    chart: Chart | None
    appliances: Sequence[ApplianceEnergy]
    appliances_wh: int
    gaps: Sequence[Gap]
    """Readings that are missing in the last 24 hours, the newest first."""
    more_gaps: int
    """So many are not shown."""


def meter_view(services: Services, idgrid: str, *, kind: str, day: date | None) -> MeterView:
    """The page of a household; `kind` is day or month."""
    meters = [
        LiveMeter(
            meter=meter,
            reading=OwnReadings(services.readings, meter).latest(),
            measured=own_measured(meter, services.measurements.latest(meter.meter_id)),
        )
        for meter in services.community.meters()
        if meter.owner_idgrid == idgrid and meter.is_at_connection
    ]
    power = power_now(services, idgrid)
    connection = power_bounds(_connection_w(services, idgrid))
    voltage = next((m.measured.voltage_mv for m in meters if m.measured is not None), None)
    now_ms = services.clock_ms()
    gaps = [gap for live in meters for gap in _gaps(services, live.meter, now_ms)]
    gaps.sort(key=lambda gap: -gap.to_ms)
    appliances = services.measurements.appliances(idgrid, now_ms - DAY_MS, now_ms)
    return MeterView(
        meters=meters,
        power=power,
        power_range=connection.range_of(abs(power.power_w) if power else None),
        power_bounds=connection,
        voltage_range=voltage_bounds().range_of(voltage),
        voltage_bounds=voltage_bounds(),
        voltage_mv=voltage,
        chart=history_chart(services, idgrid, kind=kind, day=day),
        appliances=sorted(appliances, key=lambda plug: -plug.energy_wh),
        appliances_wh=sum(plug.energy_wh for plug in appliances),
        gaps=gaps[:GAPS_SHOWN_MAX],
        more_gaps=max(len(gaps) - GAPS_SHOWN_MAX, 0),
    )


def _gaps(services: Services, meter: Meter, now_ms: int) -> list[Gap]:
    """Of the last day, since it is the household's; none are known without a broker."""
    if services.hems is None:
        return []
    series, since_ms = services.hems.stores.series, max(now_ms - DAY_MS, meter.owned_since_ms)
    still_open = series.open_gap(meter.meter_id, since_ms, now_ms)
    found = series.gaps(meter.meter_id, since_ms, now_ms)
    return [*found, still_open] if still_open is not None else found


def history_chart(services: Services, idgrid: str, *, kind: str, day: date | None) -> Chart | None:
    """Energy of a day or month with its neighbours; None before anything is settled."""
    lines = OwnRecords(services.readmodel, idgrid).lines()
    hours = MeteredHours(
        {delivery_hour_ms(name): line for name, line in lines.items()}, services.local_time
    )
    days = hours.days
    if not days:
        return None
    shown = day or days[0]
    parts = hours.day(shown) if kind == "day" else hours.month(shown)
    imported_wh, exported_wh = total(parts)
    earlier = [known for known in days if _period(kind, known) < _period(kind, shown)]
    later = [known for known in days if _period(kind, known) > _period(kind, shown)]
    return Chart(
        kind=kind,
        day=shown,
        parts=parts,
        imported_wh=imported_wh,
        exported_wh=exported_wh,
        earlier=max(earlier, default=None),
        later=min(later, default=None),
    )


def _period(kind: str, day: date) -> date:
    return day if kind == "day" else day - timedelta(days=day.day - 1)


def _connection_w(services: Services, idgrid: str) -> int:
    participant = services.community.participant(idgrid)
    agreed = participant.contract_capacity_w if participant else None
    return agreed or CONNECTION_W_DEFAULT
