"""Which instants an oracle reports, and which readings stand for them. Pure."""

import zlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from chaincode.energy.hours import DAY_MS, HOUR_MS, MINUTE_MS
from chaincode.energy.market.listing_terms import READING_TOLERANCE_MS_MAX
from chaincode.energy.oracle.records import MeterReading

HOLD_MS = 10 * MINUTE_MS
SPREAD_MS = 10_000
LOOK_BACK_MS = 8 * DAY_MS
"""Longer than a settlement can be disputed and corrected (docs/settlement.md)."""
RETRY_MS = 5_000


@dataclass(frozen=True, slots=True)
class Instants:
    """Every `every_ms` one, of which `first_ms` is one: the ends of hours by default."""

    every_ms: int = HOUR_MS
    first_ms: int = 0

    def newest(self, now_ms: int) -> int:
        """The last one at or before a time."""
        return now_ms - (now_ms - self.first_ms) % self.every_ms

    def between(self, after_ms: int, until_ms: int) -> range:
        """Those with after_ms < instant <= until_ms."""
        return range(self.newest(after_ms) + self.every_ms, until_ms + 1, self.every_ms)


@dataclass(frozen=True, slots=True)
class ReportTimes:
    """When an oracle reports what.

    `hold_ms` after an instant it goes on without a reading that did not come; over `spread_ms`
    several oracles take turns; instants older than `look_back_ms` are let be; after `retry_ms` it
    looks again for what has not come.
    """

    instants: Instants = field(default_factory=Instants)
    hold_ms: int = HOLD_MS
    spread_ms: int = SPREAD_MS
    look_back_ms: int = LOOK_BACK_MS
    retry_ms: int = RETRY_MS

    def turn_ms(self, mspid: str, instant_ms: int) -> int:
        """How long after an instant this member's oracle begins: another one first each time.

        Whoever comes later finds recorded what the first one brought, or brings it.
        """
        if not self.spread_ms:
            return 0
        return zlib.crc32(f"{mspid}|{instant_ms}".encode()) % self.spread_ms


@dataclass(frozen=True, slots=True)
class Choice:
    """Of one meter: what to report now, and the instants for which there is nothing.

    `awaited_ms`: the instant whose reading may come yet, `None` if there is none; it and all
    behind it are left for later: the ledger takes a meter's readings in the order of time only.
    """

    readings: list[MeterReading]
    missed: list[int]
    awaited_ms: int | None = None


def choose(
    series: Sequence[MeterReading], due: Sequence[int], times: ReportTimes, now_ms: int
) -> Choice:
    """What stands for the instants `due`, out of a meter's readings in the order of time.

    The reading of the very instant; else the last one up to `READING_TOLERANCE_MS_MAX` before it,
    at once if its successor's number shows that none lies between, otherwise after the hold.
    """
    near_ms = min(times.instants.every_ms, READING_TOLERANCE_MS_MAX)
    ends = [reading.t_end_ms for reading in series]
    chosen: list[MeterReading] = []
    missed: list[int] = []
    for instant_ms in due:
        behind = bisect_right(ends, instant_ms)
        before = series[behind - 1] if behind and ends[behind - 1] > instant_ms - near_ms else None
        following = series[behind] if behind < len(series) else None
        if before is None or not _is_final(before, following, instant_ms):
            if instant_ms > now_ms - times.hold_ms:
                return Choice(chosen, missed, awaited_ms=instant_ms)
            missed.append(instant_ms)
        if before is not None:
            chosen.append(before)
    return Choice(chosen, missed)


def _is_final(before: MeterReading, following: MeterReading | None, instant_ms: int) -> bool:
    """Whether no other reading can be nearer to the instant."""
    is_next = following is not None and following.seq == before.seq + 1
    return before.t_end_ms == instant_ms or is_next
