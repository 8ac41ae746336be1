"""What an oracle reports from its gateway's own series: only readings that were believed."""

import asyncio
import logging

from chaincode.energy.oracle.records import MeterReading
from gateway.hems.series import SeriesStore

POLL_MS = 50
"""How often the series is asked while readings are missing."""

logger = logging.getLogger(__name__)


class SeriesReadings:
    """Readings out of the database; one that was set aside is missing here."""

    def __init__(self, series: SeriesStore) -> None:
        self._series = series

    async def wait_for(
        self, meter_ids: list[str], t_end_ms: int, timeout_ms: int
    ) -> dict[str, MeterReading]:
        """See `gateway.oracle.node.ReadingSource`."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_ms / 1_000
        while True:
            found = await asyncio.to_thread(self._series.at, meter_ids, t_end_ms)
            if len(found) == len(meter_ids):
                return found
            if loop.time() >= until_s:
                missing = sorted(set(meter_ids) - set(found))
                logger.warning("no believed reading at %d of %s", t_end_ms, ", ".join(missing))
                return found
            await asyncio.sleep(POLL_MS / 1_000)
