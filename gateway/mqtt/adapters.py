"""Foreign topics: the source documents' own, plugs of Tasmota and Shelly, readers of P1 ports.

Each adapter says which device publishes which topics (`topics`) and takes a message into the
collector's inbox (`take`), or says that it is not its own. None of these devices signs: their
values inform, and settle nothing.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from gateway.hems.service import Inbox
from gateway.mqtt.device_messages import LOST, MILLI_MAX, ONLINE, DeviceState, Measurement
from gateway.mqtt.p1_telegram import read_telegram
from gateway.mqtt.reading import BadReading
from gateway.mqtt.topics import Access
from gateway.mqtt.transfer_notice import NoticeRefusal, decode_transfer_notice
from gateway.settings import ForeignDevices
from gateway.strict_json import BadJson, parse_strictly

NUMBER_BYTES_MAX = 32
MESSAGE_BYTES_MAX = 4_096
MILLI = 1_000
_SOURCE_FIELDS = {"voltage": "u_mv", "current": "i_ma", "potencia": "p_mw", "voltageBESS": "u_mv"}
"""Of the source's topics `p2p/…` (001:1821-1835); the battery's voltage is a device of its own."""
ENERGY = "energy"
_POWER = {b"ON": 1, b"OFF": 0}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Switch:
    """How a foreign plug is told to switch; it answers with its state."""

    topic: str
    on: bytes
    off: bytes


class Adapter(Protocol):
    """Understands the topics of one kind of foreign device."""

    @property
    def topics(self) -> dict[str, list[str]]:
        """Device → the topics it publishes."""

    @property
    def switches(self) -> dict[str, Switch]:
        """Device → how it is switched, of those that can be."""

    def take(self, topic: str, raw: bytes, inbox: Inbox, now_ms: int) -> bool:
        """Read a message into the inbox; False if it is not this adapter's."""


def adapters_for(foreign: ForeignDevices) -> list[Adapter]:
    """An adapter per kind of foreign device."""
    return [
        SourceTopics(foreign.source),
        TasmotaPlugs(foreign.tasmota),
        ShellyPlugs(foreign.shelly),
        P1Meters(foreign.p1),
        EnergyNotices(foreign.energy),
    ]


def energy_topics(foreign: ForeignDevices) -> list[str]:
    """Where transfers are told; nowhere unless the settings name a prefix."""
    return [f"{prefix}/{ENERGY}" for prefix in foreign.energy]


def foreign_access(foreign: ForeignDevices) -> dict[str, Access]:
    """What a broker grants each foreign device: its own topics, and to hear of transfers."""
    told = tuple(energy_topics(foreign))
    hears = dict.fromkeys((*foreign.source.values(), *foreign.energy.values()), told)
    granted = {device: Access(publish=(), receive=topics) for device, topics in hears.items()}
    for adapter in adapters_for(foreign):
        for device, topics in adapter.topics.items():
            switched = (one.topic for name, one in adapter.switches.items() if name == device)
            own = Access(publish=tuple(topics), receive=tuple(switched))
            granted[device] = granted[device].joined(own) if device in granted else own
    return granted


class SourceTopics:
    """`<prefix>/voltage`, `current`, `potencia`, `voltageBESS`: one plain number each."""

    def __init__(self, devices: Mapping[str, str]) -> None:
        """Prefix → device: `{"p2p": "house-1", "p2p-2": "house-2"}`, a house each."""
        self._devices = dict(devices)
        self._known: dict[str, Measurement] = {}

    @property
    def topics(self) -> dict[str, list[str]]:
        """Device → the topics it publishes."""
        return {
            device: [f"{prefix}/{name}" for name in _SOURCE_FIELDS]
            for prefix, device in self._devices.items()
        }

    @property
    def switches(self) -> dict[str, Switch]:
        """None: these devices only report."""
        return {}

    def take(self, topic: str, raw: bytes, inbox: Inbox, now_ms: int) -> bool:
        """The message has no time of its own: it is that of its arrival."""
        prefix, _, name = topic.rpartition("/")
        if prefix not in self._devices or name not in _SOURCE_FIELDS:
            return False
        device = self._devices[prefix] + ("-battery" if name == "voltageBESS" else "")
        value = _milli_of_text(raw)
        if value is None:
            inbox.refused[device] += 1
            return True
        known = self._known.get(device, Measurement(device, now_ms))
        field = _SOURCE_FIELDS[name]
        changed = replace(
            known,
            t_ms=now_ms,
            u_mv=value if field == "u_mv" else known.u_mv,
            i_ma=value if field == "i_ma" else known.i_ma,
            p_mw=value if field == "p_mw" else known.p_mw,
        )
        self._known[device] = changed
        inbox.measurements.append(changed)
        return True


