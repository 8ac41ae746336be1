"""Shop-bought plugs of the demo's homes: what a Tasmota and a Shelly plug publish and obey. Pure.

A plug's power is a share of its home's recorded load, within the appliance's limits. The load
itself stays as it was recorded: what is switched off here is missing on the plug alone.
"""

import json
from dataclasses import dataclass
from typing import Protocol

from gateway.demo.live_values import values_of

WH_PER_KWH = 1_000
MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Appliance:
    """How much of a home's load hangs on the plug, in percent, and its limits in W."""

    percent: int
    least_w: int
    most_w: int

    def power_w(self, load_w: int) -> int:
        """Its power while the home takes `load_w`."""
        return min(max(load_w * self.percent // 100, self.least_w), self.most_w)


FRIDGE = Appliance(percent=8, least_w=60, most_w=140)
WATER_HEATER = Appliance(percent=35, least_w=300, most_w=700)


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a plug."""

    topic: str
    payload: bytes


class Plug(Protocol):
    """A plug's own language."""

    @property
    def command_topic(self) -> str:
        """Where it listens."""

    def online(self) -> list[Said]:
        """What it says when it has connected."""

    def obey(self, payload: bytes) -> list[Said]:
        """A command; what it answers."""

    def measured(self, load_w: int, market_ms: int) -> list[Said]:
        """What it says after `market_ms` of the market's time in which the home took `load_w`."""


class _Counting:
    """Whether the plug is on, and its counter."""

    def __init__(self, appliance: Appliance) -> None:
        self._appliance = appliance
        self._is_on = True
        self._counted_w_ms = 0

    def _count(self, load_w: int, market_ms: int) -> int:
        """The power now."""
        watts = self._appliance.power_w(load_w) if self._is_on else 0
        self._counted_w_ms += watts * market_ms
        return watts

    @property
    def _counted_wh(self) -> float:
        return self._counted_w_ms / MS_PER_HOUR


class TasmotaPlug(_Counting):
    """`tele/<name>/SENSOR`, `tele/<name>/LWT`; `cmnd/<name>/POWER` is answered on `stat/…`."""

    def __init__(self, name: str, appliance: Appliance) -> None:
        super().__init__(appliance)
        self._name = name
        self.command_topic = f"cmnd/{name}/POWER"

    def online(self) -> list[Said]:
        """See `Plug`."""
        return [Said(f"tele/{self._name}/LWT", b"Online"), self._state()]

    def obey(self, payload: bytes) -> list[Said]:
        """See `Plug`."""
        if payload in (b"ON", b"OFF"):
            self._is_on = payload == b"ON"
        return [self._state()]

    def measured(self, load_w: int, market_ms: int) -> list[Said]:
        """See `Plug`."""
        values = values_of(self._count(load_w, market_ms))
        energy = {
            "Total": round(self._counted_wh / WH_PER_KWH, 3),
            "Power": values.p_mw // 1_000,
            "Voltage": values.u_mv // 1_000,
            "Current": values.i_ma / 1_000,
        }
        return [Said(f"tele/{self._name}/SENSOR", json.dumps({"ENERGY": energy}).encode())]

    def _state(self) -> Said:
        return Said(f"stat/{self._name}/POWER", b"ON" if self._is_on else b"OFF")


class ShellyPlug(_Counting):
    """Generation 2: `<name>/status/switch:0` and `<name>/online`."""

    def __init__(self, name: str, appliance: Appliance) -> None:
        super().__init__(appliance)
        self._name = name
        self._load_w = 0
        self.command_topic = f"{name}/command/switch:0"

    def online(self) -> list[Said]:
        """See `Plug`."""
        return [Said(f"{self._name}/online", b"true")]

    def obey(self, payload: bytes) -> list[Said]:
        """See `Plug`."""
        if payload in (b"on", b"off"):
            self._is_on = payload == b"on"
        return self.measured(self._load_w, 0)

    def measured(self, load_w: int, market_ms: int) -> list[Said]:
        """See `Plug`."""
        self._load_w = load_w
        values = values_of(self._count(load_w, market_ms))
        status = {
            "id": 0,
            "output": self._is_on,
            "apower": values.p_mw / 1_000,
            "voltage": values.u_mv / 1_000,
            "current": values.i_ma / 1_000,
            "aenergy": {"total": round(self._counted_wh, 3)},
        }
        return [Said(f"{self._name}/status/switch:0", json.dumps(status).encode())]


def plug_of(kind: str, name: str) -> Plug:
    """A plug by its kind in the settings: a Tasmota's fridge, or a Shelly's water heater."""
    return TasmotaPlug(name, FRIDGE) if kind == "tasmota" else ShellyPlug(name, WATER_HEATER)
