"""What flows now, as far as a meter told: what it measured, else its last two readings. Pure."""

from dataclasses import dataclass

from chaincode.energy.oracle.records import MeterReading
from gateway.ports import Measured


@dataclass(frozen=True, slots=True)
class PowerNow:
    """In W; positive is taken from the grid, negative is fed in. `at_ms` is when it was told."""

    power_w: int
    at_ms: int


def power_between(
    before: MeterReading | None, latest: MeterReading | None, *, hour_ms: int
) -> PowerNow | None:
    """None without two readings; `hour_ms` is the real length of a market hour."""
    if before is None or latest is None or latest.t_end_ms <= before.t_end_ms:
        return None
    imported_wh = latest.import_wh - before.import_wh
    exported_wh = latest.export_wh - before.export_wh
    power_w = (imported_wh - exported_wh) * hour_ms // (latest.t_end_ms - before.t_end_ms)
    return PowerNow(power_w=power_w, at_ms=latest.t_end_ms)


def newest_power(between: PowerNow | None, measured: Measured | None) -> PowerNow | None:
    """What was measured at an instant, if that was not before the last reading."""
    if measured is None or measured.power_w is None:
        return between
    if between is not None and measured.at_ms < between.at_ms:
        return between
    return PowerNow(power_w=measured.power_w, at_ms=measured.at_ms)
