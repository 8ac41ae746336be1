"""States of charge as the batteries' own controllers reported them, the newest of each."""

import bisect
from dataclasses import dataclass

OBSERVATIONS_KEPT_PER_BATTERY = 1_000
BATTERIES_MAX = 10_000


@dataclass(frozen=True, slots=True, order=True)
class Observation:
    """Energy in a battery, in Wh, at an instant (ms UTC)."""

    at_ms: int
    stored_wh: int


class BatteryStore:
    """The last observations of every battery in order of time; in memory, like the readings."""

    def __init__(self) -> None:
        self._observed: dict[str, list[Observation]] = {}

    def record(self, battery_id: str, observation: Observation) -> bool:
        """Keep an observation; False if it is not newer than the last one, or one too many."""
        if battery_id not in self._observed and len(self._observed) >= BATTERIES_MAX:
            return False
        known = self._observed.setdefault(battery_id, [])
        if known and observation.at_ms <= known[-1].at_ms:
            return False
        known.append(observation)
        del known[:-OBSERVATIONS_KEPT_PER_BATTERY]
        return True

    def at(self, battery_id: str, instant_ms: int) -> Observation | None:
        """The last observation at or before an instant."""
        known = self._observed.get(battery_id, [])
        count = bisect.bisect_right(known, instant_ms, key=lambda found: found.at_ms)
        return known[count - 1] if count else None

    def since(self, battery_id: str, instant_ms: int) -> list[Observation]:
        """The observations kept from an instant on, the earliest first."""
        known = self._observed.get(battery_id, [])
        start = bisect.bisect_left(known, instant_ms, key=lambda found: found.at_ms)
        return known[start:]
