"""What reading devices answers with: energy in Wh, unless told otherwise, times in ms UTC."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from chaincode.energy.oracle.records import MeterReading
from gateway.hems.devices import Device
from gateway.hems.quarantine import SetAside


@dataclass(frozen=True, slots=True)
class BatteryCharge:
    """What a battery held: `value` in kWh, as oracle jobs read it."""

    id: str
    value: float
    unit: Literal["kWh"]
    at_ms: int


@dataclass(frozen=True, slots=True)
class HourOfMeter:
    """Consumption (`value`) and feed-in of an hour in kWh, with the readings at its ends."""

    id: str
    value: float
    exported: float
    unit: Literal["kWh"]
    from_ms: int
    to_ms: int
    readings: tuple[MeterReading, MeterReading]


@dataclass(frozen=True, slots=True)
class SignedReadings:
    """Readings of a meter as they go to the ledger, in the order of time."""

    id: str
    readings: list[MeterReading]


@dataclass(frozen=True, slots=True)
class OwnedDevice(Device):
    """A device as its messages show it, and whose it is; relays are 0 open, 1 closed."""

    owner_idgrid: str | None


@dataclass(frozen=True, slots=True)
class SetAsideReading(SetAside):
    """A reading that was not believed; `listing_id` names the hour that may lack it, or null."""

    listing_id: str | None


@dataclass(frozen=True, slots=True)
class DayOfReadings:
    """Expected and received readings of a local day; `permille` is received of expected."""

    day: date
    expected: int
    received: int
    permille: int


@dataclass(frozen=True, slots=True)
class PayableEnergy:
    """A start or stop as a node told it (004:276-298): `time` in s UTC, `energy` in kWh."""

    name: Literal["Payable Energy"]
    event: str
    time: int
    energy: float
    device_id: str
