"""Whether the stored series still are what was anchored: part by part for ever, or all at once.

The anchors are asked of a peer, not of the gateway's own copy of the ledger, which stands in the
same database as the rows. A row that was edited, removed or inserted raises `TAMPERED` for its
series, and for the meters whose stored readings their keys did not sign; a whole pass without a
difference clears it (002:212, 002:392-394).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from gateway.hems.anchored_rows import READINGS, SERIES
from gateway.hems.anchoring import AnchorBook, Anchoring, RootOfExport, Tampered, compare
from gateway.mqtt.reading import is_signed

ROWS_PER_PART_MAX = 200_000
"""So much is hashed in one go: about a second, in which collecting goes on."""
TAMPERED_SHOWN_MAX = 100
SUBJECT = "database:"
"""Before a series' name, where an alarm names a device: no device can be called so."""


class MeterKeys(Protocol):
    """Public keys of the meters registered on the ledger."""

    def public_key(self, meter_id: str) -> ec.EllipticCurvePublicKey | None:
        """The key of a meter; `None` for a meter nobody registered."""


class Telling(Protocol):
    """Raises and clears alarms; `gateway.hems.service.HemsService` does."""

    def tampered(self, subjects: list[str], detail: str, now_ms: int) -> None:
        """Stored rows of these series or meters are not what was anchored."""

    def untampered(self, is_concerned: Callable[[str], bool], now_ms: int) -> None:
        """Whatever `is_concerned` names is as it was anchored."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A pass over everything that is anchored; `tampered` names `TAMPERED_SHOWN_MAX` at most."""

    compared_ms: int
    batches: int
    rows: int
    tampered: tuple[Tampered, ...]

    @property
    def is_as_anchored(self) -> bool:
        """Whether every row is as it was anchored."""
        return not self.tampered


class TamperWatch:
    """Compares in passes; `latest` is what the last whole one found."""

    def __init__(
        self,
        book: AnchorBook,
        ledger: Anchoring,
        mspid: str,
        telling: Telling,
        keys: MeterKeys,
        *,
        clock_ms: Callable[[], int],
        root_of_export: RootOfExport | None = None,
    ) -> None:
        """`mspid` is the member whose series these are."""
        self._root_of_export = root_of_export
        self._book = book
        self._ledger = ledger
        self._mspid = mspid
        self._telling = telling
        self._keys = keys
        self._clock_ms = clock_ms
        self._one_at_a_time = asyncio.Lock()
        self._pass = _Pass()
        self.latest: Comparison | None = None

    async def look_on(self) -> None:
        """Compare as much as is done in one go; raises `LedgerRefusal`, goes on there then."""
        async with self._one_at_a_time:
            until_rows = self._pass.rows + ROWS_PER_PART_MAX
            while not await self._part() and self._pass.rows < until_rows:
                pass

    async def compare_all(self) -> Comparison:
        """Compare everything now; raises `LedgerRefusal`."""
        async with self._one_at_a_time:
            self._pass = _Pass()
            while not await self._part():
                pass
        assert self.latest is not None, "a pass has just ended"
        return self.latest

    async def _part(self) -> bool:
        """The next part; True when the pass is over."""
        progress = self._pass
        series = SERIES[progress.series_index]
        first = str(progress.next_number)
        anchors = await self._ledger.evaluate("anchors:page", self._mspid, series, first)
        part = _within_limit(anchors)
        if part:
            found = await asyncio.to_thread(self._compare, series, part)
            progress.add(part, found)
            return False
        if not progress.tampered_in(series):
            await asyncio.to_thread(self._telling.untampered, _subjects(series), self._clock_ms())
        progress.series_index, progress.next_number = progress.series_index + 1, 1
        if progress.series_index < len(SERIES):
            return False
        self.latest = progress.result(self._clock_ms())
        self._pass = _Pass()
        return True

    def _compare(self, series: str, anchors: list[dict[str, Any]]) -> list[Tampered]:
        found = compare(self._book, series, anchors, self._root_of_export)
        if found:
            where = "; ".join(f"batch {one.number}: {one.reason}" for one in found[:3])
            subjects = [SUBJECT + series]
            self._telling.tampered(subjects, where, self._clock_ms())
            if series == READINGS:
                meters = self._meters_of(found, anchors)
                self._telling.tampered(meters, "its stored readings", self._clock_ms())
        return found

    def _meters_of(self, found: list[Tampered], anchors: list[dict[str, Any]]) -> list[str]:
        """Meters whose rows in these batches are not what their own keys signed."""
        numbers = {one.number for one in found}
        spans = [
            (one["first_row"], one["last_row"]) for one in anchors if one["number"] in numbers
        ]
        return sorted(
            {
                reading.meter_id
                for first_row, last_row in spans
                for reading in self._book.readings(first_row, last_row)
                if (key := self._keys.public_key(reading.meter_id)) is not None
                and not is_signed(reading, key)
            }
        )


class _Pass:
    """How far a pass is, and what it found."""

    def __init__(self) -> None:
        self.series_index, self.next_number = 0, 1
        self._batches, self.rows = 0, 0
        self._tampered: list[Tampered] = []

    def add(self, anchors: list[dict[str, Any]], found: list[Tampered]) -> None:
        self.next_number = anchors[-1]["number"] + 1
        self._batches += len(anchors)
        self.rows += anchors[-1]["last_row"] - anchors[0]["first_row"] + 1
        self._tampered += found

    def tampered_in(self, series: str) -> list[Tampered]:
        return [one for one in self._tampered if one.series == series]

    def result(self, now_ms: int) -> Comparison:
        shown = tuple(self._tampered[:TAMPERED_SHOWN_MAX])
        return Comparison(now_ms, self._batches, self.rows, shown)


def _within_limit(anchors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first anchors with at most `ROWS_PER_PART_MAX` rows, one at least."""
    for count, anchor in enumerate(anchors):
        if count and anchor["last_row"] - anchors[0]["first_row"] >= ROWS_PER_PART_MAX:
            return anchors[:count]
    return anchors


def _subjects(series: str) -> Callable[[str], bool]:
    """Which alarms are about a series: its own, and with the readings those of meters."""
    own = SUBJECT + series
    return lambda name: name == own or (series == READINGS and not name.startswith(SUBJECT))
