"""What an oracle reports from its gateway's own database: only readings that were believed."""

import asyncio
import logging
from collections.abc import Mapping

from chaincode.energy.oracle.records import MeterReading
from gateway.database import DatabaseUnavailable
from gateway.hems.series import SeriesStore

logger = logging.getLogger(__name__)


class SeriesReadings:
    """Readings out of the database; one that was set aside is missing here."""

    def __init__(self, series: SeriesStore) -> None:
        self._series = series

    async def since(
        self, recorded: Mapping[str, int], until_ms: int
    ) -> dict[str, list[MeterReading]]:
        """See `gateway.oracle.reporting.ReadingSource`."""
        try:
            return await asyncio.to_thread(self._since, recorded, until_ms)
        except DatabaseUnavailable as outage:
            logger.warning("no readings: %s; again later", outage)
            return {}

    def _since(self, recorded: Mapping[str, int], until_ms: int) -> dict[str, list[MeterReading]]:
        return {
            meter_id: self._series.between(meter_id, after_ms, until_ms)
            for meter_id, after_ms in recorded.items()
        }
