"""What a charger's program is told in `charger.json` (docs/flexible-loads.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway.agent.charging import Charge, as_far_as_possible, overnight, window_of
from gateway.agent.key_file import AgentKey, read_agent_key
from gateway.strict_json import parse_strictly

FIELDS = {
    "key",
    "token_file",
    "state",
    "plug",
    "meter",
    "begins",
    "ends",
    "time_zone",
    "energy_wh",
    "power_w",
    "price_max_utoken_per_kwh",
    "budget_utoken",
    "prices_utoken_per_kwh",
}


@dataclass(frozen=True, slots=True)
class ChargerSettings:
    """Whose charger, which relay and meter, when and how much, what it may cost."""

    key: AgentKey
    token: str
    state: Path
    plug: str
    meter: str
    begins: time
    ends: time
    zone: tzinfo
    energy_wh: int
    power_w: int
    price_max_utoken_per_kwh: int
    budget_utoken: int
    prices: Mapping[time, int]
    """Expected micro-tokens per kWh, by the local time from which each counts."""

    def night_of(self, evening: date) -> Charge:
        """The charge whose window begins on that local day; raises `ValueError` as `Charge`."""
        return overnight(
            evening,
            begins=self.begins,
            ends=self.ends,
            zone=self.zone,
            energy_wh=self.energy_wh,
            power_w=self.power_w,
        )

    def night_at(self, now_ms: int) -> Charge:
        """The charge whose window it is, else the next one.

        A window that summer time makes too short is charged in as far as it goes, and one that
        it leaves without a whole hour is passed over.
        """
        today = datetime.fromtimestamp(now_ms / 1_000, tz=UTC).astimezone(self.zone).date()
        nights = (self._possible_night(today + timedelta(days=days)) for days in (-1, 0, 1, 2))
        return next(night for night in nights if night and night.until_ms > now_ms)

    def _possible_night(self, evening: date) -> Charge | None:
        from_ms, until_ms = window_of(evening, begins=self.begins, ends=self.ends, zone=self.zone)
        return as_far_as_possible(
            from_ms, until_ms, energy_wh=self.energy_wh, power_w=self.power_w
        )

    def expected_prices(self, charge: Charge) -> dict[int, int]:
        """Of each hour of a window, by the instant it begins."""
        return {hour: self._price_at(hour) for hour in charge.hours}

    def _price_at(self, hour_ms: int) -> int:
        local = datetime.fromtimestamp(hour_ms / 1_000, tz=UTC).astimezone(self.zone).time()
        begun = [begins for begins in self.prices if begins <= local]
        return self.prices[max(begun or self.prices)]


def load_charger_settings(path: Path) -> ChargerSettings:
    """Read the file; a wrong one raises `ValueError`, `KeyError` or `TypeError`.

    Names of files in it are of its own folder.
    """
    raw = parse_strictly(path.read_bytes())
    unknown = set(raw) - FIELDS
    if unknown:
        raise ValueError(f"there is no field {min(unknown)}")
    folder = path.absolute().parent
    settings = ChargerSettings(
        key=read_agent_key(folder / raw["key"]),
        token=(folder / raw["token_file"]).read_text("ascii").strip(),
        state=folder / raw["state"],
        plug=str(raw["plug"]),
        meter=str(raw["meter"]),
        begins=time.fromisoformat(raw["begins"]),
        ends=time.fromisoformat(raw["ends"]),
        zone=ZoneInfo(raw["time_zone"]),
        energy_wh=_positive(raw, "energy_wh"),
        power_w=_positive(raw, "power_w"),
        price_max_utoken_per_kwh=_positive(raw, "price_max_utoken_per_kwh"),
        budget_utoken=_positive(raw, "budget_utoken"),
        prices={
            time.fromisoformat(begins): _positive(raw["prices_utoken_per_kwh"], begins)
            for begins in raw["prices_utoken_per_kwh"]
        },
    )
    if not settings.prices:
        raise ValueError("prices_utoken_per_kwh names no price")
    settings.night_of(date(1970, 1, 1))  # too much for the window: told now, not at night
    return settings


def _positive(raw: Mapping[str, Any], name: str) -> int:
    value = raw[name]
    if type(value) is not int or value <= 0:
        raise ValueError(f"{name} is a positive whole number")
    return value
