"""What the oracle keeps in the world state; cumulative registers in Wh, time in ms UTC."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MeterReading:
    """Cumulative registers of one meter at the end of a period, as accepted."""

    meter_id: str
    seq: int
    t_end_ms: int
    import_wh: int
    export_wh: int
    quality: str
    signature: str
