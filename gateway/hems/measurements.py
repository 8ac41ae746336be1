"""Values of devices over time: stored, per appliance, and compared with what is usual.

Not signed and not for settlement: for awareness, alarms and pages.
"""

import statistics
from collections.abc import Sequence

from sqlalchemy import insert, select

from gateway.database import Database
from gateway.hems.anchored_rows import MEASUREMENTS, next_row
from gateway.hems.appliance_energy import ApplianceEnergy
from gateway.hems.tables import MeasurementRow
from gateway.mqtt.device_messages import Measurement

RUNNING_MW_MIN = 5_000
"""Below, an appliance only stands by."""
USUAL_SAMPLES_MIN = 20
USUAL_SAMPLES_MAX = 2_000
USUAL_KNOWN_MS = 10 * 60_000
IRREGULAR_PERMILLE = 2_500
"""So many times the usual power in thousandths is irregular; a kettle at three times is."""
_COLUMNS = (
    MeasurementRow.device_id,
    MeasurementRow.t_ms,
    MeasurementRow.u_mv,
    MeasurementRow.i_ma,
    MeasurementRow.p_mw,
    MeasurementRow.soc_permille,
    MeasurementRow.flags,
    MeasurementRow.energy_wh,
)


class MeasurementStore:
    """Measurements in the gateway's database. Calls block."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._energy = ApplianceEnergy(database)
        self._latest: dict[str, Measurement] = {}
        self._usual: dict[str, tuple[int, list[int | None]]] = {}
        """What an appliance used to take, and until when that is taken as known."""

    def keep(self, measurements: Sequence[Measurement], now_ms: int) -> None:
        """Store those whose instant is new for their device."""
        wanted = {(found.device_id, found.t_ms): found for found in measurements}
        if not wanted:
            return
        with self._database.writing() as connection:
            stored = select(MeasurementRow.device_id, MeasurementRow.t_ms).where(
                MeasurementRow.device_id.in_({name for name, _ in wanted}),
                MeasurementRow.t_ms.in_({t_ms for _, t_ms in wanted}),
            )
            known = {tuple(row) for row in connection.execute(stored)}
            new = [found for key, found in wanted.items() if key not in known]
            if new:
                row = next_row(connection, MEASUREMENTS)
                values = [
                    _values(found, number, now_ms) for number, found in enumerate(new, start=row)
                ]
                connection.execute(insert(MeasurementRow), values)
        for found in wanted.values():
            last = self._latest.get(found.device_id)
            if last is None or found.t_ms >= last.t_ms:
                self._latest[found.device_id] = found

    def latest(self, device_id: str) -> Measurement | None:
        """The newest measurement of a device."""
        if device_id not in self._latest:
            newest = (
                select(*_COLUMNS)
                .where(MeasurementRow.device_id == device_id)
                .order_by(MeasurementRow.t_ms.desc())
                .limit(1)
            )
            with self._database.reading() as connection:
                row = connection.execute(newest).first()
            if row is None:
                return None
            self._latest[device_id] = _measurement(*row)
        return self._latest[device_id]

    def newest(self, device_id: str, from_ms: int, to_ms: int, limit: int) -> list[Measurement]:
        """The last `limit` measurements with from_ms <= t < to_ms, in order."""
        wanted = (
            select(*_COLUMNS)
            .where(
                MeasurementRow.device_id == device_id,
                MeasurementRow.t_ms >= from_ms,
                MeasurementRow.t_ms < to_ms,
            )
            .order_by(MeasurementRow.t_ms.desc())
            .limit(limit)
        )
        with self._database.reading() as connection:
            found = [_measurement(*row) for row in connection.execute(wanted)]
        return found[::-1]

    def energy_wh(
        self, device_id: str, from_ms: int, to_ms: int, *, not_before_ms: int = 0
    ) -> int:
        """Energy of an appliance in from_ms <= t < to_ms; see `appliance_energy`."""
        return self._energy.between(device_id, from_ms, to_ms, not_before_ms=not_before_ms)

    def irregular(self, measurement: Measurement) -> int | None:
        """The usual power in mW when this one is far above it; None when it is not."""
        power = measurement.p_mw
        if power is None or power < RUNNING_MW_MIN:
            return None
        return irregular_against(power, self._usual_mw(measurement))

    def _usual_mw(self, measurement: Measurement) -> list[int | None]:
        until_ms, known = self._usual.get(measurement.device_id, (0, []))
        if measurement.t_ms < until_ms and len(known) >= USUAL_SAMPLES_MIN:
            return known
        usual = (
            select(MeasurementRow.p_mw)
            .where(
                MeasurementRow.device_id == measurement.device_id,
                MeasurementRow.p_mw >= RUNNING_MW_MIN,
                MeasurementRow.t_ms < measurement.t_ms,
            )
            .order_by(MeasurementRow.t_ms.desc())
            .limit(USUAL_SAMPLES_MAX)
        )
        with self._database.reading() as connection:
            found = list(connection.execute(usual).scalars())
        self._usual[measurement.device_id] = (measurement.t_ms + USUAL_KNOWN_MS, found)
        return found


def irregular_against(power_mw: int, usual_mw: Sequence[int | None]) -> int | None:
    """The median of the usual powers if `power_mw` is irregular beside it. Pure."""
    known = [value for value in usual_mw if value is not None]
    if len(known) < USUAL_SAMPLES_MIN:
        return None
    median = int(statistics.median(known))
    return median if power_mw * 1_000 >= median * IRREGULAR_PERMILLE else None


def _values(found: Measurement, row: int, now_ms: int) -> dict[str, object]:
    return {
        "row": row,
        "device_id": found.device_id,
        "t_ms": found.t_ms,
        "u_mv": found.u_mv,
        "i_ma": found.i_ma,
        "p_mw": found.p_mw,
        "soc_permille": found.soc_permille,
        "energy_wh": found.energy_wh,
        "flags": ",".join(found.flags),
        "received_ms": now_ms,
    }


def _measurement(
    device_id: str,
    t_ms: int,
    u_mv: int | None,
    i_ma: int | None,
    p_mw: int | None,
    soc_permille: int | None,
    flags: str,
    energy: int | None,
) -> Measurement:
    return Measurement(
        device_id=device_id,
        t_ms=t_ms,
        u_mv=u_mv,
        i_ma=i_ma,
        p_mw=p_mw,
        soc_permille=soc_permille,
        flags=tuple(flags.split(",")) if flags else (),
        energy_wh=energy,
    )
