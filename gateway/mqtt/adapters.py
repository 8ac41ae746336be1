"""Foreign topics: the source documents' own, readers of P1 ports, and `plug_adapters`.

Each adapter says which device publishes which topics (`topics`) and takes a message into the
collector's inbox (`take`), or says that it is not its own. None of these devices signs: their
values inform, and settle nothing.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from gateway.hems.service import Inbox
from gateway.mqtt.device_messages import Measurement
from gateway.mqtt.foreign_values import milli_of_text
from gateway.mqtt.p1_telegram import read_telegram
from gateway.mqtt.plug_adapters import ShellyGen1Plugs, ShellyPlugs, Switch, TasmotaPlugs
from gateway.mqtt.reading import BadReading
from gateway.mqtt.topics import Access
from gateway.mqtt.transfer_notice import NoticeRefusal, decode_transfer_notice
from gateway.settings import ForeignDevices

_SOURCE_FIELDS = {"voltage": "u_mv", "current": "i_ma", "potencia": "p_mw", "voltageBESS": "u_mv"}
"""Of the source's topics `p2p/…` (001:1821-1835); the battery's voltage is a device of its own."""
ENERGY = "energy"

logger = logging.getLogger(__name__)


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
        ShellyGen1Plugs(foreign.shelly1),
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
        value = milli_of_text(raw)
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
