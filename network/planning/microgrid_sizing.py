"""`gridledger sizing`: panels, batteries and days without sun of a house on a DC microgrid.

Nominal figures, before losses in cables and converters: what batteries can give is their nominal
energy times the depth of discharge, what a panel gives a day is its power times the full sun hours
times a performance ratio. Whole numbers throughout; source: row E136.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from network.arguments import whole_number

BATTERY_V = 12
BATTERY_AH = 85
DISCHARGE_PERMILLE = 800
"""Depth of discharge: a fifth stays in the battery."""
PANEL_W = 340
SUN_WH_PER_M2_DAY = 4_630
"""Radiation of a day on a square metre; at 1,000 W/m² these are hours of full sun."""
FULL_SUN_W_PER_M2 = 1_000
PERFORMANCE_PERMILLE = 750
"""What is left of a panel's nominal yield after heat, dirt and cables."""
HOURS_A_DAY = 24
PERMILLE = 1_000
COUNT_MAX = 1_000
LOAD_WH_MAX = 1_000_000
EXIT_OK = 0


@dataclass(frozen=True, slots=True)
class House:
    """A house's need, and what it has or plans to have."""

    daily_load_wh: int
    batteries: int
    panels: int
    battery_v: int = BATTERY_V
    battery_ah: int = BATTERY_AH
    discharge_permille: int = DISCHARGE_PERMILLE
    panel_w: int = PANEL_W
    sun_wh_per_m2_day: int = SUN_WH_PER_M2_DAY
    performance_permille: int = PERFORMANCE_PERMILLE


@dataclass(frozen=True, slots=True)
class Sizing:
    """What that gives. `autonomy_hours` is rounded to the nearest tenth, as a count of tenths."""

    usable_wh: int
    autonomy_tenths_of_hours: int
    panel_wh_a_day: int
    panels_needed: int
    load_is_covered: bool


def size_house(house: House) -> Sizing:
    """Nominal autonomy without sun, and whether the panels cover the daily load.

    Raises `ValueError` for a load, voltage, charge or sun that is not positive.
    """
    positive = (
        house.daily_load_wh,
        house.battery_v,
        house.battery_ah,
        house.panel_w,
        house.sun_wh_per_m2_day,
        house.performance_permille,
    )
    if min(positive) <= 0 or house.batteries < 0 or house.panels < 0:
        raise ValueError("load, battery, panel and sun must be greater than zero")
    nominal_wh = house.batteries * house.battery_v * house.battery_ah
    usable_wh = nominal_wh * house.discharge_permille // PERMILLE
    nominal_panel_wh = house.panel_w * house.sun_wh_per_m2_day // FULL_SUN_W_PER_M2
    panel_wh = nominal_panel_wh * house.performance_permille // PERMILLE
    tenths = 10 * HOURS_A_DAY * usable_wh
    return Sizing(
        usable_wh=usable_wh,
        autonomy_tenths_of_hours=(2 * tenths + house.daily_load_wh) // (2 * house.daily_load_wh),
        panel_wh_a_day=panel_wh,
        panels_needed=-(-house.daily_load_wh // max(panel_wh, 1)),
        load_is_covered=house.panels * panel_wh >= house.daily_load_wh,
    )


def batteries_for(house: House, *, autonomy_hours: int) -> int:
    """The fewest batteries that last so long without sun."""
    needed_wh = -(-house.daily_load_wh * autonomy_hours // HOURS_A_DAY)
    one_wh = house.battery_v * house.battery_ah * house.discharge_permille // PERMILLE
    return -(-needed_wh // one_wh)


def sizing_lines(house: House) -> list[str]:
    """The answer for a person."""
    sizing = size_house(house)
    hours, tenth = divmod(sizing.autonomy_tenths_of_hours, 10)
    covered = "cover" if sizing.load_is_covered else "do not cover"
    days = f"{sizing.autonomy_tenths_of_hours / 240:.1f} days"
    store = f"{house.batteries} x {house.battery_v} V {house.battery_ah} Ah"
    needed = f"{sizing.panels_needed} needed, {house.panels} {covered} the load"
    return [
        f"daily load          {house.daily_load_wh / 1000:g} kWh",
        f"batteries           {store}, {sizing.usable_wh / 1000:g} kWh usable",
        f"without any sun     {hours}.{tenth} h ({days}), nominal",
        f"a panel of {house.panel_w} W   {sizing.panel_wh_a_day / 1000:g} kWh a day; {needed}",
    ]


def main(arguments: Sequence[str]) -> int:
    """Print the sizing of one house."""
    parser = argparse.ArgumentParser(
        prog="gridledger sizing",
        description="Panels, batteries and hours without sun of a house on a DC microgrid.",
    )
    parser.add_argument(
        "--daily-load-wh", type=whole_number(1, LOAD_WH_MAX), required=True, metavar="WH"
    )
    parser.add_argument("--batteries", type=whole_number(0, COUNT_MAX), required=True, metavar="N")
    parser.add_argument("--panels", type=whole_number(0, COUNT_MAX), default=2, metavar="N")
    parser.add_argument(
        "--autonomy-hours",
        type=whole_number(0, COUNT_MAX),
        metavar="H",
        help="also say how many batteries last so long",
    )
    options = parser.parse_args(arguments)
    house = House(options.daily_load_wh, options.batteries, options.panels)
    lines = sizing_lines(house)
    if options.autonomy_hours is not None:
        count = batteries_for(house, autonomy_hours=options.autonomy_hours)
        lines.append(f"for {options.autonomy_hours} h           {count} batteries")
    sys.stdout.write("\n".join(lines) + "\n")
    return EXIT_OK
