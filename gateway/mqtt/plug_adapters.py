"""Plugs of Tasmota and Shelly: their topics, and how they are switched.

Sources: https://tasmota.github.io/docs/MQTT/, https://shelly-api-docs.shelly.cloud/ (generation 1:
`#mqtt-support`; later ones: `gen2/ComponentsAndServices/Mqtt` and `General/Notifications`).
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.hems.service import Inbox
from gateway.mqtt.device_messages import LOST, ONLINE, DeviceState, Measurement
from gateway.mqtt.foreign_values import counter, counter_of_text, milli, milli_of_text, object_of

_TASMOTA_POWER = {b"ON": 1, b"OFF": 0}
_GEN1_RELAY = {b"on": 1, b"off": 0, b"overpower": 0}
_STATUS, _EVENTS, _SWITCH = "status/switch:0", "events/rpc", "switch:0"
_NOTIFICATIONS = ("NotifyStatus", "NotifyFullStatus")
_MEASURED = frozenset(("apower", "voltage", "current", "aenergy"))
WATT_MINUTES_PER_WH = 60
SIGNAL_DBM_MIN, SIGNAL_DBM_MAX = -130, 0


@dataclass(frozen=True, slots=True)
class Switch:
    """How a foreign plug is told to switch; it answers with its state."""

    topic: str
    on: bytes
    off: bytes


def _tell(inbox: Inbox, said: DeviceState) -> None:
    """Note a state; what the device said before in the same batch and not now still counts."""
    before = inbox.states.get(said.device_id)
    if before is not None and said.plug_on is None:
        said = replace(said, plug_on=before.plug_on)
    if before is not None and said.signal_dbm is None:
        said = replace(said, signal_dbm=before.signal_dbm)
    inbox.states[said.device_id] = said


def _dbm(value: object) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    is_signal = is_number and SIGNAL_DBM_MIN <= int(str(value)) <= SIGNAL_DBM_MAX
    return int(str(value)) if is_signal else None


def _part(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}


class TasmotaPlugs:
    """`tele/<plug>/SENSOR` with `ENERGY`, `tele/<plug>/LWT`, `stat/<plug>/POWER` when switched."""

    def __init__(self, devices: Mapping[str, str]) -> None:
        """Name in the topic → device."""
        self._devices = dict(devices)

    @property
    def topics(self) -> dict[str, list[str]]:
        """Device → the topics it publishes."""
        return {
            device: [
                *(f"tele/{name}/{leaf}" for leaf in ("SENSOR", "STATE", "LWT")),
                f"stat/{name}/POWER",
            ]
            for name, device in self._devices.items()
        }

    @property
    def switches(self) -> dict[str, Switch]:
        """Device → how it is switched."""
        return {
            device: Switch(f"cmnd/{name}/POWER", b"ON", b"OFF")
            for name, device in self._devices.items()
        }

    def take(self, topic: str, raw: bytes, inbox: Inbox, now_ms: int) -> bool:
        """Energy is a counter in kWh, `Power` in W."""
        levels = topic.split("/")
        if len(levels) != 3 or levels[1] not in self._devices:  # noqa: PLR2004 - kind/plug/leaf
            return False
        device, what = self._devices[levels[1]], (levels[0], levels[2])
        if what == ("tele", "LWT"):
            state = ONLINE if raw == b"Online" else LOST
            _tell(inbox, DeviceState(device, state, now_ms))
            return True
        if what == ("stat", "POWER") and raw in _TASMOTA_POWER:
            _tell(inbox, DeviceState(device, ONLINE, now_ms, plug_on=_TASMOTA_POWER[raw]))
            return True
        if what == ("tele", "STATE"):
            _take_tasmota_state(device, object_of(raw), inbox, now_ms)
            return True
        energy = object_of(raw).get("ENERGY") if what == ("tele", "SENSOR") else None
        if not isinstance(energy, dict):
            inbox.refused[device] += 1
            return True
        total = milli(energy.get("Total"))
        inbox.measurements.append(
            Measurement(
                device,
                now_ms,
                u_mv=milli(energy.get("Voltage")),
                i_ma=milli(energy.get("Current")),
                p_mw=milli(energy.get("Power")),
                energy_wh=total,
            )
        )
        return True


def _take_tasmota_state(device: str, state: Mapping[str, Any], inbox: Inbox, now_ms: int) -> None:
    """Told every few minutes: the relay as `POWER`, the radio's signal as `Wifi.Signal` in dBm."""
    power = _TASMOTA_POWER.get(str(state.get("POWER")).encode())
    if power is None:
        inbox.refused[device] += 1
        return
    signal_dbm = _dbm(_part(state, "Wifi").get("Signal"))
    _tell(inbox, DeviceState(device, ONLINE, now_ms, plug_on=power, signal_dbm=signal_dbm))


