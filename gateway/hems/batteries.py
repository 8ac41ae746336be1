"""States of charge as the batteries' own controllers reported them, the newest of each."""

import bisect
from dataclasses import dataclass
from typing import Protocol

OBSERVATIONS_KEPT_PER_BATTERY = 1_000
BATTERIES_MAX = 10_000


@dataclass(frozen=True, slots=True, order=True)
class Observation:
    """Energy in a battery, in Wh, at an instant (ms UTC)."""

    at_ms: int
    stored_wh: int


class KeptCharges(Protocol):
    """What outlasts this process and is shared with others; calls block."""

    def until(self, battery_id: str, instant_ms: int) -> Observation | None:
        """The last value kept at or before an instant."""

    def since(self, battery_id: str, instant_ms: int, limit: int) -> list[Observation]:
        """Values kept from an instant on, the newest `limit`, the earliest first."""


class BatteryStore:
    """The last observations of every battery in order of time.

    What this process heard is in memory. What another replica heard, or this one before it was
    started again, is in the database, two values of each interval: the newer of both counts.
    """

    def __init__(self) -> None:
        self._observed: dict[str, list[Observation]] = {}
        self._kept: KeptCharges | None = None

    def fall_back_on(self, kept: KeptCharges) -> None:
        """Answer from these too."""
        self._kept = kept

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
        heard = known[count - 1] if count else None
        kept = None if self._kept is None else self._kept.until(battery_id, instant_ms)
        return max((one for one in (heard, kept) if one is not None), default=None)

    def since(self, battery_id: str, instant_ms: int) -> list[Observation]:
        """The observations from an instant on, the earliest first."""
        known = self._observed.get(battery_id, [])
        start = bisect.bisect_left(known, instant_ms, key=lambda found: found.at_ms)
        limit = OBSERVATIONS_KEPT_PER_BATTERY
        kept = [] if self._kept is None else self._kept.since(battery_id, instant_ms, limit)
        return sorted({*known[start:], *kept})[-limit:]