class TasmotaPlugs:
    """`tele/<plug>/SENSOR` with `ENERGY`, `tele/<plug>/LWT`, `stat/<plug>/POWER` when switched."""

    def __init__(self, devices: Mapping[str, str]) -> None:
        """Name in the topic → device."""
        self._devices = dict(devices)

    @property
    def topics(self) -> dict[str, list[str]]:
        """Device → the topics it publishes."""
        return {
            device: [f"tele/{name}/SENSOR", f"tele/{name}/LWT", f"stat/{name}/POWER"]
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
            inbox.states[device] = DeviceState(device, state, now_ms)
            return True
        if what == ("stat", "POWER") and raw in _POWER:
            inbox.states[device] = DeviceState(device, ONLINE, now_ms, plug_on=_POWER[raw])
            return True
        energy = _object(raw).get("ENERGY") if what == ("tele", "SENSOR") else None
        if not isinstance(energy, dict):
            inbox.refused[device] += 1
            return True
        total = _milli(energy.get("Total"))
        inbox.measurements.append(
            Measurement(
                device,
                now_ms,
                u_mv=_milli(energy.get("Voltage")),
                i_ma=_milli(energy.get("Current")),
                p_mw=_milli(energy.get("Power")),
                energy_wh=total,
            )
        )
        return True


class ShellyPlugs:
    """Generation 2: `<plug>/status/switch:0` and `<plug>/online`."""

    def __init__(self, devices: Mapping[str, str]) -> None:
        """Name in the topic → device."""
        self._devices = dict(devices)

    @property
    def topics(self) -> dict[str, list[str]]:
        """Device → the topics it publishes."""
        return {
            device: [f"{name}/{leaf}" for leaf in ("status/switch:0", "online")]
            for name, device in self._devices.items()
        }

    @property
    def switches(self) -> dict[str, Switch]:
        """Device → how it is switched."""
        return {
            device: Switch(f"{name}/command/switch:0", b"on", b"off")
            for name, device in self._devices.items()
        }

    def take(self, topic: str, raw: bytes, inbox: Inbox, now_ms: int) -> bool:
        """`aenergy.total` is a counter in Wh, `apower` in W, `output` the relay."""
        name, _, leaf = topic.partition("/")
        if name not in self._devices or leaf not in {"status/switch:0", "online"}:
            return False
        device = self._devices[name]
        if leaf == "online":
            state = ONLINE if raw == b"true" else LOST
            inbox.states[device] = DeviceState(device, state, now_ms)
            return True
        status = _object(raw)
        counter = status.get("aenergy")
        total = _milli(counter.get("total")) if isinstance(counter, dict) else None
        if total is None:
            inbox.refused[device] += 1
            return True
        inbox.states[device] = DeviceState(
            device, ONLINE, now_ms, plug_on=int(status.get("output") is True)
        )
        inbox.measurements.append(
            Measurement(
                device,
                now_ms,
                u_mv=_milli(status.get("voltage")),
                i_ma=_milli(status.get("current")),
                p_mw=_milli(status.get("apower")),
                energy_wh=total // MILLI,
            )
        )
        return True


class P1Meters:
    """`<reader>/telegram`: what a reader at a smart meter's P1 port publishes, as it came."""

    def __init__(self, devices: Mapping[str, str]) -> None:
        """Name in the topic → device."""
        self._devices = dict(devices)

    @property
    def topics(self) -> dict[str, list[str]]:
        """Device → the topics it publishes."""
        return {device: [f"{name}/telegram"] for name, device in self._devices.items()}

    @property
    def switches(self) -> dict[str, Switch]:
        """None: a meter only reports."""
        return {}

    def take(self, topic: str, raw: bytes, inbox: Inbox, now_ms: int) -> bool:
        """The time is the meter's own; what its checksum does not vouch for is refused."""
        name, _, leaf = topic.partition("/")
        if name not in self._devices or leaf != "telegram":
            return False
        device = self._devices[name]
        try:
            inbox.measurements.append(read_telegram(raw, device_id=device, now_ms=now_ms))
        except BadReading as error:
            inbox.refused[device] += 1
            logger.warning("telegram of %s refused: %s", device, error)
        return True


class EnergyNotices:
    """`<prefix>/energy`: transfers as the source's oracle told them, by nobody signed.

    What is heard is kept to be compared; no command follows from it.
    """

    def __init__(self, devices: Mapping[str, str]) -> None:
        """Prefix → who else may publish there."""
        self._devices = {f"{prefix}/{ENERGY}": device for prefix, device in devices.items()}

    @property
    def topics(self) -> dict[str, list[str]]:
        """Device → the topics it publishes."""
        return {device: [topic] for topic, device in self._devices.items()}

    @property
    def switches(self) -> dict[str, Switch]:
        """None: nothing is switched by an unsigned line."""
        return {}

    def take(self, topic: str, raw: bytes, inbox: Inbox, now_ms: int) -> bool:
        """The gateway hears its own lines here as well."""
        device = self._devices.get(topic)
        if device is None:
            return False
        try:
            inbox.notices.append((device, decode_transfer_notice(raw)))
        except ValueError as error:
            inbox.refused[device] += 1
            logger.warning(
                "notice on the topic of %s, %s: %s", device, NoticeRefusal.MALFORMED, error
            )
        return True


def _object(raw: bytes) -> dict[str, Any]:
    if len(raw) > MESSAGE_BYTES_MAX:
        return {}
    try:
        found = parse_strictly(raw)
    except BadJson:
        return {}
    return found if isinstance(found, dict) else {}


def _milli_of_text(raw: bytes) -> int | None:
    if len(raw) > NUMBER_BYTES_MAX:
        return None
    try:
        return _milli(Decimal(raw.decode("ascii").strip()))
    except (InvalidOperation, UnicodeDecodeError):
        return None


def _milli(value: object) -> int | None:
    """Thousandths of a number; None for what is none or out of range."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(str(value))
    if not number.is_finite() or abs(number) * MILLI > MILLI_MAX:
        return None
    return int(number * MILLI)