class ShellyPlugs:
    """Generation 2 and later: `<plug>/status/switch:0`, `<plug>/events/rpc`, `<plug>/online`."""

    def __init__(self, devices: Mapping[str, str]) -> None:
        """Name in the topic → device."""
        self._devices = dict(devices)
        self._status: dict[str, dict[str, Any]] = defaultdict(dict)
        """What each plug told of its switch so far: a notification has only what changed."""

    @property
    def topics(self) -> dict[str, list[str]]:
        """Device → the topics it publishes."""
        return {
            device: [f"{name}/{leaf}" for leaf in (_STATUS, _EVENTS, "online")]
            for name, device in self._devices.items()
        }

    @property
    def switches(self) -> dict[str, Switch]:
        """Device → how it is switched."""
        return {
            device: Switch(f"{name}/command/{_SWITCH}", b"on", b"off")
            for name, device in self._devices.items()
        }

    def take(self, topic: str, raw: bytes, inbox: Inbox, now_ms: int) -> bool:
        """`aenergy.total` is a counter in Wh, `apower` in W, `output` the relay."""
        name, _, leaf = topic.partition("/")
        if name not in self._devices or leaf not in {_STATUS, _EVENTS, "online"}:
            return False
        device = self._devices[name]
        if leaf == "online":
            state = ONLINE if raw == b"true" else LOST
            _tell(inbox, DeviceState(device, state, now_ms))
        elif leaf == _EVENTS:
            self._notified(device, object_of(raw), inbox, now_ms)
        else:
            status = object_of(raw)
            if counter(_part(status, "aenergy").get("total")) is None:
                inbox.refused[device] += 1
            else:
                self._changed(device, status, inbox, now_ms)
        return True

    def _notified(self, device: str, frame: Mapping[str, Any], inbox: Inbox, now_ms: int) -> None:
        """A notification of its status; events such as a pressed button say nothing here."""
        if not isinstance(frame.get("method"), str):
            inbox.refused[device] += 1
            return
        if frame["method"] not in _NOTIFICATIONS:
            return
        parts = _part(frame, "params")
        signal_dbm = _dbm(_part(parts, "wifi").get("rssi"))
        if signal_dbm is not None:
            _tell(inbox, DeviceState(device, ONLINE, now_ms, signal_dbm=signal_dbm))
        if changes := _part(parts, _SWITCH):
            self._changed(device, changes, inbox, now_ms)

    def _changed(self, device: str, changes: Mapping[str, Any], inbox: Inbox, now_ms: int) -> None:
        """Lay what changed over what is known, and note what the plug shows by it."""
        known = self._status[device]
        known |= {name: changes[name] for name in (*_MEASURED, "output") if name in changes}
        if isinstance(known.get("output"), bool):
            _tell(inbox, DeviceState(device, ONLINE, now_ms, plug_on=int(known["output"])))
        if not _MEASURED & changes.keys():
            return
        inbox.measurements.append(
            Measurement(
                device,
                now_ms,
                u_mv=milli(known.get("voltage")),
                i_ma=milli(known.get("current")),
                p_mw=milli(known.get("apower")),
                energy_wh=counter(_part(known, "aenergy").get("total")),
            )
        )


class ShellyGen1Plugs:
    """Generation 1: `shellies/<plug>/relay/0`, `…/power`, `…/energy`, `shellies/<plug>/online`."""

    def __init__(self, devices: Mapping[str, str]) -> None:
        """Name in the topic → device."""
        self._devices = dict(devices)
        self._known: dict[str, Measurement] = {}

    @property
    def topics(self) -> dict[str, list[str]]:
        """Device → the topics it publishes."""
        leaves = ("relay/0", "relay/0/power", "relay/0/energy", "online")
        return {
            device: [f"shellies/{name}/{leaf}" for leaf in leaves]
            for name, device in self._devices.items()
        }

    @property
    def switches(self) -> dict[str, Switch]:
        """Device → how it is switched."""
        return {
            device: Switch(f"shellies/{name}/relay/0/command", b"on", b"off")
            for name, device in self._devices.items()
        }

    def take(self, topic: str, raw: bytes, inbox: Inbox, now_ms: int) -> bool:
        """Power in W; energy is a counter in watt-minutes, which begins again with the plug."""
        prefix, _, rest = topic.partition("/")
        name, _, leaf = rest.partition("/")
        if prefix != "shellies" or name not in self._devices:
            return False
        device = self._devices[name]
        if leaf == "online":
            _tell(inbox, DeviceState(device, ONLINE if raw == b"true" else LOST, now_ms))
        elif leaf == "relay/0" and raw in _GEN1_RELAY:
            _tell(inbox, DeviceState(device, ONLINE, now_ms, plug_on=_GEN1_RELAY[raw]))
        elif leaf == "relay/0/power":
            self._measured(device, {"p_mw": milli_of_text(raw)}, inbox, now_ms)
        elif leaf == "relay/0/energy":
            minutes = counter_of_text(raw)
            energy_wh = None if minutes is None else minutes // WATT_MINUTES_PER_WH
            self._measured(device, {"energy_wh": energy_wh}, inbox, now_ms)
        else:
            inbox.refused[device] += 1
        return True

    def _measured(
        self, device: str, told: dict[str, int | None], inbox: Inbox, now_ms: int
    ) -> None:
        """Each message has one value; the other is as it was told before."""
        if None in told.values():
            inbox.refused[device] += 1
            return
        known = self._known.get(device, Measurement(device, now_ms))
        self._known[device] = changed = replace(known, t_ms=now_ms, **told)  # type: ignore[arg-type]
        inbox.measurements.append(changed)
