"""Takes the readings of one instant from a source and puts them on the ledger.

The oracle cannot forge a reading: every one carries its meter's signature, and the contract checks
it. One bad reading refuses a whole report, so the report is sent again without it.
"""

import json
import logging
import re
from dataclasses import asdict
from typing import Protocol

from chaincode.energy.oracle.records import MeterReading
from gateway.errors import LedgerRefusal
from gateway.oracle.answering import Acting

WAIT_FOR_READINGS_MS = 3_000
READINGS_PER_REPORT_MAX = 500
_METER_IN_REFUSAL = re.compile(r"\bmeter ([A-Za-z0-9][A-Za-z0-9_-]{0,63})")

logger = logging.getLogger(__name__)


class ReadingSource(Protocol):
    """Where signed readings come from: its series (`SeriesReadings`), or HTTP (`HttpReadings`)."""

    async def wait_for(
        self, meter_ids: list[str], t_end_ms: int, timeout_ms: int
    ) -> dict[str, MeterReading]:
        """Readings of these meters at this instant; after the timeout those that came."""


class OracleNode:
    """One member's oracle identity over the readings it can get."""

    def __init__(
        self, actor: Acting, source: ReadingSource, *, wait_ms: int = WAIT_FOR_READINGS_MS
    ) -> None:
        """A report waits `wait_ms` for readings that are missing, then goes without them."""
        self._actor = actor
        self._source = source
        self._wait_ms = wait_ms

    async def report(self, meter_ids: list[str], t_end_ms: int) -> int:
        """Report what the meters measured up to this instant; returns how many readings."""
        found = await self._source.wait_for(meter_ids, t_end_ms, self._wait_ms)
        pending = [found[meter_id] for meter_id in sorted(found)]
        accepted = 0
        for start in range(0, len(pending), READINGS_PER_REPORT_MAX):
            accepted += await self._report(pending[start : start + READINGS_PER_REPORT_MAX])
        return accepted

    async def _report(self, readings: list[MeterReading]) -> int:
        remaining = list(readings)
        while remaining:
            content = json.dumps([asdict(reading) for reading in remaining])
            try:
                await self._actor.submit("oracle:report_readings", content)
            except LedgerRefusal as refusal:
                named = _METER_IN_REFUSAL.search(refusal.cause)
                kept = [r for r in remaining if named is None or r.meter_id != named[1]]
                if len(kept) == len(remaining):
                    raise
                logger.warning("reading left out: %s", refusal.cause)
                remaining = kept
            else:
                return len(remaining)
        return 0
