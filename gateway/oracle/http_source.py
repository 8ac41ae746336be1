"""What an oracle reads over HTTP: values for its jobs, and signed readings of meters."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import fields
from typing import Any
from urllib.parse import quote

import httpx

from chaincode.energy.oracle.records import MeterReading
from gateway.oracle.job import FETCH, JobFailed
from gateway.strict_json import BadJson, parse_strictly

TIMEOUT_S = 5.0
BODY_BYTES_MAX = 64 * 1024
MISSING_RETRY_MS = 500
_MAY_RETRY = frozenset({409, 425, 429})
"""Answers that may change: the device has not reported yet, or the source is busy."""
_SERVER_ERROR = 500
_READING = frozenset(field.name for field in fields(MeterReading))

logger = logging.getLogger(__name__)


class HttpSource:
    """Reads addresses with a limit on time and size; follows no redirects."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, url: str, token: str) -> bytes:
        """See `gateway.oracle.job.Fetching`."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._http.stream("GET", url, headers=headers) as response,
            ):
                if response.status_code != httpx.codes.OK:
                    raise _refused(response.status_code)
                return await _bounded(response)
        except (httpx.HTTPError, TimeoutError) as error:
            detail = str(error) or type(error).__name__
            raise JobFailed(FETCH, detail, may_retry=True) from error


class HttpReadings:
    """Signed readings of meters from the home energy management interface (`/smartmeter`)."""

    def __init__(
        self, source: HttpSource, base_url: str, token: str, clock_ms: Callable[[], int]
    ) -> None:
        self._source = source
        self._base_url = base_url
        self._token = token
        self._clock_ms = clock_ms

    async def wait_for(
        self, meter_ids: list[str], t_end_ms: int, timeout_ms: int
    ) -> dict[str, MeterReading]:
        """See `gateway.oracle.node.ReadingSource`; a source that is down is asked again."""
        found: dict[str, MeterReading] = {}
        until_ms = self._clock_ms() + timeout_ms
        while True:
            missing = [name for name in meter_ids if name not in found]
            tries = await asyncio.gather(*(self._reading(name, t_end_ms) for name in missing))
            found |= {reading.meter_id: reading for reading in tries if reading is not None}
            if len(found) == len(meter_ids) or self._clock_ms() >= until_ms:
                return found
            await asyncio.sleep(MISSING_RETRY_MS / 1000)

    async def _reading(self, meter_id: str, t_end_ms: int) -> MeterReading | None:
        url = f"{self._base_url}/smartmeter/{quote(meter_id, safe='')}?at_ms={t_end_ms}"
        try:
            content = parse_strictly(await self._source.get(url, self._token))
        except (JobFailed, BadJson) as error:
            logger.info("no reading of %s: %s", meter_id, error)
            return None
        return _signed_reading(content, meter_id, t_end_ms)


def _signed_reading(content: Any, meter_id: str, t_end_ms: int) -> MeterReading | None:
    """The reading of this meter at this instant; the contract checks its signature."""
    readings = content.get("readings") if isinstance(content, dict) else None
    for entry in readings if isinstance(readings, list) else []:
        is_reading = isinstance(entry, dict) and set(entry) == _READING
        if is_reading and (entry["meter_id"], entry["t_end_ms"]) == (meter_id, t_end_ms):
            return MeterReading(**entry)
    return None


def _refused(status: int) -> JobFailed:
    may_retry = status >= _SERVER_ERROR or status in _MAY_RETRY
    return JobFailed(FETCH, f"the source answers {status}", may_retry=may_retry)


async def _bounded(response: httpx.Response) -> bytes:
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise JobFailed(FETCH, f"more than {BODY_BYTES_MAX} bytes", may_retry=False)
    return body
