"""How a household's Home Assistant is told to show its devices: one configuration each.

Home Assistant's MQTT discovery in its device form (since 2024.11). The values are those of
`home_devices.DeviceValues`; only a plug's switch takes a command, on a topic of the household's.
"""

import json
from typing import Any

from gateway.hems.home_assistant import (
    ORIGIN,
    Words,
    available_by,
    identifier,
    named,
    shown,
)
from gateway.hems.home_devices import HomeDevice, Role
from gateway.mqtt.topics import (
    device_discovery_topic,
    device_switch_topic,
    device_values_topic,
    gateway_state_topic,
)

SWITCH_ON, SWITCH_OFF = "ON", "OFF"
AT_LEAST_ONCE = 1
MODELS = {
    Role.CONNECTION: "Meter at the grid connection",
    Role.PRODUCTION: "Meter at a source",
    Role.BATTERY: "Battery",
    Role.PLUG: "Plug",
}
Component = dict[str, Any]
TAKEN_AWAY = {"platform": "switch"}
"""So Home Assistant removes a component that it may have shown before."""


def device_discovery(
    community: str,
    idgrid: str,
    device: HomeDevice,
    *,
    firmware: str = "",
    has_signal: bool = False,
    words: Words = str,
) -> tuple[str, bytes]:
    """Topic and retained payload that make Home Assistant show a device of a household.

    `has_signal`: it tells how strong its radio signal is. A plug that is not approved has no
    switch: what it stands for would be refused.
    """
    values = device_values_topic(community, idgrid, device.device_id)
    gateway = available_by(gateway_state_topic(community))
    unique = identifier(community, device.device_id)
    components = _components(device, device_switch_topic(community, idgrid, device.device_id))
    # What tells of a device that is away must itself stay there.
    components |= {name: one | {"availability": [gateway]} for name, one in _health().items()}
    if has_signal:
        components["signal"] = _signal()
    content: dict[str, Any] = {
        "device": {
            "identifiers": [unique],
            "name": device.device_id,
            "manufacturer": "Gridledger",
            "model": words(MODELS[device.role]),
            "via_device": identifier(community, idgrid),
        }
        | ({"sw_version": firmware} if firmware else {}),
        "origin": ORIGIN,
        "availability": [gateway, available_by(values)],
        "availability_mode": "all",
        "state_topic": values,
        "components": {
            name: {"unique_id": f"{unique}-{name}", "qos": AT_LEAST_ONCE} | named(one, words)
            for name, one in components.items()
        },
    }
    if device.role is Role.PLUG and not device.is_approved:
        content["components"]["switch"] = TAKEN_AWAY
    topic = device_discovery_topic(community, idgrid, device.device_id)
    return topic, json.dumps(content, separators=(",", ":")).encode()


def _components(device: HomeDevice, switch_topic: str) -> dict[str, Component]:
    """What a device of its kind shows, by the last part of its unique id."""
    if device.role is Role.PLUG:
        return {
            "power": _power("Power"),
            "energy": _register("Energy", "energy_wh"),
            "voltage": _voltage(),
        } | ({"switch": _switch(switch_topic)} if device.is_approved else {})
    if device.role is Role.BATTERY:
        return {
            "charge": _charge(),
            "stored": _stored(),
            "power": _power("Charging power"),
        }
    if device.role is Role.PRODUCTION:
        return {
            "power": _power("Production"),
            "export": _register("Energy produced", "export_wh"),
            "import": _register("Energy taken", "import_wh"),
            "voltage": _voltage(),
        }
    return {
        "power": _power("Power"),
        "import": _register("Energy taken", "import_wh"),
        "export": _register("Energy fed in", "export_wh"),
        "voltage": _voltage(),
    }


def _health() -> dict[str, Component]:
    """Whether it reports, and when it last did."""
    return {
        "last": {
            "platform": "sensor",
            "name": "Last value",
            "device_class": "timestamp",
            "entity_category": "diagnostic",
            "value_template": shown("last"),
        },
        "silent": {
            "platform": "binary_sensor",
            "name": "Silent",
            "device_class": "problem",
            "entity_category": "diagnostic",
            "payload_on": SWITCH_ON,
            "payload_off": SWITCH_OFF,
            "value_template": "{{ 'ON' if value_json.is_silent else 'OFF' }}",
        },
    }


def _sensor(name: str, device_class: str, unit: str, template: str) -> Component:
    return {
        "platform": "sensor",
        "name": name,
        "device_class": device_class,
        "state_class": "measurement",
        "unit_of_measurement": unit,
        "value_template": template,
    }


def _power(name: str) -> Component:
    return _sensor(name, "power", "W", shown("power_w"))


def _register(name: str, field: str) -> Component:
    """A counter that only grows, as the energy dashboard needs; one that begins anew is known."""
    sensor = _sensor(name, "energy", "Wh", shown(field))
    return sensor | {"state_class": "total_increasing"}


def _voltage() -> Component:
    return _sensor("Voltage", "voltage", "V", _divided("voltage_mv", 1_000))


def _charge() -> Component:
    return _sensor("State of charge", "battery", "%", _divided("charge_permille", 10))


def _stored() -> Component:
    return _sensor("Stored energy", "energy_storage", "Wh", shown("stored_wh"))


def _signal() -> Component:
    sensor = _sensor("Signal", "signal_strength", "dBm", shown("signal_dbm"))
    return sensor | {"entity_category": "diagnostic"}


def _switch(topic: str) -> Component:
    """It shows what the plug says, not what was asked for."""
    value = "value_json.plug_on"
    return {
        "platform": "switch",
        "name": "Switch",
        "device_class": "outlet",
        "command_topic": topic,
        "payload_on": SWITCH_ON,
        "payload_off": SWITCH_OFF,
        "optimistic": False,
        "value_template": (
            f"{{{{ 'None' if {value} is none else 'ON' if {value} == 1 else 'OFF' }}}}"
        ),
    }


def _divided(field: str, by: int) -> str:
    value = f"value_json.{field}"
    return f"{{{{ {value} / {by} if {value} is not none else none }}}}"
