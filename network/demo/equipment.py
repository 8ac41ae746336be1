"""What the demo's first homes have beside the meter at their connection."""

from typing import Any

EQUIPPED_HOMES = (1, 2, 3)
"""They have a meter of their own at the solar panels, and plugs or a battery."""
HOMES_WITH_BATTERY = (1, 3)
HOMES_WITH_HOME_AUTOMATION = (1,)
PLUGS = {1: ("tasmota", "shelly"), 2: ("tasmota",)}
APPLIANCES = {"tasmota": "fridge", "shelly": "water-heater"}


def equipment_of(home: int, *, has_batteries: bool) -> dict[str, Any]:
    """The fields of a home in `demo.json` (`gateway.demo.settings`)."""
    if home not in EQUIPPED_HOMES:
        return {}
    plugs = [
        {
            "device": f"{APPLIANCES[kind]}-{home:02d}",
            "kind": kind,
            "name": f"{kind}-{APPLIANCES[kind]}-{home:02d}",
        }
        for kind in PLUGS.get(home, ())
    ]
    has_battery = has_batteries and home in HOMES_WITH_BATTERY
    return {
        "pv_meter": f"pv-meter-{home:02d}",
        "battery": f"battery-{home:02d}" if has_battery else "",
        "plugs": plugs,
    }


def foreign_of(homes: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """The plugs as the gateway's settings name them: by kind, name in topics to device."""
    plugs = [plug for home in homes for plug in home.get("plugs", ())]
    return {
        kind: {plug["name"]: plug["device"] for plug in plugs if plug["kind"] == kind}
        for kind in APPLIANCES
    }
