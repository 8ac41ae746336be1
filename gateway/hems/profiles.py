"""The demo's homes: hourly load, PV and retail price, read from `gateway/data/citylearn2022`."""

import csv
import io
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

DATA_FOLDER = Path(__file__).parent.parent / "data" / "citylearn2022"
LOCAL_ZONE = timezone(timedelta(hours=-7), "PDT")
"""The homes' local time in summer; the source keeps one offset all year round."""
FIRST_HOUR = datetime(2016, 7, 31, 23, tzinfo=LOCAL_ZONE).astimezone(UTC)
DEMO_START = datetime(2016, 8, 1, 13, tzinfo=LOCAL_ZONE).astimezone(UTC)
"""An hour with sellers and buyers whichever homes are chosen; the evening tariff starts at 15."""


@dataclass(frozen=True, slots=True)
class Battery:
    """Nameplate values; `efficiency_permille` is of one full cycle."""

    capacity_wh: int
    power_w: int
    efficiency_permille: int


@dataclass(frozen=True, slots=True)
class Home:
    """One home; `load_wh` and `pv_wh` have one entry per hour since `FIRST_HOUR`."""

    number: int
    pv_nominal_w: int
    battery: Battery
    load_wh: tuple[int, ...]
    pv_wh: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Profiles:
    """All homes and the retail price per hour, in micro-tokens per kWh."""

    homes: tuple[Home, ...]
    retail_price_utoken_per_kwh: tuple[int, ...]

    @property
    def hours(self) -> int:
        """How many hours the set covers."""
        return len(self.retail_price_utoken_per_kwh)

    def hour_index(self, delivery_start: datetime) -> int:
        """Row of the hour that starts at `delivery_start`; the set repeats after its last hour."""
        return (delivery_start - FIRST_HOUR) // timedelta(hours=1) % self.hours


def load_profiles(folder: Path = DATA_FOLDER) -> Profiles:
    """Read and check the extract; a damaged file raises `ValueError` or `lzma.LZMAError`."""
    with (folder / "homes.csv").open(encoding="utf-8", newline="") as file:
        plates = list(csv.DictReader(file))
    text = lzma.decompress((folder / "hours.csv.xz").read_bytes()).decode()
    columns = list(zip(*(map(int, row) for row in _rows(text)), strict=True))
    count = len(plates)
    if len(columns) != 1 + 2 * count:
        raise ValueError(f"hours.csv.xz has {len(columns)} columns for {count} homes")
    homes = tuple(
        Home(
            number=int(plate["home"]),
            pv_nominal_w=int(plate["pv_nominal_w"]),
            battery=Battery(
                capacity_wh=int(plate["battery_capacity_wh"]),
                power_w=int(plate["battery_power_w"]),
                efficiency_permille=int(plate["battery_efficiency_permille"]),
            ),
            load_wh=columns[1 + index],
            pv_wh=columns[1 + count + index],
        )
        for index, plate in enumerate(plates)
    )
    return Profiles(homes=homes, retail_price_utoken_per_kwh=columns[0])


def _rows(text: str) -> Iterator[list[str]]:
    rows = csv.reader(io.StringIO(text))
    next(rows)
    return rows
