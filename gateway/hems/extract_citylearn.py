"""Make `hours.csv.xz` and `homes.csv` from the CityLearn 2.0.0 wheel.

    python -m gateway.hems.extract_citylearn CityLearn-2.0.0-py3-none-any.whl

Energy becomes whole watt-hours (half up), the price micro-tokens per kWh with one token worth
one US dollar. The result depends on the wheel alone, so running it again changes nothing.
"""

import csv
import io
import json
import lzma
import sys
import zipfile
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

SOURCE_FOLDER = "citylearn/data/citylearn_challenge_2022_phase_all"
TARGET = Path(__file__).parent.parent / "data" / "citylearn2022"
HOME_COLUMNS = (
    "home",
    "pv_nominal_w",
    "battery_capacity_wh",
    "battery_power_w",
    "battery_efficiency_permille",
)
WH_PER_KWH = 1_000
UTOKEN_PER_USD = 1_000_000


def whole(value: Decimal) -> int:
    """Nearest integer, half up."""
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def rows(wheel: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    """One CSV file of the source folder as dictionaries."""
    with wheel.open(f"{SOURCE_FOLDER}/{name}") as raw:
        return list(csv.DictReader(io.TextIOWrapper(raw, encoding="utf-8")))


def home_columns(wheel: zipfile.ZipFile, building: dict[str, Any]) -> tuple[list[int], list[int]]:
    """Load and PV of one home, Wh per hour. PV in the source is W per kW of nominal power."""
    nominal_kw = Decimal(str(building["pv"]["attributes"]["nominal_power"]))
    load, solar = [], []
    for row in rows(wheel, building["energy_simulation"]):
        load.append(whole(Decimal(row["Equipment Electric Power [kWh]"]) * WH_PER_KWH))
        solar.append(whole(Decimal(row["Solar Generation [W/kW]"]) * nominal_kw))
    return load, solar


def write_homes(buildings: list[dict[str, Any]]) -> None:
    """`homes.csv`: what is fixed per home."""
    with (TARGET / "homes.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(HOME_COLUMNS)
        for number, building in enumerate(buildings, start=1):
            battery = building["electrical_storage"]["attributes"]
            kilo = [
                building["pv"]["attributes"]["nominal_power"],
                battery["capacity"],
                battery["nominal_power"],
                battery["efficiency"],
            ]
            out.writerow([number, *(whole(Decimal(str(value)) * 1_000) for value in kilo)])


def main() -> None:
    """Read the wheel named on the command line and write both files to `gateway/data`."""
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        schema = json.loads(wheel.read(f"{SOURCE_FOLDER}/schema.json"))
        buildings = list(schema["buildings"].values())
        columns = [home_columns(wheel, building) for building in buildings]
        price_key = "Electricity Pricing [$/kWh]"
        prices = [
            whole(Decimal(row[price_key]) * UTOKEN_PER_USD) for row in rows(wheel, "pricing.csv")
        ]
    write_homes(buildings)
    numbers = range(1, len(buildings) + 1)
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(
        ["retail_price_utoken_per_kwh"]
        + [f"load_wh_{number}" for number in numbers]
        + [f"pv_wh_{number}" for number in numbers]
    )
    for hour, price in enumerate(prices):
        loads = [load[hour] for load, _ in columns]
        out.writerow([price, *loads, *(solar[hour] for _, solar in columns)])
    packed = lzma.compress(text.getvalue().encode(), preset=9 | lzma.PRESET_EXTREME)
    (TARGET / "hours.csv.xz").write_bytes(packed)


if __name__ == "__main__":
    main()
